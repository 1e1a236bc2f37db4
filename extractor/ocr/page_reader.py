"""Reads a page: turns it upright and returns its transcript."""

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
CONFIDENT = 0.78  # mean confidence: above 0.8 on pages that are the right way up, below 0.7 on those that are upside down
MIN_CHARACTERS = 12  # fewer do not tell a page's orientation
MAX_TILT = 2.0  # degrees; smaller tilts affect neither recognition nor rows
STILL_READ = 0.9  # share of the evidence that must remain after deskewing
# Engines scale a page to 1600 pixels before they detect text, which would lose the small print of a long strip.
MAX_STRIP, BAND = 8, 5  # height to width of a page that is read in bands, and of a band
MIN_STRIP_PX = 2000  # lower pages are not scaled much
PART = 0.75  # height to width of the parts that a large engine reads a page in
SAME_PLACE = 0.6  # two fragments are duplicates if one covers at least this share of the smaller one

Enhance = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class _Effort:
    """One way to read a page.

    Attributes:
        engine: Index of the engine; the last one where there are fewer.
        enlarge: Factor by which the image is enlarged first.
        enhance: Applied to the image first.
        in_parts: Read even an ordinary page in parts: a large engine's memory grows with the pixels that it is given at once.
    """

    engine: int
    enlarge: float = 1.0
    enhance: Enhance | None = None
    in_parts: bool = True


def _stretch_contrast(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(image.convert("L"), cutoff=(2, 5)).convert("RGB")


def _remove_shadows(image: Image.Image) -> Image.Image:
    """Return the image in grey relative to the paper around each pixel, with its contrast stretched."""
    grey = image.convert("L")
    paper = grey.filter(ImageFilter.BoxBlur(max(15, grey.width // 20)))
    flat = Image.blend(ImageOps.invert(paper), grey, 0.5)
    return ImageOps.autocontrast(flat, cutoff=(1, 40)).convert("RGB")


EFFORTS = (_Effort(0, in_parts=False), _Effort(1), _Effort(1, 1.6, _stretch_contrast), _Effort(1, 1.3, _remove_shadows))
MAX_SPLIT = 4  # boxes of two rows on a page that are read again: each costs a tenth of a page
CROP_HEIGHT_PX = 110  # height that a crop of one row is enlarged to; engines scale rows to 48 pixels
MAX_ENLARGE = 3.0
SHRINK = 0.4  # a crop that cannot be read is tried once more at this scale
ROW_MARGIN = 0.13  # margin, in heights of the row, that is kept above and below it where its neighbours are painted over
CROP_MARGIN = 0.02  # of the page's width: engines miss text that touches the edge


class PageReader:
    """Reads pages with several engines.

    Args:
        engines: Cheapest first; at least one.
        scripts: Reads text again that is in scripts that the engines do not know.
    """

    def __init__(self, engines: Sequence[OcrEngine], scripts: Scripts | None = None) -> None:
        self._engines, self._scripts = tuple(engines), scripts

    @property
    def name(self) -> str:
        """The names of its engines, cheapest first."""
        return ", ".join(engine.name for engine in self._engines)

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:
        """Return the page turned upright, and its transcript, with boxes in pixels of the returned page.

        Args:
            effort: Index into `EFFORTS`; each costs more than the one before and reads the page in another way. The last one at most.
            crop: Read only this part, enlarged. The page is then taken as upright and returned as it is.
            row: Paint over everything in the crop above and below this box: neighbouring rows cost as much to read as the row itself.
        Raises:
            ReaderUnavailable: The engine failed.
        """
        how = EFFORTS[min(effort, len(EFFORTS) - 1)]
        if crop is not None:
            image, fragments = page.image, self._read_crop(page.image, crop, how, row=row)
        else:
            image, fragments = self._read_upright(page.image, how)
            page = page if image is page.image else replace(page, image=image)
            if self._scripts and page.language is None and (language := self._scripts.language_of(image, fragments)):
                page = replace(page, language=language)
        if self._scripts and page.language:
            fragments = self._scripts.reread(image, fragments, page.language)
        return page, Transcript(to_lines(without_doubles(fragments)), image.width, image.height, self._engine(how).name)

    def _engine(self, how: _Effort) -> OcrEngine:
        return self._engines[min(how.engine, len(self._engines) - 1)]

    def _read_upright(self, image: Image.Image, how: _Effort) -> tuple[Image.Image, list[Fragment]]:
        """Return the image turned upright and deskewed, and its fragments.

        Most pages are upright and are read once. A page that is sideways, upside down or tilted is read again after each correction.
        """
        found = self._read(image, how)
        if _share_sideways(found) > SIDEWAYS:
            # Engines turn high boxes to the left before they read them; if that gave good text, the page needs a left turn.
            turn = Image.Transpose.ROTATE_90 if _mean_confidence(found) > CONFIDENT else Image.Transpose.ROTATE_270
            image = image.transpose(turn)
            found = self._read(image, how)
        if _characters(found) >= MIN_CHARACTERS and _mean_confidence(found) < CONFIDENT:
            turned = image.transpose(Image.Transpose.ROTATE_180)
            found_turned = self._read(turned, how)
            if _evidence(found_turned) > _evidence(found):
                image, found = turned, found_turned
        tilt = measure_tilt(image, [fragment.box for fragment in found])
        if abs(tilt) > MAX_TILT:
            level = image.rotate(tilt, Image.Resampling.BICUBIC, expand=True, fillcolor=_paper_colour(image))
            found_level = self._read(level, how)
            # Both may be read well, but only the level one has straight rows. Much less text means that the tilt was measured wrong.
            if _evidence(found_level) > STILL_READ * _evidence(found):
                image, found = level, found_level
        return image, self._split_merged_rows(image, reread_columns(image, found, self._engine(how).read), how)

    def _read(self, image: Image.Image, how: _Effort) -> list[Fragment]:
        """Return fragments with boxes in pixels of `image`, whatever is done to it first; long strips are read in bands."""
        engine, found = self._engine(how), []
        for top, bottom in _bands(image.width, image.height, in_parts=how.in_parts):
            band = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
            band = how.enhance(band) if how.enhance else band
            if how.enlarge != 1:
                size = (max(1, round(band.width * how.enlarge)), max(1, round(band.height * how.enlarge)))
                band = band.resize(size, Image.Resampling.LANCZOS)
            found += [_moved(fragment, 1 / how.enlarge, 0, top) for fragment in engine.read(band)]
        return found

    def _split_merged_rows(self, image: Image.Image, found: list[Fragment], how: _Effort) -> list[Fragment]:
        """Return the fragments, with those whose box holds two rows replaced by the result of reading that box alone."""
        for mixed in merged(image, found)[:MAX_SPLIT]:
            parts = [part for part in self._read_crop(image, mixed.box, how, rows=2) if _overlap(part.box, mixed.box) >= SAME_PLACE]
            if len(to_lines(parts)) > 1:
                found = [fragment for fragment in found if fragment is not mixed] + parts
        return found

    def _read_crop(self, image: Image.Image, crop: Box, how: _Effort, *, rows: int = 1, row: Box | None = None) -> list[Fragment]:
        margin = CROP_MARGIN * image.width
        left, top = max(0, round(crop.left - margin)), max(0, round(crop.top - margin))
        right, bottom = min(image.width, round(crop.right + margin)), min(image.height, round(crop.bottom + margin))
        if right <= left or bottom <= top:
            return []
        part = image.crop((left, top, right, bottom))
        if row is not None:
            _paint_over(part, row.top - top - ROW_MARGIN * row.height, row.bottom - top + ROW_MARGIN * row.height)
        enlarge = min(MAX_ENLARGE, max(1.0, rows * CROP_HEIGHT_PX / part.height))
        found = self._read(part, replace(how, enlarge=enlarge))
        if _mean_confidence(found) < CONFIDENT:
            # In large print, engines may detect strokes or dots instead of words.
            found = max(found, self._read(part, replace(how, enlarge=enlarge * SHRINK)), key=_evidence)
        return [_moved(fragment, 1.0, left, top) for fragment in found]


def _paint_over(image: Image.Image, top: float, bottom: float) -> None:
    """Paint everything above `top` and below `bottom` in the colour of the paper."""
    paper = _paper_colour(image)
    image.paste(paper, (0, 0, image.width, min(image.height, max(0, round(top)))))
    image.paste(paper, (0, min(image.height, max(0, round(bottom))), image.width, image.height))


def _bands(width: int, height: int, *, in_parts: bool) -> list[tuple[int, int]]:
    """Return the top and bottom of the bands that a page is read in; they overlap by more than a row."""
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
    """Return the fragments without those that overlap another one that is longer or more certain."""
    ranked = sorted(fragments, key=lambda one: one.confidence * len(one.text), reverse=True)
    boxes = np.array([fragment.box for fragment in ranked], dtype=float).reshape(-1, 4)
    kept: list[int] = []
    for index, fragment in enumerate(ranked):
        left, top, right, bottom = boxes[kept].T
        # Pages have thousands of fragments, of which few touch this one; only those are compared exactly.
        touching = (left < fragment.box.right) & (right > fragment.box.left) & (top < fragment.box.bottom) & (bottom > fragment.box.top)
        if all(_overlap(fragment.box, ranked[kept[place]].box) < SAME_PLACE for place in np.flatnonzero(touching)):
            kept.append(index)
    return [ranked[index] for index in kept]


def _overlap(a: Box, b: Box) -> float:
    """Return the share of the smaller box that the other one covers."""
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
    """Return the amount of text, weighted by confidence; wild guesses, with a confidence of about one half, count for nothing."""
    return sum(len(fragment.text) * max(0.0, fragment.confidence - 0.5) for fragment in fragments)


def _paper_colour(image: Image.Image) -> tuple[int, ...]:
    small = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return small if isinstance(small, tuple) else (255, 255, 255)
