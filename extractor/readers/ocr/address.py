"""Which of a receipt's rows are the merchant's address, and the address without what is printed beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extractor.readers.ocr.header_rows import HeaderRow, is_candidate
from extractor.readers.ocr.trees import trees

WEIGHTS: Final = "header.json"
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


def find_address(rows: Sequence[HeaderRow], matrix: np.ndarray, merchant: HeaderRow | None) -> Address | None:
    """The merchant's address; `None` where none is printed.

    Args:
        rows: All pieces of the receipt.
        matrix: Their features, from `header_features.features`.
        merchant: The piece that names the merchant; of two addresses the one nearer to it counts.
    """
    kept = [index for index in range(len(rows)) if is_candidate(index, len(rows))]
    if not kept:
        return None
    chances = dict(zip(kept, trees(WEIGHTS, "address").probabilities(matrix[kept]), strict=True))
    runs = _runs([index for index in kept if chances[index] >= 0.5 and clean_piece(rows[index].text)])
    if not runs:
        return None
    best = max(runs, key=lambda run: _worth(run, chances, merchant))
    confidence = float(np.prod([chances[index] for index in best]))
    text = ", ".join(clean_piece(rows[index].text) for index in best)
    return Address(tuple(rows[index] for index in best), text, confidence)


def _runs(indices: Sequence[int]) -> list[tuple[int, ...]]:
    """The indices in groups that follow each other, at most `_SKIPPED` apart."""
    runs: list[tuple[int, ...]] = []
    for index in indices:
        if runs and index - runs[-1][-1] <= 1 + _SKIPPED:
            runs[-1] = (*runs[-1], index)
        else:
            runs.append((index,))
    return runs


def _worth(run: Sequence[int], chances: dict[int, float], merchant: HeaderRow | None) -> float:
    """How much speaks for a run: what its pieces say, less for its distance from the merchant's name."""
    distance = 0 if merchant is None else min(abs(index - merchant.index) for index in run)
    return sum(chances[index] for index in run) - 0.1 * distance
