"""Hand-made transcripts: rows of text as OCR would give them, without an image."""

from collections.abc import Sequence

from extractor.ocr.interface import Box, Fragment, Line, Transcript

CHARACTER_PX, ROW_PX = 10.0, 30.0


def transcript(*rows: str | Sequence[tuple[float, str]], width: int = 600) -> Transcript:
    """A page of these rows, top to bottom. A row is a text, which is centred, or its fragments as (left in pixels, text)."""
    lines = []
    for index, row in enumerate(rows):
        top = 20 + index * ROW_PX
        pieces = [((width - len(row) * CHARACTER_PX) / 2, row)] if isinstance(row, str) else row
        fragments = [Fragment(text, Box(left, top, left + len(text) * CHARACTER_PX, top + ROW_PX * 0.8), 0.98) for left, text in pieces]
        lines.append(Line(tuple(fragments)))
    return Transcript(tuple(lines), width, int(40 + len(rows) * ROW_PX), "hand")
