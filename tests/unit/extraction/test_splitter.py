"""Several receipts beside one another on a page are told apart, and one receipt is never taken for several."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from PIL import Image

from extractor.extraction.splitter import Paper, cut_out, may_be_several, papers_of
from extractor.ocr.layout import to_lines
from extractor.ocr.transcript import Box, Fragment, Transcript
from training.render import RenderedReceipt, RenderOptions, render

STYLES = [
    RenderOptions(country=country, kind=kind, image_type="clean") for country in ("MY", "US", "DE") for kind in ("grocery", "restaurant")
]


def receipt(seed: int) -> RenderedReceipt:
    return render(f"papers-{seed}", STYLES[seed % len(STYLES)])


def shifted(fragment: Fragment, right: float, *, lean: float = 0.0) -> Fragment:
    box, by = fragment.box, right + lean * fragment.box.middle
    return replace(fragment, box=Box(box.left + by, box.top, box.right + by, box.bottom))


def beside(*receipts: RenderedReceipt, gap: float = 60.0, lean: float = 0.0) -> Transcript:
    """What OCR would see of the receipts side by side."""
    fragments, left, height = list[Fragment](), 0.0, 0.0
    for one in receipts:
        seen = [fragment for line in one.transcript().lines for fragment in line.fragments]
        start = min(fragment.box.left for fragment in seen)
        fragments += [shifted(fragment, left - start, lean=lean) for fragment in seen]
        left += max(fragment.box.right for fragment in seen) - start + gap
        height = max(height, one.pose.height)
    return Transcript(to_lines(fragments), round(left + 200), round(height), "test")


def totals(papers: Sequence[Paper]) -> list[str]:
    return [paper.said["total"] for paper in papers]


@pytest.mark.parametrize("lean", [0.0, 0.1, -0.1])
@pytest.mark.parametrize("numbers", [(0, 1), (2, 3), (0, 3, 4)])
def test_receipts_beside_one_another_are_told_apart(numbers: tuple[int, ...], lean: float) -> None:
    """Two and three, straight or leaning: each with its own total, from left to right."""
    receipts = [receipt(number) for number in numbers]
    papers = papers_of(beside(*receipts, lean=lean))
    assert [paper.transcript.text for paper in papers] == [paper.transcript.text for paper in sorted(papers, key=lambda one: one.box.left)]
    alone = [papers_of(beside(one)) for one in receipts]
    assert alone == [()] * len(receipts)
    assert len(papers) == len(receipts)
    assert len(set(totals(papers))) == len(receipts)


@pytest.mark.parametrize("seed", range(24))
def test_one_receipt_is_one(seed: int) -> None:
    """Whatever its columns, of any country and kind."""
    transcript = render(f"one-{seed}").transcript()
    assert papers_of(transcript) == ()
    assert not may_be_several(transcript)


def test_a_copy_beside_its_receipt_is_no_receipt_of_its_own() -> None:
    """Nor is a card slip: it is of the same day, and repeats merchant, time or total."""
    one = receipt(0)
    assert papers_of(beside(one, one)) == ()
    assert may_be_several(beside(one, one))


def test_a_copy_whose_date_is_misread_is_no_receipt_of_its_own() -> None:
    """One digit makes another day, but not another total and time."""
    seen = beside(receipt(0), receipt(0))
    fragments = [
        replace(fragment, text=fragment.text.replace("08 Sep", "06 Sep")) if fragment.box.left > seen.width / 2 else fragment
        for fragment in seen.fragments
    ]
    assert "08 Sep" in seen.text
    assert {fragment.text for fragment in fragments} != {fragment.text for fragment in seen.fragments}
    assert papers_of(Transcript(to_lines(fragments), seen.width, seen.height, "test")) == ()


def test_a_folded_receipt_is_one() -> None:
    """Its right half, far from the left one, says no merchant and date of its own; so does its lower half, turned up beside the upper."""
    seen = [fragment for line in receipt(1).transcript().lines for fragment in line.fragments]
    middle = sorted(fragment.box.middle for fragment in seen)[len(seen) // 2]
    folded = [shifted(fragment, 900) if fragment.box.middle > middle else fragment for fragment in seen]
    assert papers_of(Transcript(to_lines(folded), 2000, 2000, "test")) == ()
    torn = [shifted(fragment, 300) if fragment.box.left > 300 else fragment for fragment in seen]
    assert papers_of(Transcript(to_lines(torn), 2000, 2000, "test")) == ()


def test_a_page_of_many_columns_is_a_table() -> None:
    """However many there are, nothing is cut."""
    cells = [
        Fragment("x", Box(60.0 * column, 20.0 * row, 60.0 * column + 10, 20.0 * row + 10), 0.9) for column in range(20) for row in range(7)
    ]
    assert papers_of(Transcript(to_lines(cells), 1300, 200, "test")) == ()


def test_a_page_without_print_has_no_receipts() -> None:
    assert papers_of(Transcript((), 100, 100, "test")) == ()


def test_a_part_shows_nothing_of_its_neighbour() -> None:
    """Papers that lie askew reach over one another's edges: what would be read twice is painted over."""
    image = Image.new("RGB", (400, 200), "white")
    lines = [Fragment("x", Box(10, 20.0 * row, 190, 20.0 * row + 10), 0.9) for row in range(8)]
    right = [Fragment("y", Box(180 if row > 5 else 220, 20.0 * row, 390, 20.0 * row + 10), 0.9) for row in range(8)]
    for fragment in right:
        left, top, edge, bottom = map(round, fragment.box)
        image.paste("black", (left, top, edge, bottom))
    papers = [Paper(Box.around([one.box for one in own]), Transcript(to_lines(own), 400, 200, "test"), {}) for own in (lines, right)]
    (left_part, left_box), (right_part, right_box) = cut_out(image, papers)
    assert left_part.getextrema() == ((255, 255),) * 3
    assert left_part.size == (left_box.width, left_box.height)
    assert (left_box.left, left_box.top) == (0, 0)
    assert right_part.getcolors() != [(right_part.width * right_part.height, (255, 255, 255))]
    assert right_box.right == 400
