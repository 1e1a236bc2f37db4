"""Pages become the images that a vision model is shown: the paper only, tall receipts in parts, a part enlarged beside the whole. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from extractor.documents import Page
from extractor.ocr.transcript import Box, Transcript
from extractor.readers.base import Document, Look

TALLEST = 4.0
"""Height over width that is still shown whole: Llama 3.2 Vision has at most 4 tiles of 560 pixels above one another."""

PART_HEIGHT = 2.0
"""Height over width of a part of a taller receipt, at most."""

MAX_PARTS = 16
"""Parts of one page at most, enough for 25 times the width; what is taller still is no receipt, and is shown in taller parts."""

OVERLAP = 0.4
"""What neighbouring parts share, in widths: on a till roll about six printed lines, so that no item is cut in all parts."""

PAPER_MARGIN_LINES = 3.0
"""Paper kept around the text, in line heights: OCR misses faint lines at the edges more often than it sees lines that are not there."""

ZOOM_MARGIN = 0.5
"""Paper kept around an enlarged part, as a share of its own height and a quarter of its width: labels stand beside their values."""

ZOOM_SIDE_PX = 1120
"""Longer side of an enlarged part: two tiles by two, the largest square that the model sees at full scale."""


@dataclass(frozen=True)
class View:
    """What is shown at once.

    Attributes:
        images: One; or two, a page and a part of it enlarged.
        page: Page that it is taken from, counted from 0.
        part: Its place among the parts of a page that is shown in parts.
        box: What of the page it shows, in pixels; of two images the enlarged one.
    """

    images: tuple[Image.Image, ...]
    page: int
    part: int
    box: Box


def views_of(document: Document, look: Look) -> tuple[View, ...]:
    """What to show for one look at a document, in print order, at least one.

    An ordinary look shows the paper of every page. A look with a crop shows one page, and that part of it enlarged and with more contrast:
    the print is larger than before, and the whole page tells what it belongs to.
    """
    numbers = range(len(document.pages)) if look.page is None else (look.page,)
    views = [view for number in numbers for view in _views_of_page(document.pages[number], document.transcripts[number], number, look)]
    return tuple(views)


def _views_of_page(page: Page, transcript: Transcript, number: int, look: Look) -> list[View]:
    paper = paper_box(transcript, page.image.size)
    if look.crop is not None:
        box = _around(look.crop, page.image.size)
        part = ImageOps.autocontrast(_cut(page.image, box).convert("L"), cutoff=1).convert("RGB")
        return [View((_cut(page.image, paper), _enlarged(part)), number, 0, box)]
    return [View((_cut(page.image, box),), number, part, box) for part, box in enumerate(parts_of(paper))]


def paper_box(transcript: Transcript, size: tuple[int, int]) -> Box:
    """The part of a page that has text, with a margin; the whole page where OCR saw none or where little would be saved."""
    whole = Box(0, 0, *size)
    if not transcript.lines:
        return whole
    heights = sorted(line.box.height for line in transcript.lines)
    margin = PAPER_MARGIN_LINES * heights[len(heights) // 2]
    text = Box.around([line.box for line in transcript.lines])
    box = _within(Box(text.left - margin, text.top - margin, text.right + margin, text.bottom + margin), size)
    return box if box.width * box.height < 0.9 * whole.width * whole.height else whole


def parts_of(box: Box) -> list[Box]:
    """A box that is not too tall as it is; a taller one as parts of equal height that overlap, from top to bottom."""
    if box.width <= 0 or box.height <= TALLEST * box.width:
        return [box]
    overlap = OVERLAP * box.width
    count = min(MAX_PARTS, math.ceil((box.height - overlap) / (PART_HEIGHT * box.width - overlap)))
    step = (box.height - overlap) / count
    return [Box(box.left, box.top + index * step, box.right, box.top + (index + 1) * step + overlap) for index in range(count)]


def _around(crop: Box, size: tuple[int, int]) -> Box:
    across, down = ZOOM_MARGIN / 4 * crop.width, ZOOM_MARGIN * crop.height
    return _within(Box(crop.left - across, crop.top - down, crop.right + across, crop.bottom + down), size)


def _within(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that lies on the page, on whole pixels, at least one of them."""
    left, top = min(max(0, int(box.left)), size[0] - 1), min(max(0, int(box.top)), size[1] - 1)
    right, bottom = max(left + 1, min(size[0], round(box.right))), max(top + 1, min(size[1], round(box.bottom)))
    return Box(left, top, right, bottom)


def _cut(image: Image.Image, box: Box) -> Image.Image:
    return image.crop((round(box.left), round(box.top), round(box.right), round(box.bottom)))


def _enlarged(image: Image.Image) -> Image.Image:
    scale = ZOOM_SIDE_PX / max(image.size)
    if scale <= 1:
        return image
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BICUBIC)


TILE_CANVASES = ((1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1))
"""Width and height in tiles of the canvases that Llama 3.2 Vision knows."""


def scale_seen(size: Sequence[int], *, tile_px: int = 560) -> float:
    """The scale at which Llama 3.2 Vision sees an image of `size` (width, height) pixels: 0.5 halves the print.

    The canvas is the one that enlarges least, or failing that shrinks least; small images are enlarged only until they fill a tile.
    """
    canvases = [(columns * tile_px, rows * tile_px) for columns, rows in TILE_CANVASES]
    scales = [min(width / size[0], height / size[1]) for width, height in canvases]
    enlarging = [scale for scale in scales if scale >= 1]
    chosen = min(enlarging) if enlarging else max(scales)
    canvas = min((width * height, (width, height)) for scale, (width, height) in zip(scales, canvases, strict=True) if scale == chosen)[1]
    return min(min(max(side, tile_px), most) / side for side, most in zip(size, canvas, strict=True))
