"""The OCR engine for platforms without a wheel of faster-paddle: RapidOCR, that is PP-OCR on onnxruntime; from the extra `rapidocr`."""

import threading
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

from extractor.errors import ConfigError, ReaderUnavailable
from extractor.ocr.transcript import Box, Fragment

MAX_RATIO = 5  # RapidOCR enlarges the shorter side to 736 pixels, however long the other one becomes
VENDOR_MODULES = (
    "cv2",
    "onnxruntime.capi.onnxruntime_pybind11_state",
    "rapidocr.main",
    "rapidocr.ch_ppocr_det.utils",
    "rapidocr.inference_engine.onnxruntime.main",
)


class RapidOcr:
    """`OcrEngine` on RapidOCR. The models, which come with the package, are loaded with the first image.

    Args:
        threads: CPU threads; 0 for all cores.
    """

    def __init__(self, *, threads: int = 0) -> None:
        self.name = "rapidocr"
        self._threads = threads or -1
        self._reading = threading.Lock()  # the engine object is not thread-safe

    def read(self, image: Image.Image) -> list[Fragment]:
        """Return all text fragments of an RGB image, in any order, boxes in its pixels.

        Raises:
            ReaderUnavailable: The engine failed on this image.
            ConfigError: The extra is not installed.
        """
        pixels = np.ascontiguousarray(np.asarray(_pad_strip(image))[:, :, ::-1])  # RapidOCR expects BGR
        with self._reading:
            engine, vendor_errors = self._engine
            try:
                found = engine(pixels, use_cls=False)
            except vendor_errors as exc:
                raise ReaderUnavailable(f"The OCR engine {self.name} failed: {exc}.") from exc
        if found.boxes is None or found.txts is None:
            return []
        return [
            Fragment(text, Box(*(float(edge) for edge in (*corners.min(axis=0), *corners.max(axis=0)))), float(score))
            for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]

    @cached_property
    def _engine(self) -> tuple[Any, tuple[type[Exception], ...]]:
        """RapidOCR's engine, and all classes of errors that it may raise; most of them derive from `Exception` directly."""
        try:
            vendor = import_module("rapidocr")
            modules = [import_module(name) for name in VENDOR_MODULES]
        except ImportError as exc:
            raise ConfigError(
                "The OCR engine rapidocr is not installed. Install it: pip install '.[rapidocr]' in the source code's folder."
            ) from exc
        errors = {
            value for module in modules for value in vars(module).values() if isinstance(value, type) and issubclass(value, Exception)
        }
        engine = vendor.RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": self._threads})
        return engine, (RuntimeError, ValueError, TypeError, LookupError, OSError, ArithmeticError, *errors)


def _pad_strip(image: Image.Image) -> Image.Image:
    """Return the image, padded with white where it is longer than RapidOCR can take."""
    width, height = (max(side, max(image.size) // MAX_RATIO) for side in image.size)
    if (width, height) == image.size:
        return image
    paper = Image.new("RGB", (width, height), "white")
    paper.paste(image)
    return paper
