"""Renders PDF pages into images, as they would be printed."""

import threading
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from extractor.documents.images import check_pixels
from extractor.documents.pages import PageLimits, scale_to_fit
from extractor.errors import Encrypted, TooLarge, Unreadable

POINTS_PER_INCH = 72
DPI = 300  # text of 6 points is then 25 pixels high, enough for OCR; scans are rarely finer
# PDFium is not thread-safe, not even for two documents (see its documentation).
_PDFIUM_LOCK = threading.RLock()


def pages(name: str, data: bytes, limits: PageLimits) -> Iterator[Image.Image]:
    """Render the pages of a PDF on white, in order.

    Args:
        name: For messages.
    Raises:
        Encrypted: It needs a password.
        Unreadable: Damaged, or without pages.
        TooLarge: More pages than `limits`, or an image inside with too many pixels.
    """
    with _PDFIUM_LOCK:
        document = _open(name, data)
        count = len(document)
    try:
        if count > limits.max_pages:
            raise TooLarge(f"{name} has {count} pages; the limit is {limits.max_pages}. Split it, or raise limits.max_pages.")
        if count == 0:
            raise Unreadable(f"{name} is a PDF without pages. Copy the whole file again.")
        for number in range(count):
            with _PDFIUM_LOCK:
                image = _render(name, document, number, limits)
            yield image
    finally:
        with _PDFIUM_LOCK:
            document.close()


def _open(name: str, data: bytes) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(data)
        document.init_forms()  # so that form fields are rendered with their values
    except pypdfium2.PdfiumError as exc:
        if exc.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise Encrypted(f"{name} is encrypted. Remove the password and drop it again.") from exc
        raise Unreadable(f"{name} is a damaged PDF: {exc}. Copy the whole file again.") from exc
    return document


def _render(name: str, document: pypdfium2.PdfDocument, number: int, limits: PageLimits) -> Image.Image:
    try:
        page = document[number]
        try:
            for image_object in page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,)):
                check_pixels(f"An image in {name}", image_object.get_px_size(), limits)
            scale = DPI / POINTS_PER_INCH
            width, height = (max(1.0, side * scale) for side in page.get_size())
            scale *= scale_to_fit(width, height, limits)
            bitmap = page.render(scale=scale)
            image: Image.Image = bitmap.to_pil().convert("RGB")
            bitmap.close()
        finally:
            page.close()
    except pypdfium2.PdfiumError as exc:
        raise Unreadable(f"Page {number + 1} of {name} is damaged: {exc}. Copy the whole file again.") from exc
    return image
