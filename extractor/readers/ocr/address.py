"""Which of a receipt's rows are the merchant's address, and the address without what is printed beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extractor.readers.ocr.header_rows import HeaderRow, is_candidate
from extractor.readers.ocr.names import mend_words
from extractor.readers.ocr.trees import trees

WEIGHTS: Final = "header.json"
_SURE, _ALONE, _BESIDE, _ABOVE, _COMPLETE = 0.45, 0.8, 0.3, 0.12, 0.6
"""Probabilities: of a piece that starts an address, of one that does not even look like a place, of neighbours, of such above that
look like a place, and of such below an address that is complete."""
_NEVER, _MOST_DIGITS = 2.0, 16
# A postal code with its town; five digits in a row that begins with LOT or NO are a plot.
_TOWN = re.compile(r"\b(?:\d{5},? [^\W\d_]{3}|\d{2}-\d{3} [^\W\d_]|\d{4} [a-z]{2} [a-z]{3}|\d{3} \d{2} [^\W\d_]{3})")
_PLOT = re.compile(r"^\W*(?:lot|no|unit|blk|pt|p\.t|ptd)\b")
_PLACES = frozenset({"street", "postal", "place", "region", "house"})
_OTHER = re.compile(
    r"\b(?:manager|cashier|server|waiter|operator|inv(?:oice|olce)?\.? ?no|order no|bill no|terminal ?(?:id|no|\W)|table ?(?:no|\W))"
    r"|^\W*(?:store|cafe|branch|filiale|outlet) ?(?:number|no|nr|#)?\W{0,3}\d+\W*$|^\w+\W{1,3}\d{3}-\d{4}\b"
    r"|\b(?:vat|gst|sst|abn|tin|nip)\w{0,3}\b.*\d{3}|\(#\d|^\W*outlet\W|: ?1[38]00\b"
)
_TAIL = re.compile(
    r"[\s,;.|/(-]*\(?\b(?:t[e3]?[l1](?:efon|ephone|no)?|ph(?:one)?|fax|fon|h/?p|mob(?:ile|il)?|hotline|contact|gst|sst|vat|reg|tin|nip|www|e-?mail"
    r"|\bnif|\bcif|st\.?nr)\b\s?(?:no\b)?[\s.:：#()+]*\(?\+?\s?[\dw@(].*$",
    re.IGNORECASE,
)
_PHONE = re.compile(r"[\s,;.|/]*(?:\(\d{3}\)\s?\d{3}\s?[-. ]?\s?\d{4}|(?<!\d)\d{3}[-.]\d{3}[-.]\d{4}|(?<!\d)0\d{1,2}-\d{7,8})\W*$")
_HEAD = re.compile(r"^\W*(?:add(?:ress)?|adresse|alamat|adresa|地址|店铺地址|hq add|h\.q\.?)\s?[:：.]\s*", re.IGNORECASE)
_EDGE = re.compile(r"^[\s,;:.*_=~|-]+|[\s,;:*_=~|-]+$")


def clean_piece(text: str) -> str:
    """A stretch of an address alone: without its label, and without phone and tax numbers that follow on the same row."""
    piece = _HEAD.sub("", text)
    piece = _PHONE.sub("", _TAIL.sub("", piece))
    return mend_words(" ".join(_EDGE.sub("", piece).split()))


@dataclass(frozen=True)
class Address:
    """The pieces of the address in print order, its text on one line, and the probability that it is all of it and nothing else."""

    rows: tuple[HeaderRow, ...]
    text: str
    confidence: float


def find_address(rows: Sequence[HeaderRow], matrix: np.ndarray, merchant: Sequence[HeaderRow]) -> Address | None:
    """The merchant's address; `None` where none is printed.

    Args:
        rows: All pieces of the receipt.
        matrix: Their features, from `header_features.features`.
        merchant: The pieces that name the merchant; of two addresses the one nearer to them counts.
    """
    named = {row.index for row in merchant}
    kept = [index for index in range(len(rows)) if is_candidate(index, len(rows))]
    if not kept:
        return None
    chances = dict(zip(kept, trees(WEIGHTS, "address").probabilities(matrix[kept]), strict=True))
    usable = [index for index in kept if _is_possible(rows[index]) and (index not in named or chances[index] >= _COMPLETE)]
    anchors = [index for index in usable if chances[index] >= (_SURE if rows[index].classes & _PLACES else _ALONE)] or _best_guess(
        usable, rows, chances
    )
    if not anchors:
        return None
    runs = {_grown(index, usable, rows, chances) for index in anchors}
    best = max(runs, key=lambda run: (_worth(run, chances, merchant), run))
    confidence = float(np.prod([max(chances[index], 1 - chances[index]) for index in range(best[0], best[-1] + 1) if index in chances]))
    text = ", ".join(clean_piece(rows[index].text) for index in best)
    return Address(tuple(rows[index] for index in best), text, confidence)


def _best_guess(usable: Sequence[int], rows: Sequence[HeaderRow], chances: Mapping[int, float]) -> list[int]:
    """The likeliest piece that looks like a street or a place, where none is sure."""
    likely = [index for index in usable if rows[index].classes & _PLACES and chances[index] >= _ABOVE]
    return [max(likely, key=lambda index: chances[index])] if likely else []


def _grown(anchor: int, usable: Sequence[int], rows: Sequence[HeaderRow], chances: Mapping[int, float]) -> tuple[int, ...]:
    """The run of pieces around a sure one that belong to the same address.

    Upwards, a house number may look like anything, and a second town is another address; downwards, an address with its postal code is
    complete but for a region or a country.
    """
    run = [anchor]
    for step in (-1, 1):
        at = anchor
        while True:
            has_town = any(_names_town(rows[index]) for index in run)
            following = _next(at, step, usable, rows, chances, may_skip=not has_town)
            if following is None or chances[following] < _needed(rows[following], step, has_town=has_town):
                break
            run.append(following)
            at = following
    return tuple(sorted(run))


def _names_town(row: HeaderRow) -> bool:
    """Whether a piece has a town with its postal code or its state."""
    return "region" in row.classes or (bool(_TOWN.search(row.folded)) and not _PLOT.search(row.folded))


def _needed(row: HeaderRow, step: int, *, has_town: bool) -> float:
    """The probability from which a piece belongs to the address above (`step` 1) or below (`step` -1) it."""
    if has_town and (_names_town(row) if step == -1 else row.classes & {"street", "house"}):
        return _NEVER
    if step == 1:
        return _COMPLETE if has_town else _BESIDE
    return _ABOVE if "street" in row.classes or row.text.lstrip()[:1].isdigit() else _BESIDE


def _next(
    at: int, step: int, usable: Sequence[int], rows: Sequence[HeaderRow], chances: Mapping[int, float], *, may_skip: bool
) -> int | None:
    """The next usable piece in a direction; a number of a register or a phone may stand before a sure one."""
    if at + step in usable:
        return at + step
    beyond = at + 2 * step
    skipped = rows[at + step] if 0 <= at + step < len(rows) else None
    is_number = skipped is not None and may_skip and bool(skipped.classes & {"registration", "phone"})
    is_noise = skipped is not None and skipped.letters + skipped.digits < 3
    return beyond if (is_number or is_noise) and beyond in usable and chances[beyond] >= _SURE else None


def _is_possible(row: HeaderRow) -> bool:
    """Whether the piece can be part of an address at all: no web address, number of a register or shop, company, time, or till's label."""
    is_when = bool(row.classes & {"date", "time"}) and not row.classes & {"street", "house"}
    if not clean_piece(row.text) or row.digits > _MOST_DIGITS or "amount" in row.classes or is_when or _OTHER.search(row.folded):
        return False
    if "legal" in row.classes and not row.classes & {"street", "house", "postal"}:
        return False
    return bool(row.classes & _PLACES) or not row.classes & {"web", "registration", "title", "phone"}


def _worth(run: Sequence[int], chances: Mapping[int, float], merchant: Sequence[HeaderRow]) -> float:
    """How much speaks for a run: what its pieces say, less for its distance from the merchant's name."""
    distance = min((abs(index - row.index) for index in run for row in merchant), default=0)
    return sum(chances[index] for index in run) - 0.1 * distance
