"""A name, or `auto`, becomes a Reader, or an error naming the extra to install."""

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


def make_reader(settings: Settings, witness: PageReader) -> Reader:
    """The reader that `reader.name` names; `auto` takes vision where it can read here, else ocr, and logs which and why.

    Raises:
        ConfigError: No such reader.
    """
    name = settings.reader.name
    if name == "auto":
        obstacle = why_not(_options(settings))
        name = "ocr" if obstacle else "vision"
        logger.info("reader_chosen", extra={"reader": name, "why": obstacle or "a GPU and the model's weights are here"})
    maker = _MAKERS.get(name)
    if maker is None:
        raise ConfigError(f"reader.name is {name!r}, which is no reader. Use one of: auto, {', '.join(_MAKERS)}.")
    return maker(settings, witness)


def _options(settings: Settings) -> VisionOptions:
    return VisionOptions(**settings.vision.model_dump())


_MAKERS: Mapping[str, Callable[[Settings, PageReader], Reader]] = {
    "ocr": lambda _, witness: OcrReader(witness),
    "vision": lambda settings, _: vision_reader(_options(settings)),
}
