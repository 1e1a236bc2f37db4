"""Recognises single text rows in Cyrillic, Greek and Thai with Tesseract; the models are in `tessdata/`, see its README.md."""

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
HEIGHT_PX = 48  # the models scale rows to 36 to 48 pixels; larger rows cost time and gain nothing
SARA_AM = ("\u0e4d\u0e32", "\u0e33")  # Thai: two characters that the model outputs for one
MAX_ASPECT = 60  # width to height; wider images are squeezed, as no text row is so long


@dataclass(frozen=True)
class RecognisedLine:
    """The words of a row, each with its confidence, 0 to 1."""

    words: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        return " ".join(word for word, _ in self.words)

    @property
    def confidence(self) -> float:
        """Mean confidence, weighted by characters; 0 where nothing was recognised."""
        return sum(len(word) * confidence for word, confidence in self.words) / max(1, sum(len(word) for word, _ in self.words))


class LineRecogniser:
    """Recognises single rows in one language. The model is loaded with the first row, which takes 10 ms.

    Args:
        language: Name of a model in `tessdata/`, such as `bul`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._reading = threading.Lock()

    def read(self, row: Image.Image) -> RecognisedLine:
        """Return the words of an image that shows one text row.

        Raises:
            ReaderUnavailable: The model cannot be loaded, or the engine failed.
        """
        width = min(MAX_ASPECT * HEIGHT_PX, max(1, round(row.width * HEIGHT_PX / max(1, row.height))))
        line = row.convert("L").resize((width, HEIGHT_PX), Image.Resampling.LANCZOS)
        try:
            with self._reading:
                api, vendor = self._api, self._vendor
                for mode in (vendor.PSM.SINGLE_LINE, vendor.PSM.RAW_LINE):  # the first detects the row in the image, and may find none
                    api.SetPageSegMode(mode)
                    api.SetImage(line)
                    words = api.GetUTF8Text().replace(*SARA_AM).split()
                    if words:
                        percents = api.AllWordConfidences()
                        return RecognisedLine(tuple((word, percent / 100) for word, percent in zip(words, percents, strict=False)))
        except (RuntimeError, ValueError, OSError) as exc:
            raise ReaderUnavailable(f"Tesseract failed with its model {self.language}: {exc}.") from exc
        return RecognisedLine(())

    @cached_property
    def _vendor(self) -> Any:
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # a single row is too little work for several threads
        return import_module(PACKAGE)

    @cached_property
    def _api(self) -> Any:
        return self._vendor.PyTessBaseAPI(path=str(MODELS), lang=self.language, oem=self._vendor.OEM.LSTM_ONLY)
