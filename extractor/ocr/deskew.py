"""Measures the slope of the text rows of an image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from extractor.ocr.transcript import Box

MAX_DEGREES = 17.0
SIDE_PX = 1000  # longer side that the image is scaled to; rows of small print are still separate
INK_DEPTH = 18  # grey levels by which ink is darker than the paper around it; faint thermal print reaches 30, JPEG noise 10
PAPER_PX = 12  # radius of that surrounding at SIDE_PX: wider than a stroke, narrower than a shadow
MIN_POINTS, MAX_POINTS = 200, 30_000
COARSE_DEGREES, FINE_DEGREES = 0.5, 0.1

_Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def measure_tilt(image: Image.Image, boxes: Sequence[Box]) -> float:
    """Return the degrees by which rows fall towards the right (clockwise positive), from -17 to 17; 0 where no rows are found.

    Dark pixels are projected along many directions; the projection is most uneven along the rows.

    Args:
        boxes: Where text was found; everything outside (tables, fingers, the edge of the paper) is ignored.
    Source: W. Postl, "Detection of linear oblique structures and skew scan in digitized documents", ICPR 1986.
    """
    x, y = _ink(image, boxes)
    if len(x) < MIN_POINTS:
        return 0.0
    coarse = np.arange(-MAX_DEGREES, MAX_DEGREES + COARSE_DEGREES / 2, COARSE_DEGREES)
    best = _steepest(x, y, coarse)
    fine = best + np.arange(-COARSE_DEGREES, COARSE_DEGREES + FINE_DEGREES / 2, FINE_DEGREES)
    return round(_steepest(x, y, fine), 2)


def _ink(image: Image.Image, boxes: Sequence[Box]) -> _Points:
    """Return the coordinates of pixels in `boxes` that are darker than their surroundings, centred, thinned out to `MAX_POINTS`."""
    grey = image.convert("L")
    grey.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    scale = grey.width / image.width
    text = Image.new("1", grey.size)
    draw = ImageDraw.Draw(text)
    for box in boxes:
        draw.rectangle([edge * scale for edge in box], fill=1)
    paper = grey.filter(ImageFilter.BoxBlur(PAPER_PX))
    ink = np.asarray(grey, dtype=np.int16) < np.asarray(paper, dtype=np.int16) - INK_DEPTH
    y, x = np.nonzero(ink & np.asarray(text))
    step = max(1, len(x) // MAX_POINTS)
    return (x[::step] - grey.width / 2).astype(np.float64), (y[::step] - grey.height / 2).astype(np.float64)


def _steepest(x: NDArray[np.float64], y: NDArray[np.float64], degrees: NDArray[np.float64]) -> float:
    return float(degrees[int(np.argmax([_unevenness(x, y, angle) for angle in degrees]))])


def _unevenness(x: NDArray[np.float64], y: NDArray[np.float64], degrees: float) -> float:
    angle = np.radians(degrees)
    rows = np.rint(y * np.cos(angle) - x * np.sin(angle)).astype(np.int64)
    profile = np.bincount(rows - rows.min()).astype(np.float64)
    return float(np.square(np.diff(profile)).sum())
