"""A file becomes upright, bounded pages: kind by content, EXIF orientation, HEIC, PDF, several pages."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from extractor.documents.file_access import display_name, read_bytes
from extractor.documents.formats import kind_of, missing_end
from extractor.documents.pages import Page, PageLimits
from extractor.errors import Unreadable

__all__ = ["Page", "PageLimits", "check_complete", "display_name", "load_pages"]

CHECK_SIDE_PX = 500  # JPEG and PDF decode several times faster at this size, and are read to the end all the same


def load_pages(path: Path, limits: PageLimits) -> tuple[Page, ...]:
    """Every page of a receipt file, decoded to the end, upright and no larger than the limits allow.

    Returns:
        Pages in print order, at least one.
    Raises:
        Unreadable: Empty, truncated, or not an image or PDF by content, whatever its suffix; a link, folder, pipe or device.
        Encrypted: A PDF that asks for a password.
        TooLarge: More bytes, pages or pixels than `limits`; found out before the pixels are decoded.
    """
    return tuple(_pages(path, limits))


def check_complete(path: Path, limits: PageLimits) -> None:
    """Nothing where `load_pages` would succeed; otherwise its error. Cheaper, and holds one small page at a time."""
    deque(_pages(path, replace(limits, max_side_px=CHECK_SIDE_PX)), maxlen=0)


def _pages(path: Path, limits: PageLimits) -> Iterator[Page]:
    name = display_name(path)
    data = read_bytes(path, limits)
    kind = kind_of(data)
    if kind.is_readable and (missing := missing_end(kind, data)):
        raise Unreadable(f"{name} is cut off: {missing}. Copy the whole file again.")
    match kind.decoder:
        case "pdf":
            from extractor.documents import pdf  # noqa: PLC0415 -- most files need only one decoder, and most importers none

            decoded = pdf.pages(name, data, limits)
        case "pillow" | "heif":
            from extractor.documents import images  # noqa: PLC0415 -- as above

            decoded = images.pages(name, kind, data, limits)
        case _:
            raise Unreadable(f"{name} is {kind.label}, not an image or PDF. Drop a photo, a scan or a PDF of the receipt.")
    for number, image in enumerate(decoded):
        yield Page(image, number)
