"""Choosing a reader: by name, or by what this machine can do."""

import importlib.util
import logging

import pytest

from extractor.config.settings import ReaderSettings, Settings, VisionSettings
from extractor.errors import ConfigError
from extractor.ocr.page_reader import PageReader
from extractor.readers.factory import make_reader
from extractor.readers.vision.model_options import DEFAULT_MODEL, VisionOptions


class NoEngine:
    """An engine that nobody asks."""

    name = "none"

    def read(self, _: object) -> list[object]:
        raise AssertionError("a reader is chosen without reading")


WITNESS = PageReader([NoEngine()])  # type: ignore[list-item]


def named(settings: Settings, name: str, **vision: object) -> Settings:
    return settings.model_copy(update={"reader": ReaderSettings(name=name), "vision": VisionSettings(**vision)})


@pytest.mark.parametrize("name", ["ocr", "vision"])
def test_a_reader_is_made_by_its_name_without_loading_anything(settings: Settings, name: str) -> None:
    """Building the service costs no model: it is loaded with the first receipts."""
    assert make_reader(named(settings, name), WITNESS).name == name


def test_an_unknown_name_is_refused_with_the_known_ones(settings: Settings) -> None:
    """A typing slip in the settings says what may stand there."""
    with pytest.raises(ConfigError, match="auto, ocr, vision"):
        make_reader(named(settings, "ocrr"), WITNESS)


def test_auto_reads_with_ocr_where_vision_cannot_and_says_why(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Without GPU or weights the embedded reader works, and the log tells the reason."""
    with caplog.at_level(logging.INFO):
        reader = make_reader(named(settings, "auto", model="nobody/none", device="cpu"), WITNESS)
    assert reader.name == "ocr"
    [record] = [record for record in caplog.records if record.message == "reader_chosen"]
    installed = importlib.util.find_spec("torch") and importlib.util.find_spec("transformers")
    assert ("not on this machine" if installed else "not installed") in record.why  # type: ignore[attr-defined]


def test_the_settings_default_to_the_readers_own_defaults() -> None:
    """What the settings leave alone is what the vision reader would do by itself."""
    assert VisionOptions(**VisionSettings().model_dump()) == VisionOptions()
    assert VisionSettings().model == DEFAULT_MODEL
