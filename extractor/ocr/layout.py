"""Groups fragments into text rows, in reading order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from extractor.ocr.transcript import Fragment, Line

MAX_SLOPE = 0.1  # about 6 degrees; far more than remains after a page was deskewed
MAX_BOW = 0.03  # height of the arc that curved paper makes of a row, as a share of the page's width
ALIGNED = 0.5  # offset of neighbours on a row, in heights; rows are at least 0.8 of a box's height apart
TOUCHING = 0.6  # engines widen boxes: neighbours on a row overlap by up to this share of their height
FAR = 0.01  # cost of each height of distance; an offset of a whole height costs 1


def to_lines(fragments: Sequence[Fragment]) -> tuple[Line, ...]:
    """Return the text rows of a page, top to bottom, each with its fragments left to right.

    Rows may slope and bow a little. A tall fragment (a total in large print) joins the one row whose middle or base line is closest to its
    own. Fragments above one another never share a row.

    Args:
        fragments: In any order; those without text are dropped.
    """
    pieces = _flatten([fragment for fragment in fragments if fragment.text.strip()])
    rows = {index: [piece] for index, piece in enumerate(pieces)}
    row_of = list(range(len(pieces)))
    for _, left, right in sorted(_candidates(pieces)):
        one, other = row_of[left], row_of[right]
        if one == other:
            continue
        joined = sorted(rows[one] + rows[other], key=lambda piece: piece.left)
        if all(_offset(a, b) <= ALIGNED for a, b in pairwise(joined)):
            rows[one] = joined
            del rows[other]
            row_of = [one if row == other else row for row in row_of]
    ordered = sorted(rows.values(), key=_row_middle)
    return tuple(Line(tuple(piece.fragment for piece in row)) for row in ordered)


@dataclass(frozen=True)
class _Piece:
    """A fragment as it would lie on flat, level paper: its vertical position is corrected for the slope and bow of the page."""

    fragment: Fragment
    middle: float
    height: float

    @property
    def left(self) -> float:
        return self.fragment.box.left

    @property
    def right(self) -> float:
        return self.fragment.box.right

    @property
    def bottom(self) -> float:
        return self.middle + self.height / 2


def slope_of(fragments: Sequence[Fragment]) -> float:
    """Return the slope of a page's rows: pixels down for each pixel to the right."""
    boxes = np.array([fragment.box for fragment in fragments], dtype=float)
    left, top, right, bottom = boxes.T
    return _find_bend((left + right) / 2, (top + bottom) / 2, float(np.median(bottom - top)))[0]


def _flatten(fragments: Sequence[Fragment]) -> list[_Piece]:
    if not fragments:
        return []
    boxes = np.array([fragment.box for fragment in fragments], dtype=float)
    left, top, right, bottom = boxes.T
    x, y = (left + right) / 2, (top + bottom) / 2
    slope, bow, centre, span = _find_bend(x, y, float(np.median(bottom - top)))
    flat = y - slope * x - bow * ((x - centre) / span) ** 2
    # A sloping row's upright box is higher than its print by the rise over its width.
    heights = np.maximum(bottom - top - abs(slope) * (right - left), 0.5 * (bottom - top))
    return [_Piece(fragment, float(m), max(1.0, float(h))) for fragment, m, h in zip(fragments, flat, heights, strict=True)]


def _find_bend(x: np.ndarray, y: np.ndarray, height: float) -> tuple[float, float, float, float]:
    """Return slope, bow in pixels, centre and half width of the page for which the fragments fall into the fewest, tightest rows."""
    centre, span = float((x.min() + x.max()) / 2), max(1.0, float(x.max() - x.min()) / 2)
    if len(x) < 3:
        return 0.0, 0.0, centre, span
    slopes = np.linspace(-MAX_SLOPE, MAX_SLOPE, 81)
    bows = np.linspace(-MAX_BOW, MAX_BOW, 13) * 2 * span
    grid_slope, grid_bow = (grid.ravel()[:, None] for grid in np.meshgrid(slopes, bows))
    flat = np.sort(y - grid_slope * x - grid_bow * ((x - centre) / span) ** 2, axis=1)
    spread = np.minimum(np.diff(flat, axis=1), height / 2).sum(axis=1)
    # Of equally good ones, the least bent: with few fragments almost any bend fits.
    bend = np.abs(grid_slope[:, 0]) * 2 * span + np.abs(grid_bow[:, 0])
    best = int(np.argmin(spread + 0.05 * len(x) * bend / (2 * span) * height))
    return float(grid_slope[best, 0]), float(grid_bow[best, 0]), centre, span


def _candidates(pieces: Sequence[_Piece]) -> list[tuple[float, int, int]]:
    """Return pairs that may share a row, as (cost, left index, right index)."""
    pairs = []
    middles, bottoms, heights = np.array([(piece.middle, piece.bottom, piece.height) for piece in pieces], dtype=float).reshape(-1, 3).T
    for i, a in enumerate(pieces):
        # Pages have thousands of pieces, of which few are near this one's height on the page.
        apart = np.minimum(abs(middles - a.middle), abs(bottoms - a.bottom)) / np.minimum(heights, a.height)
        for j in map(int, np.flatnonzero(apart <= ALIGNED)):
            b = pieces[j]
            if i != j and (a.left, i) <= (b.left, j) and (offset := _offset(a, b)) <= ALIGNED:
                gap = max(0.0, b.left - a.right) / min(a.height, b.height)
                pairs.append((offset + FAR * gap, i, j))
    return pairs


def _offset(a: _Piece, b: _Piece) -> float:
    """Return the vertical offset of `a` and its right neighbour `b`, in heights of the lower one; infinite if they overlap horizontally."""
    height = min(a.height, b.height)
    if a.right - b.left > min(TOUCHING * height, 0.5 * (a.right - a.left), 0.5 * (b.right - b.left)):
        return float("inf")
    return min(abs(a.middle - b.middle), abs(a.bottom - b.bottom)) / height


def _row_middle(row: Sequence[_Piece]) -> float:
    """Return the vertical centre of a row, weighted by the widths of its pieces."""
    widths = [piece.right - piece.left for piece in row]
    return sum(piece.middle * width for piece, width in zip(row, widths, strict=True)) / max(1e-9, sum(widths))
