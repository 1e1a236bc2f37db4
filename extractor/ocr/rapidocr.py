"""The OCR engine for machines where faster-paddle has no wheel: PP-OCR on onnxruntime, from the extra `rapidocr`."""

import threading
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from extractor.errors import ConfigError, ReaderUnavailable
from extractor.ocr.interface import Box, Fragment


class RapidOcr:
    """`OcrEngine` on RapidOCR. The models, which come with the package, are loaded with the first image.

    Args:
        threads: CPU threads; 0 for all cores.
    """

    name = "rapidocr"

    def __init__(self, *, threads: int = 0) -> None:
        self._threads = threads or -1
        self._reading = threading.Lock()  # the vendor's object keeps state between its steps

    def read(self, image: Image.Image) -> list[Fragment]:
        """All text fragments of an RGB image, in any order, boxes in its pixels.

        Raises:
            ReaderUnavailable: The engine failed on this image.
            ConfigError: The extra is not installed.
        """
        pixels = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])  # the vendor wants BGR
        with self._reading:
            engine = self._engine
            try:
                found = engine(pixels, use_cls=False)
            except VENDOR_ERRORS as exc:
                raise ReaderUnavailable(f"The OCR engine {self.name} failed: {exc}.") from exc
        if found.boxes is None or found.txts is None:
            return []
        return [
            Fragment(text, Box(*(float(edge) for edge in (*corners.min(axis=0), *corners.max(axis=0)))), float(score))
            for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]

    @cached_property
    def _engine(self) -> Any:
        try:
            import rapidocr  # noqa: PLC0415 -- an optional extra
        except ImportError as exc:
            raise ConfigError('The OCR engine rapidocr is not installed. Run: pip install "receipt-extractor[rapidocr]"') from exc
        return rapidocr.RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": self._threads})


# onnxruntime's own exceptions derive from RuntimeError, OpenCV's from Exception by way of RuntimeError-like cv2.error; see the tests.
VENDOR_ERRORS = (RuntimeError, ValueError, TypeError, LookupError, OSError, ArithmeticError)
