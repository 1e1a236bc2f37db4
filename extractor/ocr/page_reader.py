"""The witness: a page becomes the same page upright, and a transcript of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from extractor.documents import Page
from extractor.ocr.columns import reread_columns
from extractor.ocr.deskew import measure_tilt
from extractor.ocr.layout import to_lines
from extractor.ocr.merged_rows import merged
from extractor.ocr.scripts import Scripts
from extractor.ocr.transcript import Box, Fragment, OcrEngine, Transcript

SIDEWAYS = 0.5  # share of the text in boxes that are higher than wide: below 0.1 on upright pages, above 0.9 on sideways ones
SURE = 0.78  # mean confidence: above 0.8 on pages that are the right way up, below 0.7 on those that are upside down
MIN_CHARACTERS = 12  # too little text to tell a page's direction from
MAX_TILT = 2.0  # degrees; below this neither recognition nor rows suffer
STILL_READ = 0.9  # share of the evidence that must be left after levelling
# Engines scale a page to 1600 pixels before they look for text: small print of a strip would vanish.
MAX_STRIP, BAND, MIN_STRIP_PX = 8, 5, 2000  # heights in widths of the page; what is lower than 2000 pixels is not scaled much
PART = 0.75  # height in widths of the parts that a large engine reads a page in
SAME_PLACE = 0.6  # share of the smaller of two fragments that the other covers, from which on they are one

Enhance = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class _Look:
    """One way of looking at a page: which engine of the ladder, how much enlarged, what is done to the image first.

    Attributes:
        in_parts: Read even an ordinary page in parts: a large engine needs memory by the pixels that it sees at once.
    """

    engine: int
    enlarge: float = 1.0
    enhance: Enhance | None = None
    in_parts: bool = True


def _stretch(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(image.convert("L"), cutoff=(2, 5)).convert("RGB")


def _blacken(image: Image.Image) -> Image.Image:
    """Shadows and stains gone: grey relative to the paper around it, then stretched."""
    grey = image.convert("L")
    paper = grey.filter(ImageFilter.BoxBlur(max(15, grey.width // 20)))
    flat = Image.blend(ImageOps.invert(paper), grey, 0.5)
    return ImageOps.autocontrast(flat, cutoff=(1, 40)).convert("RGB")


LOOKS = (_Look(0, in_parts=False), _Look(1), _Look(1, 1.6, _stretch), _Look(1, 1.3, _blacken))
MAX_PARTED = 4  # boxes of two rows that are looked at alone on one page: each costs a tenth of a page
CROP_HEIGHT_PX = 110  # what a row and its margins are enlarged to, at most threefold: engines scale rows to 48 pixels
MAX_ENLARGE = 3.0
SHRINK = 0.4  # a crop that cannot be read is looked at once more so much smaller
ROW_MARGIN = 0.13  # of a row's height, that is kept above and below it where its neighbours are painted over
CROP_MARGIN = 0.02  # of the page's width: engines miss text that touches the edge


class PageReader:
    """Reads pages with a ladder of engines.

    Args:
        ladder: Engines, cheapest first; at least one. Where it is shorter than a look asks for, its last one looks.
        scripts: Reads again what is printed in scripts that the engines do not know.
    """

    def __init__(self, ladder: Sequence[OcrEngine], scripts: Scripts | None = None) -> None:
        self._ladder, self._scripts = tuple(ladder), scripts

    @property
    def name(self) -> str:
        """Its engines, cheapest first."""
        return ", ".join(engine.name for engine in self._ladder)

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:
        """The page turned upright, and what is printed on it; boxes are in pixels of the page returned.

        Args:
            effort: 0 for the ordinary look; each step up costs more and differs from the one below. Above the last it stays there.
            crop: Look at this part only, enlarged; the page is then taken as upright already and returned as it is.
            row: Of the crop, what stands above and below this box is painted over: neighbours cost as much to read as the row itself.
        Raises:
            ReaderUnavailable: The engine failed.
        """
        look = LOOKS[min(effort, len(LOOKS) - 1)]
        if crop is not None:
            image, fragments = page.image, self._read_crop(page.image, crop, look, row=row)
        else:
            image, fragments = self._read_upright(page.image, look)
            page = page if image is page.image else replace(page, image=image)
            if self._scripts and page.language is None and (language := self._scripts.language_of(image, fragments)):
                page = replace(page, language=language)
        if self._scripts and page.language:
            fragments = self._scripts.reread(image, fragments, page.language)
        return page, Transcript(to_lines(without_doubles(fragments)), image.width, image.height, self._engine(look).name)

    def _engine(self, look: _Look) -> OcrEngine:
        return self._ladder[min(look.engine, len(self._ladder) - 1)]

    def _read_upright(self, image: Image.Image, look: _Look) -> tuple[Image.Image, list[Fragment]]:
        """Most pages are upright and cost one reading; each fault that the reading shows costs another one."""
        seen = self._read(image, look)
        if _share_sideways(seen) > SIDEWAYS:
            # Engines turn high boxes left before they read them, so what was read well needs a left turn.
            turn = Image.Transpose.ROTATE_90 if _mean_confidence(seen) > SURE else Image.Transpose.ROTATE_270
            image = image.transpose(turn)
            seen = self._read(image, look)
        if _characters(seen) >= MIN_CHARACTERS and _mean_confidence(seen) < SURE:
            other = image.transpose(Image.Transpose.ROTATE_180)
            turned = self._read(other, look)
            if _evidence(turned) > _evidence(seen):
                image, seen = other, turned
        tilt = measure_tilt(image, [fragment.box for fragment in seen])
        if abs(tilt) > MAX_TILT:
            level = image.rotate(tilt, Image.Resampling.BICUBIC, expand=True, fillcolor=_paper_colour(image))
            levelled = self._read(level, look)
            # Both may be read well, but rows show in the level one only; much less text tells of a tilt measured wrong.
            if _evidence(levelled) > STILL_READ * _evidence(seen):
                image, seen = level, levelled
        return image, self._parted(image, reread_columns(image, seen, self._engine(look).read), look)

    def _read(self, image: Image.Image, look: _Look) -> list[Fragment]:
        """Fragments with boxes in pixels of `image`, however the look changes it; long strips are read in parts."""
        engine, found = self._engine(look), []
        for top, bottom in _bands(image.width, image.height, in_parts=look.in_parts):
            sight = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
            sight = look.enhance(sight) if look.enhance else sight
            if look.enlarge != 1:
                size = (max(1, round(sight.width * look.enlarge)), max(1, round(sight.height * look.enlarge)))
                sight = sight.resize(size, Image.Resampling.LANCZOS)
            found += [_moved(fragment, 1 / look.enlarge, 0, top) for fragment in engine.read(sight)]
        return found

    def _parted(self, image: Image.Image, found: list[Fragment], look: _Look) -> list[Fragment]:
        """The fragments; those of boxes that hold two rows replaced by what the boxes say when they are looked at alone."""
        for mixed in merged(image, found)[:MAX_PARTED]:
            parts = [part for part in self._read_crop(image, mixed.box, look, rows=2) if _overlap(part.box, mixed.box) >= SAME_PLACE]
            if len(to_lines(parts)) > 1:
                found = [fragment for fragment in found if fragment is not mixed] + parts
        return found

    def _read_crop(self, image: Image.Image, crop: Box, look: _Look, *, rows: int = 1, row: Box | None = None) -> list[Fragment]:
        margin = CROP_MARGIN * image.width
        left, top = max(0, round(crop.left - margin)), max(0, round(crop.top - margin))
        right, bottom = min(image.width, round(crop.right + margin)), min(image.height, round(crop.bottom + margin))
        if right <= left or bottom <= top:
            return []
        part = image.crop((left, top, right, bottom))
        if row is not None:
            _paint_over(part, row.top - top - ROW_MARGIN * row.height, row.bottom - top + ROW_MARGIN * row.height)
        enlarge = min(MAX_ENLARGE, max(1.0, rows * CROP_HEIGHT_PX / part.height))
        found = self._read(part, replace(look, enlarge=enlarge))
        if _mean_confidence(found) < SURE:
            # Of large print, engines may see strokes or dots instead of words.
            found = max(found, self._read(part, replace(look, enlarge=enlarge * SHRINK)), key=_evidence)
        return [_moved(fragment, 1.0, left, top) for fragment in found]


def _paint_over(image: Image.Image, top: float, bottom: float) -> None:
    """Paints everything above `top` and below `bottom` in the colour of the paper."""
    paper = _paper_colour(image)
    image.paste(paper, (0, 0, image.width, min(image.height, max(0, round(top)))))
    image.paste(paper, (0, min(image.height, max(0, round(bottom))), image.width, image.height))


def _bands(width: int, height: int, *, in_parts: bool) -> list[tuple[int, int]]:
    """The parts, from top to bottom, that a page is read in; they overlap by more than a row."""
    if in_parts and height > PART * width:
        count, overlap = math.ceil(height / (PART * width)), width // 16
    elif height > MAX_STRIP * width and height > MIN_STRIP_PX:
        count, overlap = -(-height // max(BAND * width, MIN_STRIP_PX // 2)), width // 8
    else:
        return [(0, height)]
    return [(max(0, height * n // count - overlap), min(height, height * (n + 1) // count + overlap)) for n in range(count)]


def _moved(fragment: Fragment, scale: float, left: float, top: float) -> Fragment:
    box = fragment.box
    return replace(fragment, box=Box(box.left * scale + left, box.top * scale + top, box.right * scale + left, box.bottom * scale + top))


def without_doubles(fragments: Sequence[Fragment]) -> list[Fragment]:
    """The fragments, less those that lie on another one which says more or is surer."""
    ranked = sorted(fragments, key=lambda one: one.confidence * len(one.text), reverse=True)
    boxes = np.array([fragment.box for fragment in ranked], dtype=float).reshape(-1, 4)
    kept: list[int] = []
    for index, fragment in enumerate(ranked):
        left, top, right, bottom = boxes[kept].T
        # Pages have thousands of fragments, of which few touch this one.
        touching = (left < fragment.box.right) & (right > fragment.box.left) & (top < fragment.box.bottom) & (bottom > fragment.box.top)
        if all(_overlap(fragment.box, ranked[kept[place]].box) < SAME_PLACE for place in np.flatnonzero(touching)):
            kept.append(index)
    return [ranked[index] for index in kept]


def _overlap(a: Box, b: Box) -> float:
    """Share of the smaller box that the other one covers."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    smaller = min(a.width * a.height, b.width * b.height)
    return width * height / smaller if width > 0 and height > 0 and smaller > 0 else 0.0


def _characters(fragments: Sequence[Fragment]) -> int:
    return sum(len(fragment.text) for fragment in fragments)


def _share_sideways(fragments: Sequence[Fragment]) -> float:
    high = _characters([fragment for fragment in fragments if fragment.box.height > 1.5 * fragment.box.width])
    return high / max(1, _characters(fragments))


def _mean_confidence(fragments: Sequence[Fragment]) -> float:
    return sum(fragment.confidence * len(fragment.text) for fragment in fragments) / max(1, _characters(fragments))


def _evidence(fragments: Sequence[Fragment]) -> float:
    """How much was read and how surely; guesses at nonsense, which score about one half, count for nothing."""
    return sum(len(fragment.text) * max(0.0, fragment.confidence - 0.5) for fragment in fragments)


def _paper_colour(image: Image.Image) -> tuple[int, ...]:
    small = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return small if isinstance(small, tuple) else (255, 255, 255)
