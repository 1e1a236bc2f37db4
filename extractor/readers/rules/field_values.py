"""Values of some answer fields with their evidence, and the position of a stretch of text on its row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from extractor.ocr.transcript import Box, Line
from extractor.readers.base import Evidence


@dataclass(frozen=True)
class FieldValues:
    """Some fields of a `ReceiptAnswer` with their evidence.

    Attributes:
        values: By field name of `ReceiptAnswer`: plain JSON values, text as printed. Fields that were not found are left out.
        evidence: By field path (`total`, `items[0].total_price`).
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)


def box_of(line: Line, start: int, end: int) -> Box:
    """Return the box of `line.text[start:end]`, cut from its fragments by characters; that of the whole row where it is blank."""
    boxes, offset = [], 0
    for fragment in line.fragments:
        first, last = max(start - offset, 0), min(end - offset, len(fragment.text))
        if first < last:
            per_character = fragment.box.width / max(1, len(fragment.text))
            left = fragment.box.left + first * per_character
            boxes.append(Box(left, fragment.box.top, fragment.box.left + last * per_character, fragment.box.bottom))
        offset += len(fragment.text) + 1
    return Box.around(boxes) if boxes else line.box


def confidence_of(line: Line, start: int, end: int) -> float:
    """Return the lowest OCR confidence of the fragments that print `line.text[start:end]`."""
    lowest, offset = 1.0, 0
    for fragment in line.fragments:
        if max(start, offset) < min(end, offset + len(fragment.text)):
            lowest = min(lowest, fragment.confidence)
        offset += len(fragment.text) + 1
    return lowest


def evidence_of(line: Line, start: int, end: int, *, page: int, confidence: float) -> Evidence:
    """Return evidence for `line.text[start:end]` on that page, with a calibrated confidence."""
    return Evidence(line.text[start:end], page, box_of(line, start, end), round(confidence, 4))
