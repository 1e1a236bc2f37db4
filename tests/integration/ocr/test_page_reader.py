"""A page is turned upright and read, whatever its orientation."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from PIL import Image, ImageDraw, ImageFont

from extractor.documents import Page
from extractor.ocr.deskew import measure_tilt
from extractor.ocr.page_reader import PageReader, without_doubles
from extractor.ocr.selection import build_engines
from extractor.ocr.transcript import Box, Fragment, OcrEngine, Transcript

ROWS = (
    ("NORTHERN BAKERY", ""),
    ("12 Mill Lane, Oldtown", ""),
    ("14/03/2024 09:41", ""),
    ("Rye bread", "3.50"),
    ("Poppy rolls", "2.40"),
    ("Orange juice", "4.15"),
    ("Subtotal", "10.05"),
    ("Tax 7%", "0.70"),
    ("TOTAL", "10.75"),
    ("Thank you for your visit", ""),
)


@pytest.fixture(scope="module")
def receipt_image() -> Image.Image:
    """`ROWS`, printed black on white, 560 pixels wide; amounts stand in a column at the right."""
    font = ImageFont.load_default(size=26)
    image = Image.new("RGB", (560, 80 + 46 * len(ROWS)), (252, 252, 250))
    draw = ImageDraw.Draw(image)
    for number, (label, amount) in enumerate(ROWS):
        draw.text((40, 40 + 46 * number), label, fill=(30, 30, 30), font=font)
        draw.text((520, 40 + 46 * number), amount, fill=(30, 30, 30), font=font, anchor="ra")
    return image


@pytest.fixture(scope="module")
def strip() -> Image.Image:
    """A till roll of 200 numbered rows with prices."""
    font = ImageFont.load_default(size=17)
    image = Image.new("RGB", (420, 80 + 34 * 200), "white")
    draw = ImageDraw.Draw(image)
    for number in range(200):
        draw.text((30, 40 + 34 * number), f"Article {number + 100}", fill=(30, 30, 30), font=font)
        draw.text((390, 40 + 34 * number), f"{number + 100}.25", fill=(30, 30, 30), font=font, anchor="ra")
    return image


@pytest.fixture(scope="module")
def engines() -> tuple[OcrEngine, ...]:
    """The engines of `reader.ocr_engine = "auto"`."""
    return build_engines(threads=2)


@pytest.fixture(scope="module")
def page_reader(engines: tuple[OcrEngine, ...]) -> PageReader:
    return PageReader(engines)


@dataclass
class Counted:
    """An engine that records the sizes of its images."""

    engine: OcrEngine
    name: str
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def read(self, image: Image.Image) -> list[Fragment]:
        self.sizes.append(image.size)
        return self.engine.read(image)


def squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def assert_reads_the_receipt(page: Page, transcript: Transcript) -> None:
    """Every row is there, in order, label and amount on one line, and boxes lie where the print is."""
    assert [squeezed(line.text) for line in transcript.lines] == [squeezed(label + amount) for label, amount in ROWS]
    assert (transcript.width, transcript.height) == page.image.size
    total = next(fragment for fragment in transcript.fragments if "10.75" in fragment.text)
    left, top, right, bottom = (round(edge) for edge in total.box)
    darkest, _ = page.image.convert("L").crop((left, top, right, bottom)).getextrema()
    assert isinstance(darkest, int)
    assert darkest < 90
    assert total.box.left > 0.5 * page.image.width


def white(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(252, 252, 250))


def test_upright_page_costs_one_reading(receipt_image: Image.Image, engines: tuple[OcrEngine, ...]) -> None:
    """An upright page is returned as it is, read once by the cheapest engine."""
    engine = Counted(engines[0], engines[0].name)
    page = Page(receipt_image, number=3)
    turned, transcript = PageReader([engine, *engines[1:]]).read(page)
    assert turned is page
    assert engine.sizes == [receipt_image.size]
    assert transcript.engine == engines[0].name
    assert_reads_the_receipt(turned, transcript)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_page(receipt_image: Image.Image, page_reader: PageReader, degrees: int) -> None:
    """A page lying on its side or its head is turned and read."""
    page, transcript = page_reader.read(Page(receipt_image.rotate(degrees, expand=True), number=1))
    assert page.number == 1
    assert page.image.size == receipt_image.size
    assert_reads_the_receipt(page, transcript)


@pytest.mark.parametrize("degrees", [-15, -10, -5, -3, 3, 5, 10, 15])
def test_tilted_page(receipt_image: Image.Image, page_reader: PageReader, degrees: int) -> None:
    """A tilted page is levelled and read."""
    page, transcript = page_reader.read(Page(white(receipt_image, degrees)))
    assert_reads_the_receipt(page, transcript)


def test_on_its_head_and_tilted(receipt_image: Image.Image, page_reader: PageReader) -> None:
    """A page that is upside down and tilted is corrected for both."""
    page, transcript = page_reader.read(Page(white(receipt_image, 174)))
    assert_reads_the_receipt(page, transcript)


@pytest.mark.parametrize("effort", [0, 1, 2, 3, 9])
def test_every_effort_reads(receipt_image: Image.Image, page_reader: PageReader, effort: int) -> None:
    """Every effort returns boxes in pixels of the same page."""
    page, transcript = page_reader.read(Page(receipt_image), effort)
    assert_reads_the_receipt(page, transcript)


def test_efforts_differ(receipt_image: Image.Image, engines: tuple[OcrEngine, ...]) -> None:
    """No two efforts show the same image to the same engine."""
    shown: list[tuple[str, bytes]] = []

    @dataclass
    class Recorder:
        name: str

        def read(self, image: Image.Image) -> list[Fragment]:
            shown.append((self.name, image.tobytes()))
            return []

    page_reader = PageReader([Recorder("cheap"), Recorder("dear")])
    for effort in range(4):
        page_reader.read(Page(receipt_image), effort)
    assert len(set(shown)) == len(shown) > 4


def test_a_large_engine_reads_a_page_in_parts(receipt_image: Image.Image) -> None:
    """Its memory grows with the pixels that it is given at once; the cheap first effort reads the page whole."""
    shown: dict[str, list[int]] = {"cheap": [], "dear": []}

    @dataclass
    class Recorder:
        name: str

        def read(self, image: Image.Image) -> list[Fragment]:
            shown[self.name].append(image.height)
            return []

    page_reader = PageReader([Recorder("cheap"), Recorder("dear")])
    page_reader.read(Page(receipt_image), 0)
    page_reader.read(Page(receipt_image), 1)
    assert shown["cheap"] == [receipt_image.height]
    assert max(shown["dear"]) < receipt_image.width
    assert sum(shown["dear"]) > receipt_image.height, "the parts overlap"


@pytest.mark.parametrize("effort", [0, 1, 2])
def test_crop(receipt_image: Image.Image, page_reader: PageReader, effort: int) -> None:
    """A crop holds its rows alone, with boxes in pixels of the page."""
    page = Page(receipt_image)
    same, transcript = page_reader.read(page, effort, crop=Box(0, 400, 560, 446))
    assert same is page
    assert [squeezed(line.text) for line in transcript.lines] == ["total1075"]
    assert 395 < transcript.lines[0].box.middle < 450
    assert (transcript.width, transcript.height) == receipt_image.size


@dataclass
class Nearby:
    """An engine that reads text up to a height and detects only strokes in larger text."""

    highest: int
    name: str = "nearby"

    def read(self, image: Image.Image) -> list[Fragment]:
        if image.height <= self.highest:
            return [Fragment("NORTHERN BAKERY", Box(0, 0, image.width, image.height), 0.98)]
        return [Fragment("1", Box(place, 0, place + 9, image.height), 0.4) for place in range(0, image.width, 10)]


def test_large_print_is_read_once_more_at_a_smaller_scale() -> None:
    """A crop in which an engine finds only strokes is read again at a smaller scale, with boxes in pixels of the page."""
    page = Page(Image.new("RGB", (560, 400), "white"))
    _, transcript = PageReader([Nearby(highest=60)]).read(page, 1, crop=Box(100, 100, 400, 200))
    assert [line.text for line in transcript.lines] == ["NORTHERN BAKERY"]
    assert transcript.lines[0].box.width == pytest.approx(300, abs=2 * 0.02 * 560 + 2)


def test_a_row_s_neighbours_in_its_crop_are_not_read() -> None:
    """Of a crop that shows three rows, an engine is given only the requested one, on paper of the crop's size."""
    page = Page(Image.new("RGB", (560, 400), "white"))
    for top in (100, 150, 200):
        page.image.paste("black", (100, top, 400, top + 30))
    shown: list[Image.Image] = []

    @dataclass
    class Recorder:
        name: str = "recorder"

        def read(self, image: Image.Image) -> list[Fragment]:
            shown.append(image)
            return [Fragment("TOTAL", Box(0, 0, image.width, image.height), 0.98)]

    for row in (None, Box(100, 150, 400, 180)):
        PageReader([Recorder()]).read(page, crop=Box(90, 90, 410, 240), row=row)
    all_ink, own_ink = (sum(image.convert("L").histogram()[:100]) for image in shown)
    assert shown[0].size == shown[1].size
    assert own_ink == pytest.approx(all_ink / 3, rel=0.1)


def test_crop_outside_the_page(receipt_image: Image.Image, page_reader: PageReader) -> None:
    """A crop that misses the page shows nothing."""
    assert page_reader.read(Page(receipt_image), crop=Box(9000, 9000, 9100, 9100))[1].lines == ()


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (40, 40), (700, 900)])
def test_blank_page(page_reader: PageReader, size: tuple[int, int]) -> None:
    """A page without print has no lines."""
    page = Page(Image.new("RGB", size, "white"))
    turned, transcript = page_reader.read(page)
    assert turned is page
    assert transcript.lines == ()


@pytest.mark.parametrize("scale", [0.35, 3.0])
def test_print_of_any_size(receipt_image: Image.Image, page_reader: PageReader, scale: float) -> None:
    """Print of nine pixels and of eighty is read."""
    size = (round(receipt_image.width * scale), round(receipt_image.height * scale))
    page, transcript = page_reader.read(Page(receipt_image.resize(size, Image.Resampling.LANCZOS)))
    assert_reads_the_receipt(page, transcript)


def test_till_roll(strip: Image.Image, page_reader: PageReader) -> None:
    """Every row of a long strip is read once, in order, though it is read in parts."""
    _, transcript = page_reader.read(Page(strip))
    assert [squeezed(line.text) for line in transcript.lines] == [f"article{n}{n}25" for n in range(100, 300)]


@pytest.mark.parametrize("fault", [lambda i: i, lambda i: i.point(lambda v: 190 + v // 5), lambda i: i.convert("L").convert("RGB")])
def test_faint_print(receipt_image: Image.Image, page_reader: PageReader, fault: Callable[[Image.Image], Image.Image]) -> None:
    """Worn thermal print is read."""
    _, transcript = page_reader.read(Page(fault(receipt_image)))
    assert "10.75" in transcript.text


@pytest.mark.parametrize("degrees", [-14.0, -6.3, -0.8, 0.0, 0.5, 3.7, 11.2])
def test_tilt_is_measured(receipt_image: Image.Image, degrees: float) -> None:
    """The tilt is measured to a fifth of a degree; clockwise is positive."""
    tilted = white(receipt_image, -degrees)
    assert measure_tilt(tilted, [Box(0, 0, *tilted.size)]) == pytest.approx(degrees, abs=0.2)


def test_nothing_to_measure() -> None:
    """Blank paper, or no text, has no tilt."""
    assert measure_tilt(Image.new("RGB", (300, 300), "white"), [Box(0, 0, 300, 300)]) == 0
    assert measure_tilt(Image.new("RGB", (300, 300), "white"), []) == 0


def test_doubles_are_dropped() -> None:
    """Of two readings of the same place the fuller one stays; neighbours both stay."""
    full = Fragment("TOTAL 10.75", Box(10, 10, 210, 40), 0.95)
    part = Fragment("10.75", Box(120, 12, 208, 38), 0.97)
    beside = Fragment("EUR", Box(205, 10, 260, 40), 0.9)
    assert without_doubles([part, full, beside]) == [full, beside]
