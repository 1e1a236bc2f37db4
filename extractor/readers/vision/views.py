"""Selects the images that a vision model is shown of a page: its paper, a tall receipt in parts, or an enlarged part beside it. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from extractor.documents import Page
from extractor.ocr.transcript import Box, Transcript
from extractor.readers.base import Document, Look

# Height to width of paper that is still shown whole: Llama 3.2 Vision stacks at most 4 tiles of 560 pixels.
TALLEST = 4.0

# Maximum height to width of a part of a taller receipt.
PART_HEIGHT = 2.0

# Maximum parts of one page, enough for a height of 25 widths; anything taller is hardly a receipt, and is shown in taller parts.
MAX_PARTS = 16

# Overlap of neighbouring parts, in widths: about six lines on a till roll, so that every item is whole in one part.
OVERLAP = 0.4

# Margin around the text, in line heights: OCR misses faint lines at the edges more often than it finds lines that do not exist.
PAPER_MARGIN_LINES = 3.0

# Margin around an enlarged part, in its heights; a quarter of that in its widths: labels stand beside their values.
ZOOM_MARGIN = 0.5

# Longer side of an enlarged part: two by two tiles, the largest square that the model takes at full scale.
ZOOM_SIDE_PX = 1120


@dataclass(frozen=True)
class View:
    """Images that are shown together.

    Attributes:
        images: One; or two: a page, and a part of it enlarged.
        page: Number of the page, counted from 0.
        part: Number of the part, where a page is shown in parts.
        box: The part of the page that is shown, in pixels; of two images, that of the enlarged one.
    """

    images: tuple[Image.Image, ...]
    page: int
    part: int
    box: Box


def views_of(document: Document, look: Look) -> tuple[View, ...]:
    """Return the views for one look at a document, in print order, at least one.

    An ordinary look shows the paper of every page. A look with a crop shows one page, and the crop enlarged and with more contrast: the
    text is larger than before, and the whole page shows its context.
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
    """Return the part of a page that has text, with a margin; the whole page where OCR found none or little would be cut off."""
    whole = Box(0, 0, *size)
    if not transcript.lines:
        return whole
    heights = sorted(line.box.height for line in transcript.lines)
    margin = PAPER_MARGIN_LINES * heights[len(heights) // 2]
    text = Box.around([line.box for line in transcript.lines])
    box = _within(Box(text.left - margin, text.top - margin, text.right + margin, text.bottom + margin), size)
    return box if box.width * box.height < 0.9 * whole.width * whole.height else whole


def parts_of(box: Box) -> list[Box]:
    """Split a tall box into overlapping parts of equal height, from top to bottom; other boxes are returned whole."""
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
    """Clip a box to the page and to whole pixels, at least one."""
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


# Width and height, in tiles, of the canvases that Llama 3.2 Vision supports.
TILE_CANVASES = ((1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1))


def scale_seen(size: Sequence[int], *, tile_px: int = 560) -> float:
    """Return the scale at which Llama 3.2 Vision takes an image of `size` (width, height) pixels: 0.5 halves it.

    It chooses the canvas that enlarges least, or if there is none, the one that shrinks least; small images are enlarged only until they
    fill a tile.
    """
    canvases = [(columns * tile_px, rows * tile_px) for columns, rows in TILE_CANVASES]
    scales = [min(width / size[0], height / size[1]) for width, height in canvases]
    enlarging = [scale for scale in scales if scale >= 1]
    chosen = min(enlarging) if enlarging else max(scales)
    canvas = min((width * height, (width, height)) for scale, (width, height) in zip(scales, canvases, strict=True) if scale == chosen)[1]
    return min(min(max(side, tile_px), most) / side for side, most in zip(size, canvas, strict=True))
