"""Records against labelled receipts: field accuracy, items, and how many of the accepted ones are wrong. Pure."""

import datetime as dt
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from extractor.errors import InputError
from extractor.parsing.text import squash
from extractor.schemas.record import Record, RecordStatus
from extractor.schemas.values import Amount

ALIKE = 0.9
"""Names and addresses count as right from this similarity on: labels and print differ in spaces and punctuation."""

ITEM_ALIKE = 0.8
"""Descriptions may differ more, since the price has to be equal too."""

CONTAINED_CHARACTERS = 4
"""A merchant counts as right if it contains the labelled one or the other way round, from this length on: `ALDI`, `ALDI SÜD`."""


def _plain_amount(value: object) -> object:
    """Labels write `1,234.50` and give numbers as numbers."""
    return str(value).replace(",", "") if value not in (None, "") else None


Labelled = Annotated[Amount | None, BeforeValidator(_plain_amount)]


class TrueItem(BaseModel):
    """One labelled line item."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    description: str | None = None
    total: Labelled = None


class Truth(BaseModel):
    """One labelled receipt, a line of `TRUTH.jsonl`. A field that is null or left out is not judged."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    image: str = Field(description="Path of the file, relative to the folder of receipts.")
    merchant: str | None = None
    address: str | None = None
    date: dt.date | None = None
    time: dt.time | None = None
    total: Labelled = None
    currency: str | None = None
    subtotal: Labelled = None
    tax: Labelled = None
    line_items: tuple[TrueItem, ...] | None = None


class Cause(StrEnum):
    """Why a field is wrong."""

    NOT_READ = "not in the transcript"
    NOT_FOUND = "in the transcript, not found"
    WRONG = "in the transcript, another taken"


@dataclass(frozen=True)
class Miss:
    """One field that is wrong or missing.

    Attributes:
        got: What the record says, or `None`.
        path: The record's field path, for its evidence.
    """

    image: str
    name: str
    path: str
    wanted: str
    got: str | None
    cause: Cause
    was_accepted: bool


CONFIDENCES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
"""Where the classes of the reliability table begin; the last ends at 1."""


@dataclass
class Reliability:
    """The values of one field whose confidence lies in one class: how sure the reader was, and how often it was right."""

    of: int = 0
    right: int = 0
    confidence: float = 0.0

    @property
    def mean(self) -> float:
        """Mean confidence; honest where it is near the share that is right."""
        return self.confidence / self.of if self.of else 0.0


@dataclass
class Score:
    """Counts over all receipts so far.

    Attributes:
        reliability: By field, one entry a class of `CONFIDENCES`; values without a confidence are left out.
    """

    receipts: int = 0
    absent: int = 0
    accepted: int = 0
    wrong_accepted: int = 0
    headers: tuple[int, int] = (0, 0)
    fields: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: tuple[int, int, int] = (0, 0, 0)
    misses: list[Miss] = field(default_factory=list)
    reliability: dict[str, list[Reliability]] = field(default_factory=dict)

    @property
    def items_f1(self) -> float | None:
        """Harmonic mean of how many labelled items were found and how many found items are labelled; `None` without labels."""
        hits, found, wanted = self.items
        return 2 * hits / (found + wanted) if found + wanted else None

    def add(self, truth: Truth, record: Record | None) -> None:
        """Judge one receipt; `record` is `None` where it could not be read at all."""
        self.receipts += 1
        self.absent += record is None
        was_accepted = record is not None and record.status is RecordStatus.ACCEPTED
        right = {name: self._judge(name, truth, record, was_accepted=was_accepted) for name in _PATHS if getattr(truth, name) is not None}
        header = [right[name] for name in ("merchant", "date", "total") if name in right]
        self.headers = (self.headers[0] + all(header), self.headers[1] + 1)
        if truth.line_items:
            found = record.items if record else ()
            hits = _item_hits(truth.line_items, [(item.description, item.total_price) for item in found])
            self.items = (self.items[0] + hits, self.items[1] + len(found), self.items[2] + len(truth.line_items))
        if was_accepted:
            self.accepted += 1
            self.wrong_accepted += not all(right.get(name, True) for name in ("date", "total", "currency"))

    def _judge(self, name: str, truth: Truth, record: Record | None, *, was_accepted: bool) -> bool:
        wanted, got = getattr(truth, name), getattr(record, _PATHS[name]) if record else None
        is_right = _is_right(name, wanted, got)
        hits, of = self.fields.get(name, (0, 0))
        self.fields[name] = (hits + is_right, of + 1)
        if record is not None and got is not None:
            self._note_confidence(name, record, is_right=is_right)
        if not is_right:
            text = record.ocr_text or "" if record else ""
            cause = Cause.NOT_READ if squash(str(wanted)) not in squash(text) else Cause.NOT_FOUND if got is None else Cause.WRONG
            shown = None if got is None else str(got)
            self.misses.append(Miss(truth.image, name, _PATHS[name], str(wanted), shown, cause, was_accepted))
        return is_right

    def _note_confidence(self, name: str, record: Record, *, is_right: bool) -> None:
        evidence = record.fields.get(_PATHS[name])
        if evidence is None or evidence.confidence is None:
            return
        classes = self.reliability.setdefault(name, [Reliability() for _ in CONFIDENCES])
        own = classes[bisect_right(CONFIDENCES, evidence.confidence) - 1]
        own.of += 1
        own.right += is_right
        own.confidence += evidence.confidence


_PATHS: Mapping[str, str] = {
    "merchant": "merchant_name", "address": "merchant_address", "date": "transaction_date", "time": "transaction_time",
    "total": "total", "currency": "currency_code", "subtotal": "subtotal", "tax": "tax_total",
}  # fmt: skip


def load_truth(path: Path) -> list[Truth]:
    """The labelled receipts of a JSON Lines file.

    Raises:
        InputError: Not there, or a line is not what `Truth` says; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text ({error}). Give the file with the labels.") from error
    truths = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            truths.append(Truth.model_validate(json.loads(line)))
        except (ValueError, ValidationError) as error:
            raise InputError(f"{path}, line {number} is no labelled receipt: {error}") from error
    return truths


def similarity(one: str, other: str) -> float:
    """How alike two texts are, from 0 to 1, letters and digits alone."""
    a, b = squash(one), squash(other)
    return SequenceMatcher(None, a, b, autojunk=False).ratio() if a and b else 0.0


def _is_right(name: str, wanted: object, got: object) -> bool:
    if got is None:
        return False
    if isinstance(wanted, Decimal) and isinstance(got, Decimal):
        return wanted == got
    if isinstance(wanted, dt.time) and isinstance(got, dt.time):
        return (wanted.hour, wanted.minute) == (got.hour, got.minute)
    if name in {"merchant", "address"}:
        a, b = squash(str(wanted)), squash(str(got))
        is_inside = name == "merchant" and min(len(a), len(b)) >= CONTAINED_CHARACTERS and (a in b or b in a)
        return is_inside or similarity(a, b) >= ALIKE
    return wanted == got


def _item_hits(wanted: Iterable[TrueItem], found: Sequence[tuple[str | None, Decimal | None]]) -> int:
    """Labelled items with a found one of equal price and alike description; each found item counts once."""
    left, hits = list(found), 0
    for item in wanted:
        matches = (row for row in left if row[1] == item.total and similarity(row[0] or "", item.description or "") >= ITEM_ALIKE)
        if match := next(matches, None):
            left.remove(match)
            hits += 1
    return hits
