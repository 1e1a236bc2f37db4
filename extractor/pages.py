"""A file becomes upright, bounded pages: kind by content, EXIF orientation, HEIC, PDF, several pages."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image


@dataclass(frozen=True)
class PageLimits:
    """What a file may ask of this machine.

    Attributes:
        max_bytes: Size of the file.
        max_pages: Pages of a PDF, frames of a TIFF or GIF.
        max_pixels: Width times height of one image as stored.
        max_side_px: Longer side after scaling; smaller images are left alone.
    """

    max_bytes: int = 100_000_000
    max_pages: int = 20
    max_pixels: int = 100_000_000
    max_side_px: int = 4000


@dataclass(frozen=True)
class Page:
    """One page: `image` is RGB, 8 bits, upright as far as the file itself says."""

    image: Image.Image
    number: int = 0


def load_pages(path: Path, limits: PageLimits) -> tuple[Page, ...]:
    """Every page of a receipt file, decoded to the end, upright and no larger than the limits allow.

    Returns:
        Pages in print order, at least one.
    Raises:
        Unreadable: Empty, truncated, or not an image or PDF by content, whatever its suffix.
        Encrypted: A PDF that asks for a password.
        TooLarge: More bytes, pages or pixels than `limits`; found out before the pixels are decoded.
    """
    raise NotImplementedError
