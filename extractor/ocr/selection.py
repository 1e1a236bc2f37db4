"""Builds the OCR engines that the settings name."""

from collections.abc import Callable
from importlib.util import find_spec

from extractor.errors import ConfigError
from extractor.ocr.engines.faster_paddle import FasterPaddle
from extractor.ocr.engines.rapidocr import RapidOcr
from extractor.ocr.engines.tesseract import PACKAGE
from extractor.ocr.page_reader import PageReader
from extractor.ocr.scripts import Scripts
from extractor.ocr.transcript import OcrEngine

EngineSequence = tuple[OcrEngine, ...]


def _faster_paddle(threads: int) -> EngineSequence:
    return FasterPaddle("tiny", threads=threads), FasterPaddle("small", threads=threads)


def _rapidocr(threads: int) -> EngineSequence:
    return (RapidOcr(threads=threads),)


# Name in the settings, package that must be installed, and builder. `auto` takes the first whose package is installed.
ENGINES: dict[str, tuple[str, Callable[[int], EngineSequence]]] = {
    "faster-paddle": ("faster_paddle", _faster_paddle),
    "rapidocr": ("rapidocr", _rapidocr),
}
HOW_TO_INSTALL = {
    "faster-paddle": "pip install faster-paddle",
    "rapidocr": "pip install '.[rapidocr]' in the source code's folder",
}


def build_engines(name: str = "auto", *, threads: int = 0) -> EngineSequence:
    """Build the engines of the setting `reader.ocr_engine`, cheapest first; nothing is loaded yet.

    Args:
        name: `auto`, `faster-paddle` or `rapidocr`.
        threads: CPU threads; 0 for all cores.
    Raises:
        ConfigError: Unknown name, or its package is not installed.
    """
    if name == "auto":
        installed = (build for package, build in ENGINES.values() if find_spec(package))
        if build := next(installed, None):
            return build(threads)
        raise ConfigError(f"No OCR engine is installed. Install one: {', or '.join(HOW_TO_INSTALL.values())}.")
    if name not in ENGINES:
        raise ConfigError(f"There is no OCR engine {name!r}. Set reader.ocr_engine to auto, {' or '.join(ENGINES)}.")
    package, build = ENGINES[name]
    if not find_spec(package):
        raise ConfigError(f"The OCR engine {name} is not installed. Install it: {HOW_TO_INSTALL[name]}.")
    return build(threads)


def build_page_reader(name: str = "auto", *, threads: int = 0) -> PageReader:
    """Build a page reader with the engines of the setting `reader.ocr_engine`, and recognisers of more scripts if Tesseract is installed.

    Args:
        name: As for `build_engines`.
        threads: CPU threads; 0 for all cores.
    Raises:
        ConfigError: As for `build_engines`.
    """
    return PageReader(build_engines(name, threads=threads), Scripts() if find_spec(PACKAGE) else None)
