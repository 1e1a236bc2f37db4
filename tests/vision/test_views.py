"""What a model is shown of a receipt."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from extractor.documents import Page
from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from extractor.readers.base import Document, Look
from extractor.readers.vision.views import MAX_PARTS, OVERLAP, TALLEST, ZOOM_SIDE_PX, paper_box, parts_of, scale_seen, views_of


def transcript(size: tuple[int, int], *boxes: Box) -> Transcript:
    return Transcript(tuple(Line((Fragment("x", box, 0.9),)) for box in boxes), *size, "test")


def document(*pages: tuple[Image.Image, Transcript]) -> Document:
    return Document("lunch.jpg", tuple(Page(image, number) for number, (image, _) in enumerate(pages)), tuple(seen for _, seen in pages))


def test_only_the_paper_is_shown() -> None:
    """The table around a receipt costs resolution; three line heights of paper stay around the text."""
    boxes = [Box(400, 300 + 40 * row, 700, 320 + 40 * row) for row in range(10)]
    assert paper_box(transcript((1080, 1920), *boxes), (1080, 1920)) == Box(340, 240, 760, 740)


@pytest.mark.parametrize("boxes", [(), (Box(10, 10, 990, 30), Box(10, 1970, 990, 1990))], ids=["no text", "text all over"])
def test_a_page_is_shown_whole_where_cutting_gains_nothing(boxes: tuple[Box, ...]) -> None:
    assert paper_box(transcript((1000, 2000), *boxes), (1000, 2000)) == Box(0, 0, 1000, 2000)


@given(st.floats(10, 1000), st.floats(10, 20_000))
def test_parts_cover_a_receipt_and_overlap(width: float, height: float) -> None:
    """No part is taller than the model takes; together they show everything, neighbours at least as much in common as promised."""
    parts = parts_of(Box(5, 7, 5 + width, 7 + height))
    assert parts[0].top == 7
    assert parts[-1].bottom == pytest.approx(7 + height)
    assert len(parts) <= MAX_PARTS
    if height <= 25 * width:
        assert all(part.height <= TALLEST * width * 1.0001 for part in parts)
    for upper, lower in pairwise(parts):
        assert upper.bottom - lower.top >= OVERLAP * width * 0.999


def test_a_crop_is_enlarged_with_its_surroundings_beside_the_page() -> None:
    """A field that is asked again fills the model's canvas, with the label beside it; the page tells what it belongs to."""
    page = Image.new("RGB", (1000, 1000), "white")
    page.paste("black", (500, 500, 600, 520))
    (view,) = views_of(document((page, transcript((1000, 1000)))), Look(effort=1, page=0, crop=Box(500, 500, 600, 520)))
    assert view.box == Box(487, 490, 612, 530)
    whole, part = view.images
    assert whole.size == (1000, 1000)
    assert max(part.size) == ZOOM_SIDE_PX
    assert part.getpixel((ZOOM_SIDE_PX // 2, part.height // 2)) == (0, 0, 0)


def test_a_crop_beyond_the_page_still_shows_something() -> None:
    """Evidence may come from elsewhere; nonsense boxes give a small image, not an error."""
    page = Image.new("RGB", (50, 50))
    (view,) = views_of(document((page, transcript((50, 50)))), Look(page=0, crop=Box(80, 80, 90, 90)))
    assert all(image.width > 0 and image.height > 0 for image in view.images)


def test_every_page_and_part_is_shown_in_order() -> None:
    """Two pages, the second a long till roll."""
    sizes = [(100, 150), (100, 900)]
    seen = document(*((Image.new("RGB", size), transcript(size)) for size in sizes))
    views = views_of(seen, Look())
    assert [(view.page, view.part) for view in views] == [(0, 0), *((1, part) for part in range(len(views) - 1))]
    assert len(views) > 3
    assert {view.page for view in views_of(seen, Look(page=1))} == {1}


@pytest.mark.parametrize(
    ("size", "scale"), [((1080, 1920), 0.58), ((800, 3000), 0.70), ((100, 50), 5.6), ((500, 1500), 1.0), ((1120, 1120), 1.0)]
)
def test_the_scale_that_the_model_sees(size: tuple[int, int], scale: float) -> None:
    """Measured on the real image processor."""
    assert scale_seen(size) == pytest.approx(scale, abs=0.01)
