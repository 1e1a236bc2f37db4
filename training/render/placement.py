"""Places rows on a flat sheet of paper: words with boxes, and strings to draw, in pixels."""

from dataclasses import dataclass

from extractor.ocr.transcript import Box
from training.render.rows import Cell, Face, Role, Row

_ASCENT, _DESCENT = 0.93, 0.19  # of the font size, above and below the baseline: measured on the boxes of an OCR engine


@dataclass(frozen=True)
class PlacedWord:
    """One printed word. `is_glued`: no space separates it from the word before."""

    text: str
    box: Box
    role: Role
    row: int
    is_glued: bool = False


@dataclass(frozen=True)
class PrintedText:
    """One string to draw, with its left edge and baseline in pixels of the sheet."""

    text: str
    left: float
    baseline: float
    size_px: int
    bold: bool
    graphic: str
    width: float


@dataclass(frozen=True)
class Sheet:
    """A flat receipt before it is drawn, in pixels. `character_px` is the typical width of a character."""

    width: int
    height: int
    font: str
    character_px: float
    texts: tuple[PrintedText, ...]
    words: tuple[PlacedWord, ...]


def _left_of(cell: Cell, width: float, column_px: float) -> float:
    anchor = cell.column * column_px
    return {"left": anchor, "right": anchor - width, "centre": anchor - width / 2}[cell.align]


def _words(cell: Cell, left: float, baseline: float, face: Face, row: Row, index: int) -> list[PlacedWord]:
    """Split a cell into words. A word that spans several runs becomes one glued word for each run, so that each keeps its role."""
    size_px = max(6, round(face.size_px * row.size))
    found: list[PlacedWord] = []
    text, position = cell.text, 0
    for run in cell.runs:
        for word in run.text.split():
            start = text.index(word, position)
            glued = start > 0 and not text[start - 1].isspace()
            first = left + face.width_px(text[:start], row.size, bold=row.bold)
            last = left + face.width_px(text[: start + len(word)], row.size, bold=row.bold)
            box = Box(first, baseline - _ASCENT * size_px, last, baseline + _DESCENT * size_px)
            found.append(PlacedWord(word, box, run.role, index, glued))
            position = start + len(word)
    return found


def place(rows: tuple[Row, ...], face: Face, columns: int, *, leading: float, margin_columns: float) -> Sheet:
    """Place the rows on a sheet; `leading` is the row height relative to the font size."""
    column_px = face.column_px
    margin = margin_columns * column_px
    y = face.size_px * 1.2
    texts: list[PrintedText] = []
    words: list[PlacedWord] = []
    for index, row in enumerate(rows):
        height = face.size_px * leading * row.advance
        baseline = y + height * 0.5 + face.size_px * row.size * 0.35
        for cell in row.cells:
            width = columns * column_px if row.graphic == "line" else face.width_px(cell.text, row.size, bold=row.bold)
            left = margin + _left_of(cell, width, column_px)
            texts.append(PrintedText(cell.text, left, baseline, max(6, round(face.size_px * row.size)), row.bold, row.graphic, width))
            if row.graphic in ("text", "inverse"):
                words += _words(cell, left, baseline, face, row, index)
        y += height
    return Sheet(round(columns * column_px + 2 * margin), round(y + face.size_px * 1.5), face.font, column_px, tuple(texts), tuple(words))
