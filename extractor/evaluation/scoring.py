"""Scores of records against labelled receipts: accuracy of fields and items, and wrong records among the accepted ones. Pure."""

import datetime as dt
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from extractor.errors import InputError
from extractor.parsing.text import squash
from extractor.schemas.record import Record, RecordStatus
from extractor.schemas.values import Amount

# Names and addresses are right from this similarity on: labels and print differ in spaces and punctuation.
ALIKE = 0.9
# Descriptions of items may differ more, since the price has to be equal, too.
ITEM_ALIKE = 0.8
# A merchant is right if it contains the labelled one or is contained in it, from this length on: `ALDI`, `ALDI SÜD`.
CONTAINED_CHARACTERS = 4
# How far a total may be from its label, by the label's data set: SROIE labels totals before or after cash rounding.
# Source: https://rrc.cvc.uab.es/?ch=13
TOTAL_TOLERANCES = {"sroie": Decimal("0.02")}


def _plain_amount(value: object) -> object:
    """The amount without thousands separators: labels write `1,234.50`."""
    return str(value).replace(",", "") if value not in (None, "") else None


def _listed(value: object) -> object:
    """One answer as a list of one; an empty text or list labels nothing."""
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if one not in (None, "")] or None


PlainAmount = Annotated[Amount, BeforeValidator(_plain_amount)]
_Value = TypeVar("_Value")
# A label is one answer, or a list of answers each of which is right: a brand and the legal entity behind it, say, both printed.
Answers = Annotated[tuple[_Value, ...] | None, BeforeValidator(_listed)]


class TrueItem(BaseModel):
    """One labelled line item."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    description: str | None = None
    total: PlainAmount | None = None


class Truth(BaseModel):
    """One labelled receipt, a line of `TRUTH.jsonl`. Fields that are null or missing are not scored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    image: str = Field(description="Path of the file, relative to the folder of receipts.")
    merchant: Answers[str] = None
    address: Answers[str] = None
    date: Answers[dt.date] = None
    time: Answers[dt.time] = None
    total: Answers[PlainAmount] = None
    currency: Answers[str] = None
    subtotal: Answers[PlainAmount] = None
    tax: Answers[PlainAmount] = None
    line_items: tuple[TrueItem, ...] | None = None
    dataset: str | None = Field(default=None, description="Name of the data set; see `TOTAL_TOLERANCES`.")


class Cause(StrEnum):
    """Why a field is wrong."""

    NOT_READ = "not in the transcript"
    NOT_FOUND = "in the transcript, not found"
    WRONG = "in the transcript, another taken"


@dataclass(frozen=True)
class Miss:
    """One field that is wrong or missing.

    Attributes:
        path: The record's field path, for its evidence.
        wanted: The labelled answer, or several joined with ` or `.
        got: The record's value, or `None`.
    """

    image: str
    name: str
    path: str
    wanted: str
    got: str | None
    cause: Cause
    was_accepted: bool


# Lower ends of the classes in the reliability table; the last class ends at 1.
CONFIDENCES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass
class Reliability:
    """Confidence and accuracy of the values of one field whose confidence lies in one class."""

    of: int = 0
    right: int = 0
    confidence: float = 0.0

    @property
    def mean(self) -> float:
        """Mean confidence; well calibrated if it is near the share of right values."""
        return self.confidence / self.of if self.of else 0.0


@dataclass
class Score:
    """Counts over all receipts so far.

    Attributes:
        absent: Receipts without a record.
        wrong_accepted: Accepted records whose labelled merchant, date or total is wrong or missing, or whose currency is wrong.
        wrong_accepted_values: The same without merchants.
        headers: Receipts whose labelled merchant, date and total are all right, and all receipts.
        fields: By field, how many values are right, and how many are labelled.
        items: Items that match, items found, items labelled.
        reliability: By field, one entry for each class of `CONFIDENCES`; values without a confidence are left out.
    """

    receipts: int = 0
    absent: int = 0
    accepted: int = 0
    wrong_accepted: int = 0
    wrong_accepted_values: int = 0
    headers: tuple[int, int] = (0, 0)
    fields: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: tuple[int, int, int] = (0, 0, 0)
    misses: list[Miss] = field(default_factory=list)
    reliability: dict[str, list[Reliability]] = field(default_factory=dict)

    @property
    def items_f1(self) -> float | None:
        """Harmonic mean of recall and precision of items; `None` without labels."""
        hits, found, wanted = self.items
        return 2 * hits / (found + wanted) if found + wanted else None

    def add(self, truth: Truth, record: Record | None) -> None:
        """Score one receipt; `record` is `None` if it could not be read."""
        self.receipts += 1
        self.absent += record is None
        was_accepted = record is not None and record.status is RecordStatus.ACCEPTED
        right = {
            name: self._score_field(name, truth, record, was_accepted=was_accepted) for name in _PATHS if getattr(truth, name) is not None
        }
        header = [right[name] for name in ("merchant", "date", "total") if name in right]
        self.headers = (self.headers[0] + all(header), self.headers[1] + 1)
        if truth.line_items:
            found = record.items if record else ()
            hits = _item_hits(truth.line_items, [(item.description, item.total_price) for item in found])
            self.items = (self.items[0] + hits, self.items[1] + len(found), self.items[2] + len(truth.line_items))
        if was_accepted:
            self.accepted += 1
            # A currency that the record leaves open is no wrong value; the receipt may not print it.
            is_open = record is not None and record.currency_code is None
            values_right = all(right.get(name, True) for name in ("date", "total")) and (is_open or right.get("currency", True))
            self.wrong_accepted_values += not values_right
            self.wrong_accepted += not (values_right and right.get("merchant", True))

    def _score_field(self, name: str, truth: Truth, record: Record | None, *, was_accepted: bool) -> bool:
        wanted, got = getattr(truth, name), getattr(record, _PATHS[name]) if record else None
        tolerance = TOTAL_TOLERANCES.get(truth.dataset or "", Decimal(0)) if name == "total" else Decimal(0)
        is_right = any(_is_right(name, one, got, tolerance) for one in wanted)
        hits, of = self.fields.get(name, (0, 0))
        self.fields[name] = (hits + is_right, of + 1)
        if record is not None and got is not None:
            self._note_confidence(name, record, is_right=is_right)
        if not is_right:
            text = record.ocr_text or "" if record else ""
            was_read = any(squash(str(one)) in squash(text) for one in wanted)
            cause = Cause.NOT_READ if not was_read else Cause.NOT_FOUND if got is None else Cause.WRONG
            shown = None if got is None else str(got)
            self.misses.append(Miss(truth.image, name, _PATHS[name], " or ".join(map(str, wanted)), shown, cause, was_accepted))
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
        InputError: The file cannot be read, or a line does not fit `Truth`; the message names the line and the field.
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
        except ValidationError as error:
            raise InputError(f"{path}, line {number}: {_explain(error)}") from error
        except ValueError as error:
            raise InputError(f"{path}, line {number} is not JSON. Write one object a line.") from error
    return truths


# What a label must look like, by its field.
_FORMS = {
    "image": "the path of a file, as text",
    "date": "a date as in 2023-10-31",
    "time": "a time as in 18:05",
    **dict.fromkeys(("total", "subtotal", "tax"), "an amount as in 1234.50"),
    "line_items": "a list of objects with description and total",
}


def _explain(error: ValidationError) -> str:
    """The first problem as a sentence: the field, its value, and what it must look like."""
    first = error.errors(include_url=False, include_context=False)[0]
    if not first["loc"]:
        return f"{first['input']!r} is not a JSON object."
    name = str(first["loc"][0])
    is_missing = first["type"] == "missing"
    fact = f"{name} is missing" if is_missing else f"{name} is {first['input']!r}"
    return f"{fact}. It must be {_FORMS.get(name, 'a text')}."


def similarity(one: str, other: str) -> float:
    """Similarity of the letters and digits of two texts, from 0 to 1."""
    a, b = squash(one), squash(other)
    return SequenceMatcher(None, a, b, autojunk=False).ratio() if a and b else 0.0


def _is_right(name: str, wanted: object, got: object, tolerance: Decimal) -> bool:
    if got is None:
        return False
    if isinstance(wanted, Decimal) and isinstance(got, Decimal):
        return abs(wanted - got) <= tolerance
    if isinstance(wanted, dt.time) and isinstance(got, dt.time):
        return (wanted.hour, wanted.minute) == (got.hour, got.minute)
    if name in {"merchant", "address"}:
        a, b = squash(str(wanted)), squash(str(got))
        is_inside = name == "merchant" and min(len(a), len(b)) >= CONTAINED_CHARACTERS and (a in b or b in a)
        return is_inside or similarity(a, b) >= ALIKE
    return wanted == got


def _item_hits(wanted: Iterable[TrueItem], found: Sequence[tuple[str | None, Decimal | None]]) -> int:
    """How many labelled items match a found one in price and, roughly, in description; each found item matches once."""
    left, hits = list(found), 0
    for item in wanted:
        matches = (row for row in left if row[1] == item.total and similarity(row[0] or "", item.description or "") >= ITEM_ALIKE)
        if match := next(matches, None):
            left.remove(match)
            hits += 1
    return hits
