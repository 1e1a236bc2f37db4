"""Position of the paper in the image: one projective transform, applied to pixels and boxes alike."""

import math
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
from numpy.typing import NDArray

from extractor.ocr.transcript import Box
from training.render.placement import Sheet

Matrix = NDArray[np.float64]
# Least and largest margin of the image around the paper, relative to the width of the paper.
_MARGINS = {"photo": (0.02, 0.25), "clean": (0.0, 0.0), "scan": (0.0, 0.1), "faint": (0.0, 0.1), "dots": (0.0, 0.1)}


@dataclass(frozen=True)
class Pose:
    """Transform from sheet pixels to image pixels, and the size of the image in pixels."""

    width: int
    height: int
    rows: tuple[tuple[float, float, float], ...]

    @cached_property
    def _matrix(self) -> Matrix:
        return np.array(self.rows, dtype=np.float64)

    def box(self, box: Box) -> Box:
        """Return the axis-aligned box in the image that encloses a box of the sheet."""
        corners = np.array([[box.left, box.right, box.right, box.left], [box.top, box.top, box.bottom, box.bottom], [1, 1, 1, 1]])
        x, y, w = self._matrix @ corners
        xs, ys = x / w, y / w
        return Box(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))

    def coefficients(self) -> tuple[float, ...]:
        """Return the eight coefficients of the inverse transform, as `Image.Transform.PERSPECTIVE` of Pillow takes them."""
        inverse = np.linalg.inv(self._matrix)
        return tuple(float(value) for value in (inverse / inverse[2, 2]).flatten()[:8])


def _from_corners(sheet: Sheet, corners: list[tuple[float, float]]) -> Matrix:
    """Return the projective transform that maps the sheet's corners (clockwise from top left) to `corners`."""
    source = [(0, 0), (sheet.width, 0), (sheet.width, sheet.height), (0, sheet.height)]
    equations, values = [], []
    for (x, y), (u, v) in zip(source, corners, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = np.linalg.solve(np.array(equations, dtype=np.float64), np.array(values, dtype=np.float64))
    return np.append(solved, 1.0).reshape(3, 3)


def random_pose(rng: Random, sheet: Sheet, image_type: str, tilt_degrees: float | None) -> Pose:
    """Draw a pose for this image type: straight, slightly rotated on a scanner, or rotated and foreshortened in a photo.

    The whole sheet stays inside the image.
    """
    stretch = rng.choice((1.0, 1.0, 1.0, 1.15, 1.3))
    scale = rng.uniform(0.45, 1.1) if image_type == "photo" else rng.uniform(0.8, 1.15)
    width, height = sheet.width * scale, sheet.height * scale * stretch
    limit = {"photo": 6.0, "clean": 0.0, "faint": 0.8}.get(image_type, 1.2)
    angle = math.radians(rng.gauss(0, limit / 2.5) if tilt_degrees is None else tilt_degrees)
    bend = 0.06 if image_type == "photo" else 0.0
    corners = []
    for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        u = x * width * (1 + rng.uniform(-bend, bend))
        v = y * height * (1 + rng.uniform(-bend, bend))
        corners.append((u * math.cos(angle) - v * math.sin(angle), u * math.sin(angle) + v * math.cos(angle)))
    edges = [rng.uniform(*_MARGINS[image_type]) * width for _ in range(4)]
    if image_type == "scan" and rng.random() < 0.08:
        edges = [edge + rng.uniform(0.1, 0.8) * width for edge in edges]  # a small receipt on the full page of the scanner
    left, top = min(u for u, _ in corners), min(v for _, v in corners)
    moved = [(u - left + edges[0], v - top + edges[1]) for u, v in corners]
    size = (math.ceil(max(u for u, _ in moved) + edges[2]), math.ceil(max(v for _, v in moved) + edges[3]))
    matrix = _from_corners(sheet, moved)
    return Pose(size[0], size[1], tuple((float(row[0]), float(row[1]), float(row[2])) for row in matrix))
