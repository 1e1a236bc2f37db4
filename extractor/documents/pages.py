"""A page, and the limits on files and pages."""

import math
from dataclasses import dataclass

from PIL import Image

MIN_WIDTH_PX = 800  # the shorter side of a long receipt is not scaled below this, so that it stays legible
# For that, a page may be longer than `max_side_px`, but has no more pixels than a square of 4,000: two metres of till roll.
MAX_STRIP_PIXELS = 16_000_000


@dataclass(frozen=True)
class PageLimits:
    """Limits on the size of files and pages.

    Attributes:
        max_bytes: Size of the file.
        max_pages: Pages of a PDF, frames of a TIFF or GIF.
        max_pixels: Width times height of one image as stored.
        max_side_px: Longer side after scaling; smaller images are not scaled. The shorter side of a long receipt keeps 800 pixels, up to 16
            megapixels in all.
    """

    max_bytes: int = 100_000_000
    max_pages: int = 20
    max_pixels: int = 100_000_000
    max_side_px: int = 4000


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        image: RGB, 8 bits, with the file's own orientation applied.
        number: Counted from 0.
        language: Name of the recognition model, where the text is in neither Latin nor Chinese script; `None` until OCR has run.
    """

    image: Image.Image
    number: int = 0
    language: str | None = None


def scale_to_fit(width: float, height: float, limits: PageLimits) -> float:
    """Return the factor, at most 1, that scales a page to fit `max_side_px`."""
    to_fit = limits.max_side_px / max(width, height)
    to_stay_legible = min(MIN_WIDTH_PX, limits.max_side_px) / min(width, height)
    to_fit_strip = math.sqrt(MAX_STRIP_PIXELS / (width * height))
    return min(1.0, max(to_fit, min(to_stay_legible, to_fit_strip)))
