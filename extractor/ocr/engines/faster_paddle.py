"""The default OCR engine: faster-paddle, that is PP-OCRv6 in native code, with its models inside the package."""

import ctypes
import threading
from functools import cached_property
from io import BytesIO
from typing import Any, Literal

from PIL import Image

from extractor.errors import ReaderUnavailable
from extractor.ocr.transcript import Box, Fragment

Size = Literal["tiny", "small"]

# The shorter side of an image is enlarged to this before detection. `small` reads mostly single rows, which are large enough already.
SMALLEST_SIDE_PX: dict[Size, int] = {"tiny": 736, "small": 64}
# The longer side is reduced to this before detection: memory grows with the area, by 200 MB per megapixel with `small`.
LARGEST_SIDE_PX: dict[Size, int] = {"tiny": 1600, "small": 800}

# Source: glibc's malloc.h and mallopt(3): trim threshold, mmap threshold, greatest number of arenas.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
RETURNED_BYTES = 1 << 20  # blocks from this size on are returned to the system as soon as they are freed


def return_freed_memory() -> None:
    """Make the C library return large blocks to the system when they are freed; no effect where it is not glibc.

    By default glibc keeps up to 32 MB of freed blocks in each of several arenas, which images of varying sizes fragment.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_TRIM_THRESHOLD, RETURNED_BYTES)
    mallopt(_MMAP_THRESHOLD, RETURNED_BYTES)


class FasterPaddle:
    """`OcrEngine` on faster-paddle. The model is loaded with the first image.

    Args:
        size: `tiny`, or `small`, which is slower and more accurate. Larger models would be downloaded, so they are not offered.
        threads: CPU threads; 0 for all cores.
    """

    def __init__(self, size: Size = "tiny", *, threads: int = 0) -> None:
        self.name = f"faster-paddle/{size}"
        self._size = size
        self._threads = threads or None
        self._loading = threading.Lock()

    def read(self, image: Image.Image) -> list[Fragment]:
        """Return all text fragments of an RGB image, in any order, boxes in its pixels.

        Raises:
            ReaderUnavailable: The engine cannot be loaded or failed on this image.
        """
        encoded = BytesIO()
        image.save(encoded, "BMP")  # uncompressed: 40 ms per page faster than PNG
        try:
            with self._loading:
                engine = self._engine
            found = engine.ocr(encoded.getvalue())
        except (RuntimeError, ValueError, OSError) as exc:
            raise ReaderUnavailable(f"The OCR engine {self.name} failed: {exc}.") from exc
        except BaseException as exc:
            # A panic of the native code is raised as a subclass of BaseException that cannot be imported.
            if type(exc).__name__ != "PanicException":
                raise
            raise ReaderUnavailable(f"The OCR engine {self.name} crashed: {exc}.") from exc
        return [
            Fragment(part["text"], Box(*map(float, (*part["topLeftCoord"], *part["bottomRightCoord"]))), float(part["confidence"]))
            for part in found["bounds"].values()
        ]

    @cached_property
    def _engine(self) -> Any:
        import faster_paddle  # noqa: PLC0415 -- loaded with the first image

        return_freed_memory()
        return faster_paddle.OcrEngine(
            model_size=self._size,
            threads=self._threads,
            det_min_side=SMALLEST_SIDE_PX[self._size],
            det_max_side=LARGEST_SIDE_PX[self._size],
        )
