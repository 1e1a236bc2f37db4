"""Closer looks: values are recognised again, and no earlier reading counts as a second one."""

from dataclasses import replace

from PIL import Image

from extractor.documents import Page
from extractor.ocr.transcript import Box, Transcript
from extractor.readers.rules.crops import read_closer
from tests.transcripts import transcript

PAGE = Page(Image.new("RGB", (600, 200), "white"))
FIRST = transcript("TEA HOUSE", "TOTAL 4.00", "THANK YOU")


class Engine:
    """Sees these rows wherever it looks, and remembers where it looked."""

    name = "second"

    def __init__(self, sees: Transcript) -> None:
        self.sees = sees
        self.crops: list[Box | None] = []

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:  # noqa: ARG002
        self.crops.append(crop)
        return page, self.sees


def closer(engine: Engine, first: Transcript = FIRST, row: int = 1, fragment: int = 0) -> list[str]:
    """What the page says after a closer look at one of its fragments."""
    box = first.lines[row].fragments[fragment].box
    return [line.text for line in read_closer(engine, PAGE, first, [box], effort=1).lines]


def test_the_value_is_read_anew_and_everything_else_stays() -> None:
    """Only the print under the value is looked at, and only its text changes."""
    engine = Engine(transcript("TEA HOVSE", "TOTAL 4.90", "THANK YOV"))
    assert closer(engine) == ["TEA HOUSE", "TOTAL 4.90", "THANK YOU"]
    [crop] = engine.crops
    assert crop is not None
    assert crop.height < FIRST.height / 2


def test_a_label_that_stands_apart_is_not_read_twice() -> None:
    """Recognition costs by the width of the text: the amount is looked at, its label a hundred pixels away is not."""
    first = transcript("TEA HOUSE", [(20, "TOTAL"), (400, "4.00")])
    engine = Engine(transcript("TEA HOUSE", [(20, "TOTOL"), (400, "4.90")]))
    assert closer(engine, first, fragment=1) == ["TEA HOUSE", "TOTAL 4.90"]
    [crop] = engine.crops
    assert crop is not None
    assert crop.left > 300


def test_words_side_by_side_are_read_as_one() -> None:
    """A date that was found in two pieces is looked at once, whole."""
    first = transcript([(100, "25/12"), (155, "/2018")])
    engine = Engine(transcript([(100, "25/12/2018")]))
    boxes = [fragment.box for fragment in first.lines[0].fragments]
    assert [line.text for line in read_closer(engine, PAGE, first, boxes, effort=1).lines] == ["25/12/2018"]


def test_a_value_where_nothing_is_seen_does_not_confirm_itself() -> None:
    """Where the second engine sees nothing, the first reading must not count twice."""
    assert closer(Engine(Transcript((), 600, 200, "second"))) == ["TEA HOUSE", "THANK YOU"]


class Nearsighted(Engine):
    """Overlooks the upper row in its own crop, and sees it in that of the row below."""

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:
        _, sees = super().read(page, effort, crop, row)
        assert crop is not None
        lines = [line for line in sees.lines if crop.top > sees.lines[0].box.top or line is not sees.lines[0]]
        return page, replace(sees, lines=tuple(lines))


def test_a_row_that_is_missed_in_its_own_crop_is_read_from_a_neighbours() -> None:
    """Print that stands at a place counts as read there, whichever crop shows it."""
    first = transcript("TEA HOUSE", "14 QUAY STREET")
    boxes = [line.box for line in first.lines]
    seen = read_closer(Nearsighted(transcript("TEA HOVSE", "14 QUAY STREET")), PAGE, first, boxes, effort=1)
    assert [line.text for line in seen.lines] == ["TEA HOVSE", "14 QUAY STREET"]
