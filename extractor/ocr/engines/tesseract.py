"""Tesseract's line recognisers for Cyrillic, Greek and Thai print; the models lie beside this module, see `tessdata/README.md`."""

import os
import threading
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

from extractor.errors import ReaderUnavailable

PACKAGE = "tesserocr"
MODELS = Path(__file__).parent / "tessdata"
HEIGHT_PX = 48  # recognisers scale rows to 36 to 48 pixels; larger costs time and gains nothing
SARA_AM = ("\u0e4d\u0e32", "\u0e33")  # Thai: two signs that the model gives for one letter
MAX_ASPECT = 60  # width in heights, above which a row is no row


@dataclass(frozen=True)
class RecognisedLine:
    """A row's words, each with its confidence, 0 to 1."""

    words: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        return " ".join(word for word, _ in self.words)

    @property
    def confidence(self) -> float:
        """Mean over the characters; 0 where nothing was read."""
        return sum(len(word) * sure for word, sure in self.words) / max(1, sum(len(word) for word, _ in self.words))


class LineRecogniser:
    """Reads single rows in one language. The model is loaded with the first row, in 10 ms; rows are read one at a time.

    Args:
        language: Name of a model in `tessdata/`, such as `bul`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._reading = threading.Lock()

    def read(self, row: Image.Image) -> RecognisedLine:
        """The words of an image that holds one printed row.

        Raises:
            ReaderUnavailable: The model cannot be loaded, or the engine failed.
        """
        width = min(MAX_ASPECT * HEIGHT_PX, max(1, round(row.width * HEIGHT_PX / max(1, row.height))))
        line = row.convert("L").resize((width, HEIGHT_PX), Image.Resampling.LANCZOS)
        try:
            with self._reading:
                api, vendor = self._api, self._vendor
                for mode in (vendor.PSM.SINGLE_LINE, vendor.PSM.RAW_LINE):  # the first looks for the row's place, and may see none
                    api.SetPageSegMode(mode)
                    api.SetImage(line)
                    words = api.GetUTF8Text().replace(*SARA_AM).split()
                    if words:
                        sure = api.AllWordConfidences()
                        return RecognisedLine(tuple((word, percent / 100) for word, percent in zip(words, sure, strict=False)))
        except (RuntimeError, ValueError, OSError) as exc:
            raise ReaderUnavailable(f"Tesseract failed with its model {self.language}: {exc}.") from exc
        return RecognisedLine(())

    @cached_property
    def _vendor(self) -> Any:
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # threads cost more than they bring on a single row
        return import_module(PACKAGE)

    @cached_property
    def _api(self) -> Any:
        return self._vendor.PyTessBaseAPI(path=str(MODELS), lang=self.language, oem=self._vendor.OEM.LSTM_ONLY)
