"""Boxes that hold two printed rows, of which engines read only one: told by their height and the blank band across them."""

from collections.abc import Sequence
from statistics import median

import numpy as np
from PIL import Image

from extractor.ocr.transcript import Box, Fragment

_TALL, _WIDE, _WORD = 1.4, 1.25, 4
"""A box with two rows is so much higher than usual, while its letters are at most so much wider, and it says this many characters."""
_FEWEST = 5
"""Words from which a page tells how high its print is."""
_INK, _BLANK, _ROW, _THIN = 0.45, 0.2, 0.5, 0.2
"""Darkness of ink between paper and the darkest print; ink of a blank band and of a row, of the inkiest height; least height of a row."""
_STRIPS, _AGREE = 4, 0.5
"""Rows slope: a box is looked at in so many parts side by side, and this share of them must show the band."""


def merged(image: Image.Image, fragments: Sequence[Fragment]) -> list[Fragment]:
    """The fragments whose box holds two rows; letters of double height have no band of paper across them, and are not among them."""
    words = [fragment for fragment in fragments if len(fragment.text) > 2]
    if len(words) < _FEWEST:
        return []
    height = median(fragment.box.height for fragment in words)
    width = median(_letter_width(fragment) for fragment in words)
    return [
        fragment
        for fragment in fragments
        if len(fragment.text) >= _WORD
        and fragment.box.height > _TALL * height
        and _letter_width(fragment) < _WIDE * width
        and _shows_two_rows(image, fragment.box)
    ]


def _letter_width(fragment: Fragment) -> float:
    return fragment.box.width / len(fragment.text)


def _shows_two_rows(image: Image.Image, box: Box) -> bool:
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
    """Whether ink above and ink below are parted by a band of paper in the middle half."""
    size = max(1, len(ink) // 24)
    share = np.convolve(ink.mean(axis=1), np.ones(size) / size, "same")
    most, height = float(share.max()), len(share)
    for at in range(height // 4, 3 * height // 4):
        above, below = share[:at], share[at + 1 :]
        if share[at] < _BLANK * most and all(
            len(part) and part.max() > _ROW * most and (part >= _BLANK * most).sum() > _THIN * height for part in (above, below)
        ):
            return True
    return False
