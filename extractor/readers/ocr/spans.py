"""A stretch of a row's text becomes evidence: the text, its page, its box."""

from extractor.ocr.interface import Box, Line
from extractor.readers.interface import Evidence


def box_of(line: Line, start: int, end: int) -> Box:
    """The box of `line.text[start:end]` (at least one character of print), cut from its fragments in proportion to the characters."""
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
    """The lowest OCR confidence of the fragments that print `line.text[start:end]`."""
    lowest, offset = 1.0, 0
    for fragment in line.fragments:
        if max(start, offset) < min(end, offset + len(fragment.text)):
            lowest = min(lowest, fragment.confidence)
        offset += len(fragment.text) + 1
    return lowest


def evidence_of(line: Line, start: int, end: int, *, page: int, confidence: float) -> Evidence:
    """Evidence for `line.text[start:end]` on that page, with a calibrated confidence."""
    return Evidence(line.text[start:end], page, box_of(line, start, end), round(confidence, 4))
