"""A name, or `auto`, becomes a Reader, or an error naming the extra to install."""

import logging
from collections.abc import Callable, Mapping

from extractor.errors import ConfigError
from extractor.ocr.witness import Witness
from extractor.readers.interface import Reader
from extractor.settings import Settings

logger = logging.getLogger(__name__)


def make_reader(settings: Settings, witness: Witness) -> Reader:
    """The reader that `settings.reader.name` names; `auto` takes the best one that can work here, and logs which and why.

    Raises:
        ConfigError: No such reader; or one that cannot work here, with what to install.
    """
    name = settings.reader.name
    if name == "auto":
        name = "ocr"
        logger.info("reader_chosen", extra={"reader": name, "why": "no other reader is installed"})
    maker = _MAKERS.get(name)
    if maker is None:
        raise ConfigError(f"reader.name is {name!r}, which is no reader. Use one of: auto, {', '.join(_MAKERS)}.")
    return maker(settings, witness)


def _ocr(_: Settings, witness: Witness) -> Reader:
    from extractor.readers.ocr.reader import OcrReader  # noqa: PLC0415  # a reader's libraries are loaded where it is chosen

    return OcrReader(witness)


_MAKERS: Mapping[str, Callable[[Settings, Witness], Reader]] = {"ocr": _ocr}
