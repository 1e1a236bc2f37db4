"""Builds transcripts for tests from rows of text, without an image."""

import re
import unicodedata
from collections.abc import Sequence

from extractor.ocr.transcript import Box, Fragment, Line, Transcript

CHARACTER_PX, ROW_PX = 10.0, 30.0


def transcript(*rows: str | Sequence[tuple[float, str]], width: int = 600) -> Transcript:
    """Return a page with these rows. A row is a centred text, or a list of fragments as (left edge in pixels, text)."""
    lines = []
    for index, row in enumerate(rows):
        top = 20 + index * ROW_PX
        pieces = [((width - len(row) * CHARACTER_PX) / 2, row)] if isinstance(row, str) else row
        fragments = [Fragment(text, Box(left, top, left + len(text) * CHARACTER_PX, top + ROW_PX * 0.8), 0.98) for left, text in pieces]
        lines.append(Line(tuple(fragments)))
    return Transcript(tuple(lines), width, int(40 + len(rows) * ROW_PX), "hand")


def typed(text: str) -> Transcript:
    """Return a page in a monospaced font; two or more spaces separate the fragments of a row."""
    rows = [_columns(row) for row in text.strip("\n").splitlines()]
    return transcript(*rows)


def _columns(row: str) -> list[tuple[float, str]]:
    return [(20 + CHARACTER_PX * _width(row[: match.start()]), match.group()) for match in re.finditer(r"\S+(?: \S+)*", row)]


def _width(text: str) -> int:
    """Width of a text in columns; combining marks, such as those of Thai, have none."""
    return sum(not unicodedata.combining(character) and unicodedata.category(character) != "Mn" for character in text)
