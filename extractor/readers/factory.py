"""Creates the configured reader."""

import logging
from collections.abc import Callable, Mapping

from extractor.config.settings import Settings
from extractor.errors import ConfigError
from extractor.ocr.page_reader import PageReader
from extractor.readers.base import Reader
from extractor.readers.rules.ocr_reader import OcrReader
from extractor.readers.vision.availability import why_not
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.vision_reader import vision_reader

logger = logging.getLogger(__name__)


def make_reader(settings: Settings, page_reader: PageReader) -> Reader:
    """Return the reader that `reader.name` names; `auto` is vision where it can run here, else ocr, and is logged with the reason.

    Args:
        page_reader: The OCR of the pages.
    Raises:
        ConfigError: No such reader.
    """
    name = settings.reader.name
    if name == "auto":
        obstacle = why_not(_options(settings))
        name = "ocr" if obstacle else "vision"
        logger.info("reader_chosen", extra={"reader": name, "why": obstacle or "a GPU and the model's weights are here"})
    factory = _FACTORIES.get(name)
    if factory is None:
        raise ConfigError(f"reader.name is {name!r}, which is not a reader. Use one of: auto, {', '.join(_FACTORIES)}.")
    return factory(settings, page_reader)


def _options(settings: Settings) -> VisionOptions:
    return VisionOptions(**settings.vision.model_dump())


_FACTORIES: Mapping[str, Callable[[Settings, PageReader], Reader]] = {
    "ocr": lambda _, page_reader: OcrReader(page_reader),
    "vision": lambda settings, _: vision_reader(_options(settings)),
}
