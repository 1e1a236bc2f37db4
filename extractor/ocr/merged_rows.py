"""Finds boxes that hold two text rows, of which engines read only one, by their height and the blank band between the rows."""

from collections.abc import Sequence
from statistics import median

import numpy as np
from PIL import Image

from extractor.ocr.transcript import Box, Fragment

_TALL = 1.4  # height of a box with two rows, in median heights
_WIDE = 1.25  # width of its letters, in median widths: wider letters are large print
_MIN_CHARACTERS = 4  # of its text
_MIN_WORDS = 5  # on a page, to measure the median
_INK = 0.45  # darkness of ink, from 0 for paper to 1 for the darkest pixels
# Share of ink in a pixel row, relative to the pixel row with the most: below it is blank, above it is text.
_BLANK, _TEXT = 0.2, 0.5
_MIN_ROW = 0.2  # height of a text row, in heights of the box
# Rows slope, so a box is examined in several strips side by side; this share of them must have a blank band.
_STRIPS, _AGREE = 4, 0.5


def merged(image: Image.Image, fragments: Sequence[Fragment]) -> list[Fragment]:
    """Return the fragments whose box holds two rows. Letters of double height have no blank band across them and do not count."""
    words = [fragment for fragment in fragments if len(fragment.text) > 2]
    if len(words) < _MIN_WORDS:
        return []
    height = median(fragment.box.height for fragment in words)
    width = median(_letter_width(fragment) for fragment in words)
    return [
        fragment
        for fragment in fragments
        if len(fragment.text) >= _MIN_CHARACTERS
        and fragment.box.height > _TALL * height
        and _letter_width(fragment) < _WIDE * width
        and _has_two_rows(image, fragment.box)
    ]


def _letter_width(fragment: Fragment) -> float:
    return fragment.box.width / len(fragment.text)


def _has_two_rows(image: Image.Image, box: Box) -> bool:
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(image.width, int(box.right) + 1), min(image.height, int(box.bottom) + 1)
    if right - left < 2 or bottom - top < 2:
        return False
    grey = np.asarray(image.crop((left, top, right, bottom)).convert("L"), dtype=float)
    paper, darkest = np.percentile(grey, 85), np.percentile(grey, 3)
    ink = (paper - grey) > _INK * (paper - darkest)
    count = max(1, min(_STRIPS, grey.shape[1] // grey.shape[0]))
    return bool(sum(_has_band(strip) for strip in np.array_split(ink, count, axis=1)) >= _AGREE * count)


def _has_band(ink: np.ndarray) -> bool:
    """Whether a blank band in the middle half separates text above from text below."""
    size = max(1, len(ink) // 24)
    share = np.convolve(ink.mean(axis=1), np.ones(size) / size, "same")
    most, height = float(share.max()), len(share)
    for at in range(height // 4, 3 * height // 4):
        above, below = share[:at], share[at + 1 :]
        if share[at] < _BLANK * most and all(
            len(part) and part.max() > _TEXT * most and (part >= _BLANK * most).sum() > _MIN_ROW * height for part in (above, below)
        ):
            return True
    return False
