"""The contract of every OCR engine."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import pytest
from PIL import Image, ImageDraw, ImageFont

from extractor.errors import ConfigError, ReaderUnavailable
from extractor.ocr.engines.faster_paddle import FasterPaddle
from extractor.ocr.engines.rapidocr import RapidOcr
from extractor.ocr.selection import ENGINES, build_engines
from extractor.ocr.transcript import OcrEngine

BUILDERS: dict[str, Callable[[], OcrEngine]] = {
    "faster-paddle tiny": lambda: FasterPaddle("tiny", threads=1),
    "faster-paddle small": lambda: FasterPaddle("small", threads=1),
    "rapidocr": lambda: RapidOcr(threads=1),
}


@pytest.fixture(scope="module", params=BUILDERS)
def engine(request: pytest.FixtureRequest) -> OcrEngine:
    if not find_spec(str(request.param).split()[0].replace("-", "_")):
        pytest.skip(f"{request.param} is not installed")
    return BUILDERS[request.param]()


@pytest.fixture(scope="module")
def sign() -> Image.Image:
    """Two pieces of text, far apart."""
    image = Image.new("RGB", (500, 200), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=30)
    draw.text((30, 30), "BAKERY", fill="black", font=font)
    draw.text((330, 130), "12.50", fill="black", font=font)
    return image


def test_text_and_boxes(engine: OcrEngine, sign: Image.Image) -> None:
    """Text is found in its place, with a confidence from 0 to 1, and again in the second call."""
    found = {fragment.text.strip(): fragment for fragment in engine.read(sign)}
    assert set(found) == {"BAKERY", "12.50"}
    assert found["BAKERY"].box.left < 60
    assert found["BAKERY"].box.bottom < 100
    assert found["12.50"].box.left > 300
    assert found["12.50"].box.top > 100
    assert all(0.5 < fragment.confidence <= 1 for fragment in found.values())
    assert {fragment.text.strip() for fragment in engine.read(sign)} == set(found)


def test_blank_and_tiny_images(engine: OcrEngine) -> None:
    """No text is an answer, not an error."""
    for size in ((300, 200), (1, 1), (5, 400), (400, 5)):
        assert engine.read(Image.new("RGB", size, "white")) == []


def test_colour_order(engine: OcrEngine) -> None:
    """Red text on blue is read, so the channels are in the right order."""
    image = Image.new("RGB", (400, 120), (20, 20, 160))
    ImageDraw.Draw(image).text((30, 30), "TOTAL", fill=(255, 200, 200), font=ImageFont.load_default(size=40))
    assert [fragment.text.strip() for fragment in engine.read(image)] == ["TOTAL"]


def test_engines_have_names(engine: OcrEngine) -> None:
    """Names distinguish engines in the record."""
    assert engine.name.startswith(("faster-paddle/", "rapidocr"))


@pytest.mark.parametrize("error", [RuntimeError, ValueError, OSError, type("PanicException", (BaseException,), {})])
def test_vendor_errors_are_ours(error: type[BaseException], sign: Image.Image) -> None:
    """Whatever the native code raises, a panic included, becomes an error that is retried."""

    class Broken:
        def ocr(self, _data: bytes) -> None:
            raise error("no")

    broken = FasterPaddle("tiny")
    vars(broken)["_engine"] = Broken()
    with pytest.raises(ReaderUnavailable, match="faster-paddle/tiny"):
        broken.read(sign)


@pytest.mark.skipif(find_spec("rapidocr") is None, reason="RapidOCR is not installed")
@pytest.mark.parametrize("vendor", ["cv2.error", "onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException"])
def test_errors_of_the_optional_engine_are_ours(vendor: str, sign: Image.Image) -> None:
    """The vendor's errors derive from Exception directly, and are mapped all the same."""
    module, _, name = vendor.rpartition(".")
    error = getattr(import_module(module), name)

    def fail(*_args: object, **_options: object) -> None:
        raise error("no")

    engine = RapidOcr(threads=1)
    vars(engine)["_engine"] = (fail, engine._engine[1])
    with pytest.raises(ReaderUnavailable, match="rapidocr"):
        engine.read(sign)


def test_interrupt_is_not_an_engine_error(sign: Image.Image) -> None:
    """Ctrl-C stays Ctrl-C."""

    class Interrupted:
        def ocr(self, _data: bytes) -> None:
            raise KeyboardInterrupt

    engine = FasterPaddle("tiny")
    vars(engine)["_engine"] = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        engine.read(sign)


def test_engines_by_name() -> None:
    """`auto` is faster-paddle where it is installed, cheapest engine first."""
    assert [engine.name for engine in build_engines("auto")] == ["faster-paddle/tiny", "faster-paddle/small"]
    assert [engine.name for engine in build_engines("faster-paddle")] == ["faster-paddle/tiny", "faster-paddle/small"]


def test_unknown_engine() -> None:
    """The error for an unknown name lists the known ones."""
    with pytest.raises(ConfigError, match="auto, faster-paddle or rapidocr"):
        build_engines("tesseract")


@pytest.mark.skipif(find_spec("rapidocr") is not None, reason="RapidOCR is installed")
def test_missing_extra_is_named(sign: Image.Image) -> None:
    """The error names the extra to install."""
    assert set(ENGINES) == {"faster-paddle", "rapidocr"}
    with pytest.raises(ConfigError, match=r"pip install '\.\[rapidocr\]'"):
        build_engines("rapidocr")
    with pytest.raises(ConfigError, match=r"pip install '\.\[rapidocr\]'"):
        RapidOcr().read(sign)
