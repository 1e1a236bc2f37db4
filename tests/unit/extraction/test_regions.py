"""The part of a page that is enlarged."""

from PIL import Image

from extractor.documents import Page
from extractor.extraction.regions import MAX_SHARE, part_to_enlarge
from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from extractor.readers.base import Document, Evidence


def document(*, pages: int = 1) -> Document:
    """Twenty rows a page, each 10 pixels high every 20, the label left, the value right."""
    rows = [20.0 * row for row in range(20)]
    lines = tuple(Line((Fragment("x", Box(10, y, 60, y + 10), 0.9), Fragment("1", Box(150, y, 190, y + 10), 0.9))) for y in rows)
    page = Page(Image.new("RGB", (200, 400)))
    return Document("a.jpg", (page,) * pages, (Transcript(lines, 200, 400, "test"),) * pages)


def seen(row: int, *, page: int = 0) -> Evidence:
    return Evidence("1", page, Box(150, 20.0 * row, 190, 20.0 * row + 10), 0.9)


def test_a_field_is_enlarged_where_the_witness_found_it_with_its_label() -> None:
    """The whole printed row, and nothing else."""
    part = part_to_enlarge(["total"], {"total": seen(15)}, document())
    assert (part.page, part.box, part.fields) == (0, Box(10, 300, 190, 310), ("total",))


def test_a_field_that_was_not_found_is_enlarged_at_its_usual_place() -> None:
    """The merchant above, the total below; on several pages the first or the last."""
    head, foot = part_to_enlarge(["merchant_name"], {}, document(pages=3)), part_to_enlarge(["total"], {}, document(pages=3))
    assert (head.page, head.box.top) == (0, 0)
    assert head.box.bottom < 200
    assert (foot.page, foot.box.bottom) == (2, 390)
    assert foot.box.top > 150


def test_fields_near_one_another_are_enlarged_together_and_far_ones_left_to_the_whole_page() -> None:
    """More than half of the text would hardly be larger; the first field decides. All are asked for: the whole page is shown, too."""
    part = part_to_enlarge(["total", "merchant_name", "tip"], {"total": seen(15), "merchant_name": seen(0), "tip": seen(13)}, document())
    assert part.box == Box(10, 260, 190, 310)
    assert part.box.height <= MAX_SHARE * 390
    assert part.fields == ("total", "merchant_name", "tip")


def test_only_fields_of_the_page_shown_are_asked_for() -> None:
    """Otherwise a model could answer that a field on another page is not printed."""
    part = part_to_enlarge(["total", "merchant_name"], {"total": seen(3, page=1)}, document(pages=2))
    assert (part.page, part.fields) == (1, ("total",))


def test_a_page_without_text_is_still_shown() -> None:
    empty = Document("a.jpg", (Page(Image.new("RGB", (200, 400))),), (Transcript((), 200, 400, "none"),))
    assert part_to_enlarge(["total"], {}, empty).box == Box(0, 200, 200, 400)
