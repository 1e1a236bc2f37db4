"""Boxes that hold two printed rows are found; large print is left alone."""

from PIL import Image, ImageDraw, ImageFont

from extractor.documents import Page
from extractor.ocr.merged_rows import merged
from extractor.ocr.page_reader import PageReader
from extractor.ocr.transcript import Box, Fragment

ROWS = ("ORANGE JUICE", "MINERAL WATER", "BREAD ROLL", "GREEN TEA", "BUTTER 250G")


def _page(*, is_large: bool) -> tuple[Image.Image, list[Fragment]]:
    """Ordinary rows with a box each, below them a box twice as high: two rows, or one row of double height."""
    image = Image.new("RGB", (500, 420), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    fragments = []
    for number, text in enumerate(ROWS):
        top = 20 + 40 * number
        draw.text((40, top), text, "black", font)
        fragments.append(Fragment(text, Box(40, top, 40 + 14 * len(text), top + 26), 0.98))
    if is_large:
        word = Image.new("RGB", (180, 26), "white")
        ImageDraw.Draw(word).text((0, 0), "LAS VEGAS NV", "black", font)
        image.paste(word.resize((180, 60)), (40, 260))
    else:
        draw.text((40, 260), "7377 S JONES", "black", font)
        draw.text((40, 292), "LAS VEGAS NV", "black", font)
    return image, [*fragments, Fragment("LAS VEGAS NV", Box(40, 260, 208, 318), 0.95)]


def test_a_box_of_two_rows_is_found() -> None:
    """A box twice as high as the others, with a blank band across it, is recognised as two rows."""
    image, fragments = _page(is_large=False)
    assert merged(image, fragments) == fragments[-1:]


def test_large_print_is_one_row() -> None:
    """Letters of double height fill their box and are not split."""
    assert merged(*_page(is_large=True)) == []


class OneRowEngine:
    """Reads a page with its lowest two rows in one box, and a part of it row by row."""

    name = "one-row"

    def read(self, image: Image.Image) -> list[Fragment]:
        page, fragments = _page(is_large=False)
        if image.size == page.size:
            return fragments
        half, right = image.height / 2, image.width - 1.0
        return [Fragment("7377 S JONES", Box(1, 1, right, half), 0.9), Fragment("LAS VEGAS NV", Box(1, half, right, image.height), 0.9)]


def test_the_witness_reads_both_rows_of_such_a_box() -> None:
    """Neither row of a box that holds two is lost."""
    image, _ = _page(is_large=False)
    transcript = PageReader([OneRowEngine()]).read(Page(image, 1))[1]
    assert [line.text for line in transcript.lines][-2:] == ["7377 S JONES", "LAS VEGAS NV"]
