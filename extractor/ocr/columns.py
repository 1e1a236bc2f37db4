"""Splits columns of short words that an engine merged into one tall word, by reading them again row by row.

Where rows are tightly spaced, engines merge the digits of a narrow column (`5`, `5`, `4`, `6`, `1` become `55461`) and miss its amounts.
Enlarging the column does not help; blank space between its rows does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from PIL import Image

from extractor.ocr.layout import slope_of
from extractor.ocr.transcript import Box, Fragment

# Unless noted otherwise, in multiples of the page's text height, the median height of its boxes.
TALL = 1.8  # a box at least this high may hold several rows
NARROW = 1.5  # height to width of a box, above which it is a column rather than large print
WIDE_LEFT, WIDE_RIGHT = 1.5, 4.0  # space beside the column that is read again: the other half of an amount, a tax letter
ROW = 1.3  # maximum height of a row
SHORT = 6.0  # fragments up to this width that reach into the column are read again whole
GAP = 0.9  # space between the rows of the sheet
READABLE_PX, MAX_ENLARGE = 32, 3.0  # text height that the sheet is enlarged to, and by how much at most

Read = Callable[[Image.Image], Sequence[Fragment]]


def reread_columns(image: Image.Image, fragments: Sequence[Fragment], read: Read) -> list[Fragment]:
    """Return the fragments of an upright page, with those that cover several rows replaced by one fragment per row.

    Args:
        read: Returns the fragments of an image, boxes in its pixels. Called at most once, and only if a tall box covers several rows.
    """
    if not fragments:
        return []
    height = median(fragment.box.height for fragment in fragments)
    tall = [fragment for fragment in fragments if _is_tall(fragment, height)]
    others = [fragment for fragment in fragments if fragment not in tall]
    slope = slope_of(fragments) if tall else 0.0
    columns = [fragment for fragment in tall if len(_rows_beside(fragment.box, others, height, slope)) > 1]
    if not columns:
        return list(fragments)
    sheet = _Sheet.of(image, columns, others, height, slope)
    found = [mapped for fragment in read(sheet.image) if (mapped := sheet.to_page(fragment)) is not None]
    kept = [fragment for fragment in fragments if fragment not in columns]
    cut_off = [fragment.box for fragment in kept if any(fragment.box.left < x < fragment.box.right for x in (sheet.left, sheet.right))]
    return kept + [fragment for fragment in found if not any(_overlaps_in_row(fragment.box, box) for box in cut_off)]


def _is_tall(fragment: Fragment, height: float) -> bool:
    box = fragment.box
    return len(fragment.text) > 1 and box.height > TALL * height and box.height > NARROW * box.width


def _crosses(box: Box, x: float, around: Box) -> bool:
    return box.left < x < box.right and around.top < box.middle < around.bottom


def _overlaps_in_row(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and abs(one.middle - other.middle) < one.height / 2


def _rows_beside(column: Box, others: Sequence[Fragment], height: float, slope: float) -> list[float]:
    """Return the vertical middles, at the column, of the text rows that it covers; top to bottom."""
    middle = (column.left + column.right) / 2
    rows_seen = []
    for fragment in others:
        box = fragment.box
        if box.height <= ROW * 1.3 * height and box.width > height:
            y = box.middle + slope * (middle - (box.left + box.right) / 2)
            if column.top - height / 2 <= y <= column.bottom + height / 2:
                rows_seen.append((y, box.width))
    rows: list[list[tuple[float, float]]] = []
    for y, width in sorted(rows_seen):
        if rows and y - rows[-1][-1][0] < height / 2:
            rows[-1].append((y, width))
        else:
            rows.append([(y, width)])
    return [sum(y * width for y, width in row) / sum(width for _, width in row) for row in rows]


@dataclass(frozen=True)
class _Sheet:
    """Strips of a page, one per row, pasted below one another with blank space between them."""

    image: Image.Image
    tops: tuple[int, ...]
    left: int
    right: int
    strip_px: int
    gap_px: int
    enlarge: float

    @classmethod
    def of(cls, page: Image.Image, columns: Sequence[Fragment], others: Sequence[Fragment], height: float, slope: float) -> "_Sheet":
        around = Box.around([fragment.box for fragment in columns])
        left, right = around.left - WIDE_LEFT * height, min(page.width, around.right + WIDE_RIGHT * height)
        cut = [fragment.box for fragment in others if _crosses(fragment.box, left, around) and fragment.box.width < SHORT * height]
        left, right = max(0, round(min([left, *(box.left - height / 2 for box in cut)]))), round(right)
        middles = sorted({y for fragment in columns for y in _rows_beside(fragment.box, others, height, slope)})
        rows = [y for y, above in zip(middles, [-height, *middles], strict=False) if y - above >= height / 2] or middles[-1:]
        # Where rows slope over the edge of the page, a single one may be left.
        pitch = median([below - above for above, below in pairwise(rows)] or [ROW * height])
        strip, gap = max(4, round(min(pitch, ROW * height))), max(4, round(GAP * height))
        tops = tuple(round(y - strip / 2) for y in rows)
        paper = page.resize((1, 1), Image.Resampling.BOX)
        sheet = paper.resize((right - left + 2 * gap, gap + len(rows) * (strip + gap)))
        for number, top in enumerate(tops):
            sheet.paste(page.crop((left, top, right, top + strip)), (gap, gap + number * (strip + gap)))
        enlarge = min(MAX_ENLARGE, max(1.0, READABLE_PX / height))
        size = (round(sheet.width * enlarge), round(sheet.height * enlarge))
        return cls(sheet.resize(size, Image.Resampling.LANCZOS), tops, left, right, strip, gap, enlarge)

    def to_page(self, fragment: Fragment) -> Fragment | None:
        """Map a fragment of the sheet to the page; `None` where it lies across rows."""
        top, bottom = fragment.box.top / self.enlarge, fragment.box.bottom / self.enlarge
        number = int(((top + bottom) / 2 - self.gap_px / 2) // (self.strip_px + self.gap_px))
        if not 0 <= number < len(self.tops) or bottom - top > self.strip_px + self.gap_px:
            return None
        shift = self.tops[number] - self.gap_px - number * (self.strip_px + self.gap_px)
        left, right = (x / self.enlarge + self.left - self.gap_px for x in (fragment.box.left, fragment.box.right))
        return replace(fragment, box=Box(left, top + shift, right, bottom + shift))
