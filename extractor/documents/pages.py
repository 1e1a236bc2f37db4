"""What a file becomes and what it may cost. Every image of this process is opened behind these limits."""

import math
from dataclasses import dataclass

from PIL import Image

MIN_WIDTH_PX = 800  # a till roll stays readable: its shorter side is not scaled below this
MAX_STRIP_PIXELS = (
    16_000_000  # for that a page may be longer than `max_side_px`, but no larger than a square of 4,000: two metres of till roll
)


@dataclass(frozen=True)
class PageLimits:
    """What a file may ask of this machine.

    Attributes:
        max_bytes: Size of the file.
        max_pages: Pages of a PDF, frames of a TIFF or GIF.
        max_pixels: Width times height of one image as stored.
        max_side_px: Longer side after scaling; smaller images are left alone. Of a long strip the shorter side keeps 800 pixels, up to 16
            megapixels in all.
    """

    max_bytes: int = 100_000_000
    max_pages: int = 20
    max_pixels: int = 100_000_000
    max_side_px: int = 4000


@dataclass(frozen=True)
class Page:
    """One page: `image` is RGB, 8 bits, upright as far as the file itself says.

    Attributes:
        language: Who reads its print, where that is not in Latin or Chinese letters; known once it was read.
    """

    image: Image.Image
    number: int = 0
    language: str | None = None


def scale_to_fit(width: float, height: float, limits: PageLimits) -> float:
    """The factor, at most 1, that brings a page within `max_side_px`."""
    wanted = limits.max_side_px / max(width, height)
    narrowest = min(MIN_WIDTH_PX, limits.max_side_px) / min(width, height)
    most = math.sqrt(MAX_STRIP_PIXELS / (width * height))
    return min(1.0, max(wanted, min(narrowest, most)))
