"""A closer look: rows are read anew, and nothing that was read before passes for a second reading."""

from PIL import Image

from extractor.ocr.interface import Box, Transcript
from extractor.pages import Page
from extractor.readers.ocr.close_up import look_closer
from tests.transcripts import transcript

PAGE = Page(Image.new("RGB", (600, 200), "white"))
FIRST = transcript("TEA HOUSE", "TOTAL 4.00", "THANK YOU")


class Engine:
    """Sees these rows wherever it looks, and remembers where it looked."""

    name = "second"

    def __init__(self, sees: Transcript) -> None:
        self.sees = sees
        self.crops: list[Box | None] = []

    def read(self, page: Page, effort: int = 0, crop: Box | None = None) -> tuple[Page, Transcript]:  # noqa: ARG002  # the protocol's
        self.crops.append(crop)
        return page, self.sees


def closer(engine: Engine) -> list[str]:
    """What the page says after a closer look at its second row."""
    return [line.text for line in look_closer(engine, PAGE, FIRST, [FIRST.lines[1].box], effort=1).lines]


def test_the_row_is_read_anew_and_the_others_stay() -> None:
    """Only the strip under the value is looked at, as wide as the page, and only its text changes."""
    engine = Engine(transcript("TEA HOVSE", "TOTAL 4.90", "THANK YOV"))
    assert closer(engine) == ["TEA HOUSE", "TOTAL 4.90", "THANK YOU"]
    [crop] = engine.crops
    assert crop is not None
    assert (crop.left, crop.width) == (0, FIRST.width)
    assert crop.height < FIRST.height / 2


def test_a_row_in_which_nothing_is_seen_does_not_confirm_itself() -> None:
    """Where the second engine sees nothing, the first reading must not count twice."""
    assert closer(Engine(Transcript((), 600, 200, "second"))) == ["TEA HOUSE", "THANK YOU"]
