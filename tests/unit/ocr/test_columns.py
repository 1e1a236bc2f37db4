"""Columns that an engine merged are read again row by row."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from extractor.ocr.columns import reread_columns
from extractor.ocr.layout import to_lines
from extractor.ocr.transcript import Box, Fragment

PITCH, HEIGHT, TOP, LEFT = 26, 20, 40, 420
# Each is drawn as a bar that is as many pixels long.
PRICES = ("15", "25", "35", "45", "55")


def page() -> Image.Image:
    """Rows of a name, and a bar for each price."""
    image = Image.new("RGB", (600, 300), "white")
    draw = ImageDraw.Draw(image)
    for number, price in enumerate(PRICES):
        top = TOP + number * PITCH
        draw.rectangle((40, top, 40 + 120, top + HEIGHT), "gray")
        draw.rectangle((LEFT, top, LEFT + int(price), top + HEIGHT), "black")
    return image


def names() -> list[Fragment]:
    boxes = (Box(40, TOP + number * PITCH, 160, TOP + number * PITCH + HEIGHT) for number in range(len(PRICES)))
    return [Fragment(f"WARE {'ABCDE'[number]}", box, 0.95) for number, box in enumerate(boxes)]


def joined(text: str = "12345") -> Fragment:
    """One box over all prices."""
    return Fragment(text, Box(LEFT - 2, TOP - 2, LEFT + 40, TOP + 4 * PITCH + HEIGHT + 2), 0.6)


class BarReader:
    """Reads black bars: the text is their length in pixels of the page. Bars that touch are read as one."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: Image.Image) -> Sequence[Fragment]:
        self.calls += 1
        scale = 32 / HEIGHT  # the sheet's print is enlarged to 32 pixels
        dark = np.asarray(image.convert("L")) < 100
        rows = np.flatnonzero(np.diff(np.concatenate([[0], dark.any(axis=1).astype(int), [0]])))
        found = []
        for top, bottom in zip(rows[::2], rows[1::2], strict=True):
            columns = np.flatnonzero(dark[top:bottom].any(axis=0))
            left, right = float(columns[0]), float(columns[-1] + 1)
            found.append(Fragment(str(round((right - left) / scale / 10) * 10 - 5), Box(left, float(top), right, float(bottom)), 0.9))
        return found


def test_a_joined_column_is_read_row_by_row() -> None:
    """One tall box over five rows becomes five fragments, each on its row and where it was printed."""
    found = reread_columns(page(), [*names(), joined()], BarReader())
    rows = [[fragment.text for fragment in line.fragments] for line in to_lines(found)]
    assert [row[0] for row in rows] == [name.text for name in names()]
    assert all(len(row) == 2 for row in rows)
    prices = [fragment for fragment in found if fragment not in names()]
    assert all(abs(one.box.left - LEFT) < 3 for one in prices)
    assert [abs(one.box.middle - name.box.middle) < 3 for one, name in zip(prices, names(), strict=True)] == [True] * 5


def test_nothing_is_read_again_without_a_joined_column() -> None:
    """Large print and a tall word beside a single row cost no further reading."""
    reader = BarReader()
    logo = Fragment("SHOP", Box(40, 0, 300, 60), 0.9)
    beside = Fragment("II", Box(LEFT, TOP + 200, LEFT + 10, TOP + 240), 0.5)
    fragments = [*names(), logo, beside]
    assert reread_columns(page(), fragments, reader) == fragments
    assert reader.calls == 0
    assert reread_columns(page(), [], reader) == []


def test_words_that_the_sheet_cuts_are_left_as_they_were() -> None:
    """A long name that reaches into the column is kept, and its end is not read as another word."""
    long = [Fragment(name.text, Box(40, name.box.top, LEFT - 4, name.box.bottom), 0.95) for name in names()]

    class EndReader(BarReader):
        def __call__(self, image: Image.Image) -> Sequence[Fragment]:
            seen = super().__call__(image)
            return [*seen, *(Fragment("RE", Box(18, one.box.top, 30, one.box.bottom), 0.9) for one in seen)]

    found = reread_columns(page(), [*long, joined()], EndReader())
    assert [fragment for fragment in found if fragment.text.startswith("WARE")] == long
    assert "RE" not in {fragment.text for fragment in found}


def test_a_column_over_the_edge_of_the_page_is_no_error() -> None:
    """Rows may lie above the page's edge, where its paper was turned; the rest is read all the same."""
    over = [Fragment("WARE A", Box(40, -60, 160, -40), 0.95), Fragment("WARE B", Box(40, -32, 160, -12), 0.95)]
    column = Fragment("12", Box(LEFT - 2, -62, LEFT + 30, -10), 0.6)
    found = reread_columns(page(), [*names(), *over, column], BarReader())
    assert [fragment for fragment in found if fragment.text.startswith("WARE")] == [*names(), *over]
