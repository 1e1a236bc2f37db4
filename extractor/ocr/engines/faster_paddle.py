"""The OCR engine that is always installed: PP-OCRv6 in native code, its models inside the package."""

import threading
from functools import cached_property
from io import BytesIO
from typing import Any, Literal

from PIL import Image

from extractor.errors import ReaderUnavailable
from extractor.ocr.malloc import return_freed_memory
from extractor.ocr.transcript import Box, Fragment

Size = Literal["tiny", "small"]

SMALLEST_SIDE_PX: dict[Size, int] = {"tiny": 736, "small": 64}
"""What an image's shorter side is enlarged to before text is looked for. `small` reads mostly rows, which are large enough as they come."""


LARGEST_SIDE_PX: dict[Size, int] = {"tiny": 1600, "small": 800}
"""What an image's longer side is reduced to before text is looked for: memory grows with the area, by 200 MB a megapixel with `small`."""


class FasterPaddle:
    """`OcrEngine` on faster-paddle. The model is loaded with the first image; images are read one at a time.

    Args:
        size: `tiny`, or `small`, which is slower and misreads less. Others would be downloaded, so they are not offered.
        threads: CPU threads; 0 for all cores.
    """

    def __init__(self, size: Size = "tiny", *, threads: int = 0) -> None:
        self.name = f"faster-paddle/{size}"
        self._size = size
        self._threads = threads or None
        self._loading = threading.Lock()

    def read(self, image: Image.Image) -> list[Fragment]:
        """All text fragments of an RGB image, in any order, boxes in its pixels.

        Raises:
            ReaderUnavailable: The engine cannot be loaded or failed on this image.
        """
        encoded = BytesIO()
        image.save(encoded, "BMP")  # uncompressed: saves 40 ms a page against PNG
        try:
            with self._loading:
                engine = self._engine
            found = engine.ocr(encoded.getvalue())
        except (RuntimeError, ValueError, OSError) as exc:
            raise ReaderUnavailable(f"The OCR engine {self.name} failed: {exc}.") from exc
        except BaseException as exc:
            # A panic of the native code arrives as a class that derives from BaseException and cannot be imported.
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
