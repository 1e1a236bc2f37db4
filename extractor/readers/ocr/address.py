"""Which of a receipt's rows are the merchant's address, and the address without what is printed beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extractor.readers.ocr.header_rows import HeaderRow, is_candidate
from extractor.readers.ocr.trees import trees

WEIGHTS: Final = "header.json"
_SURE, _JOINED = 0.4, 0.2
"""Probability that one piece of an address must have, and from which its neighbours belong to it."""
_STAFF = re.compile(r"\b(?:manager|cashier|server|waiter|operator|invoice no|order no|bill no|terminal|table)\b")
_SKIPPED = 1
"""Rows of something else, such as a tax number, that may stand inside an address."""

_TAIL = re.compile(
    r"[\s,;.|/(-]*\(?\b(?:t[e3]?[l1](?:efon|ephone|no)?|ph(?:one)?|fax|fon|h/?p|mob(?:ile|il)?|hotline|contact|gst|sst|vat|reg|tin|nip|www|e-?mail|\bnif|\bcif|st\.?nr)\b\s?(?:no\b)?[\s.:：#()+]*\(?\+?\s?[\dw@(].*$",
    re.IGNORECASE,
)
_PHONE = re.compile(r"[\s,;.|/]*(?:\(\d{3}\)\s?\d{3}\s?[-. ]?\s?\d{4}|(?<!\d)\d{3}[-.]\d{3}[-.]\d{4}|(?<!\d)0\d{1,2}-\d{7,8})\W*$")
_HEAD = re.compile(r"^\W*(?:add(?:ress)?|adresse|alamat|adresa|地址|店铺地址|hq add|h\.q\.?)\s?[:：.]\s*", re.IGNORECASE)
_EDGE = re.compile(r"^[\s,;:.*_=~|-]+|[\s,;:*_=~|-]+$")


def clean_piece(text: str) -> str:
    """A stretch of an address alone: without its label, and without phone and tax numbers that follow on the same row."""
    piece = _HEAD.sub("", text)
    piece = _PHONE.sub("", _TAIL.sub("", piece))
    return " ".join(_EDGE.sub("", piece).split())


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
    usable = [index for index in kept if _is_possible(rows[index]) and index not in named]
    runs = [run for run in _runs([index for index in usable if chances[index] >= _JOINED]) if max(chances[index] for index in run) >= _SURE]
    if not runs:
        return None
    best = max(runs, key=lambda run: _worth(run, chances, merchant))
    confidence = float(np.prod([max(chances[index], 1 - chances[index]) for index in range(best[0], best[-1] + 1) if index in chances]))
    text = ", ".join(clean_piece(rows[index].text) for index in best)
    return Address(tuple(rows[index] for index in best), text, confidence)


def _is_possible(row: HeaderRow) -> bool:
    """Whether the piece can be part of an address at all: no web address, number of a register, time, or label of the till."""
    if not clean_piece(row.text) or row.classes & {"amount", "date", "time"} or _STAFF.search(row.folded):
        return False
    is_place = bool(row.classes & {"street", "postal", "place", "region", "house"})
    return is_place or not row.classes & {"web", "registration", "title", "phone"}


def _runs(indices: Sequence[int]) -> list[tuple[int, ...]]:
    """The indices in groups that follow each other, at most `_SKIPPED` apart."""
    runs: list[tuple[int, ...]] = []
    for index in indices:
        if runs and index - runs[-1][-1] <= 1 + _SKIPPED:
            runs[-1] = (*runs[-1], index)
        else:
            runs.append((index,))
    return runs


def _worth(run: Sequence[int], chances: dict[int, float], merchant: Sequence[HeaderRow]) -> float:
    """How much speaks for a run: what its pieces say, less for its distance from the merchant's name."""
    distance = min((abs(index - row.index) for index in run for row in merchant), default=0)
    return sum(chances[index] for index in run) - 0.1 * distance
