"""Rows on a paper roll. A row consists of cells, a cell of runs of text, and each run has a role."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from training.render.fonts import FONTS, advance_px


class Role(StrEnum):
    """What a printed word means. `LABEL` marks the words that name a value."""

    MERCHANT = "merchant"
    LEGAL = "legal"
    ADDRESS = "address"
    PHONE = "phone"
    TAX_ID = "tax_id"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    ITEM = "item"
    ITEM_CODE = "item_code"
    ITEM_QUANTITY = "item_quantity"
    ITEM_PRICE = "item_price"
    ITEM_TOTAL = "item_total"
    TAX_CODE = "tax_code"
    SUBTOTAL = "subtotal"
    NET = "net"
    DISCOUNT = "discount"
    SERVICE = "service"
    TAX = "tax"
    TAX_RATE = "tax_rate"
    TAX_BASE = "tax_base"
    TIP = "tip"
    BEFORE_ROUNDING = "before_rounding"
    ROUNDING = "rounding"
    TOTAL = "total"
    PAYMENT = "payment"
    CARD = "card"
    TENDERED = "tendered"
    CHANGE = "change"
    CONVERTED = "converted"
    CURRENCY = "currency"
    LABEL = "label"
    OTHER = "other"


@dataclass(frozen=True)
class Run:
    """Text with one role."""

    text: str
    role: Role = Role.OTHER


@dataclass(frozen=True)
class Cell:
    """Consecutive runs. `column` is the position of their left edge, right edge or centre, depending on `align`."""

    runs: tuple[Run, ...]
    column: float
    align: str = "left"

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True)
class Row:
    """One printed row.

    Attributes:
        size: Font size relative to the body text.
        advance: Height relative to a row of body text.
        graphic: `text`, `bars` (a barcode), `inverse` (white on black) or `line` (a drawn rule).
    """

    cells: tuple[Cell, ...]
    size: float = 1.0
    bold: bool = False
    advance: float = 1.0
    graphic: str = "text"


@dataclass(frozen=True)
class Face:
    """Body font of one receipt, which defines the width of a column."""

    font: str
    size_px: int

    @property
    def column_px(self) -> float:
        """Width of a column: that of any character in a monospaced font, of a typical one in others."""
        width = advance_px(self.font, self.size_px, False, "0")  # noqa: FBT003
        return width if FONTS[self.font].is_mono else width * 0.92

    def width_px(self, text: str, size: float = 1.0, *, bold: bool = False) -> float:
        size_px = max(6, round(self.size_px * size))
        return sum(advance_px(self.font, size_px, bold, character) for character in text)


def label(text: str) -> Run:
    return Run(text, Role.LABEL)


def _split(runs: tuple[Run, ...]) -> list[tuple[Run, ...]]:
    """Split runs at spaces. A word is one run, or several adjacent ones without a space between."""
    words: list[tuple[Run, ...]] = []
    touches = False
    for run in runs:
        for index, piece in enumerate(run.text.split()):
            if index == 0 and touches and not run.text[0].isspace():
                words[-1] = (*words[-1], Run(piece, run.role))
            else:
                words.append((Run(piece, run.role),))
        if run.text:
            touches = bool(words) and not run.text[-1].isspace()
    return words


def _text(runs: tuple[Run, ...]) -> str:
    return "".join(run.text for run in runs)


@dataclass
class Roll:
    """A paper roll of a given width in columns, to which rows are added."""

    face: Face
    columns: int
    rows: list[Row] = field(default_factory=list)

    def fits(self, text: str, columns: float, size: float = 1.0, *, bold: bool = False) -> bool:
        return self.face.width_px(text, size, bold=bold) <= columns * self.face.column_px + 0.5

    def add(self, *cells: Cell, size: float = 1.0, bold: bool = False, graphic: str = "text") -> None:
        self.rows.append(Row(cells, size, bold, max(1.0, size * 1.05), graphic))

    def blank(self, rows: float = 1.0) -> None:
        self.rows.append(Row((), advance=rows))

    def wrap(self, runs: tuple[Run, ...], columns: float, size: float = 1.0, *, bold: bool = False) -> list[tuple[Run, ...]]:
        """Break `runs` into lines no wider than `columns`; single words are never broken."""
        if self.fits(_text(runs), columns, size, bold=bold):
            return [runs]
        lines: list[tuple[Run, ...]] = []
        for word in _split(runs):
            longer = (*lines[-1], Run(" "), *word) if lines else word
            if lines and not self.fits(_text(longer), columns, size, bold=bold):
                lines.append(word)
            else:
                lines[-1:] = [longer]
        return lines or [runs]

    def centre(self, *runs: Run, size: float = 1.0, bold: bool = False, graphic: str = "text") -> None:
        while size > 1 and not all(self.fits(_text(word), self.columns, size, bold=bold) for word in _split(runs)):
            size -= 0.2
        for line in self.wrap(runs, self.columns, size, bold=bold):
            self.add(Cell(line, self.columns / 2, "centre"), size=size, bold=bold, graphic=graphic)

    def left(self, *runs: Run, indent: float = 0, size: float = 1.0, bold: bool = False) -> None:
        for line in self.wrap(runs, self.columns - indent, size, bold=bold):
            self.add(Cell(line, indent), size=size, bold=bold)

    def pair(
        self, first: tuple[Run, ...], second: tuple[Run, ...], *, indent: float = 0, edge: float = 0, size: float = 1.0, bold: bool = False
    ) -> None:
        """Add `first` at the left and `second` ending `edge` columns before the right margin, on one row if both fit."""
        right = self.columns - edge
        joined = "".join(run.text for run in (*first, Run("  "), *second))
        while size > 1 and not self.fits(joined, right - indent, size, bold=bold):
            size -= 0.2
        if self.fits(joined, right - indent, size, bold=bold):
            self.add(Cell(first, indent), Cell(second, right, "right"), size=size, bold=bold)
            return
        room = right - indent - self.face.width_px(_text(second), size, bold=bold) / self.face.column_px - 1.5
        lines = self.wrap(first, max(room, 8), size, bold=bold)
        if max(self.face.width_px(_text(line), size, bold=bold) for line in lines) > room * self.face.column_px:
            self.left(*first, indent=indent, size=size, bold=bold)
            self.add(Cell(second, right, "right"), size=size, bold=bold)
            return
        for line in lines[:-1]:
            self.add(Cell(line, indent), size=size, bold=bold)
        self.add(Cell(lines[-1], indent), Cell(second, right, "right"), size=size, bold=bold)

    def between(self, run: Run, share: float) -> None:
        """Add `run` to the last row so that it ends at `share` of the width; does nothing if it would touch a neighbour."""
        row = self.rows[-1]
        if len(row.cells) != 2:
            return
        left, right = (self.face.width_px(cell.text, row.size, bold=row.bold) / self.face.column_px for cell in row.cells)
        width = self.face.width_px(run.text, row.size, bold=row.bold) / self.face.column_px
        at = self.columns * share
        if row.cells[0].column + left + 1 <= at - width and at + 1 <= row.cells[1].column - right:
            self.rows[-1] = replace(row, cells=(row.cells[0], Cell((run,), at, "right"), row.cells[1]))

    def rule(self, mark: str) -> None:
        """Add a separator row of repeated `mark`; `_` stands for a drawn line, an empty mark for a small gap."""
        if not mark:
            self.blank(0.4)
        elif mark == "_":
            self.rows.append(Row((Cell((Run("-"),), 0),), advance=0.6, graphic="line"))
        else:
            count = int(self.columns * self.face.column_px / self.face.width_px(mark))
            self.add(Cell((Run(mark * max(1, count)),), 0))
