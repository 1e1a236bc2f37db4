"""Fragments are put on the rows they were printed on."""

import math

import pytest

from extractor.ocr.layout import to_lines
from extractor.ocr.transcript import Box, Fragment

ROWS = (
    ("BAKERY NORTH",),
    ("12 Mill Lane", "Oldtown"),
    ("Bread", "2", "3.50", "7.00"),
    ("Rolls with poppy seed", "6", "0.40", "2.40"),
    ("Tea", "1", "1.90", "1.90"),
    ("SUBTOTAL", "11.30"),
    ("VAT 7%", "0.79"),
    ("TOTAL", "12.09"),
    ("Thank you",),
)
COLUMNS = (40, 330, 430, 530)


def printed(*, pitch: float = 26, height: float = 24, degrees: float = 0, bow: float = 0) -> list[Fragment]:
    """`ROWS` as an engine would report them from a page that is turned and bowed."""
    fragments = []
    for number, row in enumerate(ROWS):
        columns = (COLUMNS[0],) if len(row) == 1 else (COLUMNS[0], *COLUMNS[-(len(row) - 1) :])
        for left, text in zip(columns, row, strict=True):
            width = len(text) * 11
            x, slope = left + width / 2, math.tan(math.radians(degrees))
            middle = 100 + number * pitch + slope * x + bow * (1 - ((x - 320) / 280) ** 2)
            half = (height + abs(slope) * width) / 2
            fragments.append(Fragment(text, Box(left, middle - half, left + width, middle + half), 0.9))
    return fragments


def texts(fragments: list[Fragment]) -> list[tuple[str, ...]]:
    return [tuple(fragment.text for fragment in line.fragments) for line in to_lines(fragments)]


@pytest.mark.parametrize("degrees", [-4, -2, -0.7, 0, 1, 3, 4])
@pytest.mark.parametrize("bow", [-12, 0, 12])
def test_rows_survive_tilt_and_bow(degrees: float, bow: float) -> None:
    """Rows are separated on a page that is tilted by up to four degrees and bowed, in whatever order the engine reports."""
    fragments = printed(degrees=degrees, bow=bow)
    assert texts(fragments[1::2] + fragments[::2]) == list(ROWS)


def test_tight_rows_stay_apart() -> None:
    """Rows whose boxes overlap by a fifth are not merged."""
    assert texts(printed(pitch=20, height=25)) == list(ROWS)


def test_tall_amount_joins_the_label_on_its_base_line() -> None:
    """A total in print of twice the size joins its label, not the row above that it also touches."""
    small = [Fragment("Rounding", Box(40, 100, 140, 120), 0.9), Fragment("Total", Box(40, 126, 110, 146), 0.9)]
    tall = Fragment("12.10", Box(400, 106, 560, 148), 0.9)
    assert texts([tall, *small]) == [("Rounding",), ("Total", "12.10")]


def test_tall_amount_beside_two_rows_takes_one() -> None:
    """A tall amount between two labels never merges them."""
    small = [Fragment("Total", Box(40, 100, 110, 120), 0.9), Fragment("incl. VAT", Box(40, 122, 150, 142), 0.9)]
    tall = Fragment("12.10", Box(400, 100, 560, 142), 0.9)
    rows = texts([*small, tall])
    assert len(rows) == 2
    assert sorted(len(row) for row in rows) == [1, 2]


def test_one_above_the_other_never_share_a_row() -> None:
    """Fragments in one column are rows of their own, however close."""
    column = [Fragment(str(n), Box(40, 100 + 6 * n, 140, 120 + 6 * n), 0.9) for n in range(5)]
    assert texts(column) == [("0",), ("1",), ("2",), ("3",), ("4",)]


def test_blank_fragments_and_nothing_at_all() -> None:
    """Fragments without text vanish; a page without text has no lines."""
    assert texts([]) == []
    assert texts([Fragment("  ", Box(0, 0, 10, 10), 0.9)]) == []
