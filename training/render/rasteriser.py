"""Draws a sheet as a scanner or a phone camera would capture it."""

import io
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.render.fonts import load_font
from training.render.perspective import Pose
from training.render.placement import PrintedText, Sheet

Plane = NDArray[np.float32]


def _bars(draw: ImageDraw.ImageDraw, item: PrintedText) -> None:
    """Draw bars that look like a barcode and encode nothing."""
    rng = Random(item.text)
    x = item.left
    while x < item.left + item.width:
        thickness = rng.choice((2, 2, 4, 6))
        draw.rectangle((x, item.baseline - item.size_px * 0.8, x + thickness - 1, item.baseline + item.size_px * 0.1), fill=255)
        x += thickness + rng.choice((2, 3, 5))


def _coverage(sheet: Sheet) -> Image.Image:
    """Return the ink coverage: 0 for bare paper, 255 for full ink."""
    layer = Image.new("L", (sheet.width, sheet.height), 0)
    draw = ImageDraw.Draw(layer)
    for item in sheet.texts:
        if item.graphic == "line":
            draw.line((item.left, item.baseline, item.left + item.width, item.baseline), fill=255, width=2)
            continue
        if item.graphic == "bars":
            _bars(draw, item)
            continue
        if item.graphic == "inverse":
            pad = item.size_px * 0.25
            draw.rectangle(
                (item.left - pad, item.baseline - item.size_px - pad / 2, item.left + item.width + pad, item.baseline + pad * 1.6), fill=255
            )
        font = load_font(sheet.font, item.size_px, bold=item.bold)
        draw.text((item.left, item.baseline), item.text, font=font, fill=0 if item.graphic == "inverse" else 255, anchor="ls")
    return layer


def _smooth(noise: np.random.Generator, shape: tuple[int, int], cells: int) -> Plane:
    """Return smooth noise from 0 to 1: a small random grid, enlarged."""
    small = noise.random((max(2, cells), max(2, cells * 2 // 3)), dtype=np.float32)
    image = Image.fromarray((small * 255).astype(np.uint8)).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _worn(coverage: Plane, image_type: str, rng: Random, noise: np.random.Generator) -> Plane:
    """Apply the defects of a printer to the coverage: pale areas, streaks, missing dots."""
    if image_type == "dots":
        pitch = rng.choice((3, 4))
        ys, xs = np.ogrid[: coverage.shape[0], : coverage.shape[1]]
        dots = 0.45 + 0.55 * ((xs % pitch < pitch - 1) & (ys % pitch < pitch - 1))
        coverage = coverage * dots.astype(np.float32) * np.float32(rng.uniform(0.6, 0.9))
    if image_type == "faint":
        coverage = coverage * (np.float32(0.28) + np.float32(0.4) * _smooth(noise, coverage.shape, 5))
        for _ in range(rng.randint(0, 2)):
            x = rng.randint(0, coverage.shape[1] - 4)
            coverage[:, x : x + rng.randint(1, 3)] *= 0.3
    if image_type in ("scan", "photo"):
        coverage = coverage * (0.75 + 0.25 * _smooth(noise, coverage.shape, 8))
    if image_type != "clean":
        coverage = coverage * (noise.random(coverage.shape, dtype=np.float32) > rng.uniform(0.0, 0.12))
    if image_type in ("faint", "dots") and rng.random() < 0.4:
        worn_off = _smooth(noise, coverage.shape, 40) > rng.uniform(0.78, 0.95)
        coverage = np.where(worn_off, coverage * np.float32(0.25), coverage)
    return coverage.astype(np.float32)


def _paper(shape: tuple[int, int], image_type: str, rng: Random, noise: np.random.Generator) -> Plane:
    """Return the brightness of the blank paper from 0 to 1, with folds and grain."""
    if image_type == "clean":
        return np.ones(shape, dtype=np.float32)
    paper: Plane = np.full(shape, rng.uniform(0.86, 1.0), dtype=np.float32)
    if image_type != "scan":
        paper *= np.float32(0.93) + np.float32(0.07) * _smooth(noise, shape, 4)
    for _ in range(rng.choice((0, 0, 1, 2)) if image_type in ("photo", "faint") else 0):
        y, depth = rng.randint(0, shape[0] - 1), rng.uniform(0.05, 0.18)
        distance = np.abs(np.arange(shape[0], dtype=np.float32) - y)[:, None]
        fold = 1 - depth * np.exp(-distance / rng.uniform(2, 12))
        paper *= fold.astype(np.float32)
    return np.clip(paper, 0, 1)


def _table(size: tuple[int, int], rng: Random, noise: np.random.Generator) -> NDArray[np.float32]:
    """Return the surface under the paper: wood with grain, or a plain dark or light one."""
    width, height = size
    colour = np.array(rng.choice(((120, 84, 54), (60, 56, 54), (176, 150, 118), (38, 40, 48), (150, 152, 150))), dtype=np.float32)
    grain = _smooth(noise, (height, width), 3)
    if rng.random() < 0.6:
        waves = np.sin(np.arange(height, dtype=np.float32)[:, None] * rng.uniform(0.05, 0.3) + grain * rng.uniform(4, 20))
        grain = (grain * 0.5 + (waves * 0.5 + 0.5) * 0.5).astype(np.float32)
    return colour[None, None, :] * (0.7 + 0.5 * grain[:, :, None])


def _lit(image: NDArray[np.float32], rng: Random, noise: np.random.Generator) -> NDArray[np.float32]:
    """Apply the lighting of a photo: a gradient, a soft shadow, a colour cast, sensor noise."""
    height, width = image.shape[:2]
    slope = np.linspace(rng.uniform(0.65, 1.0), rng.uniform(0.8, 1.05), height, dtype=np.float32)[:, None]
    slope = slope * np.linspace(rng.uniform(0.8, 1.0), rng.uniform(0.8, 1.0), width, dtype=np.float32)[None, :]
    if rng.random() < 0.4:
        edge = rng.uniform(0.2, 0.8) * width
        lean = rng.uniform(-0.5, 0.5)
        across = np.arange(width, dtype=np.float32)[None, :] - edge - lean * np.arange(height, dtype=np.float32)[:, None]
        slope = slope * (1 - rng.uniform(0.15, 0.4) / (1 + np.exp(np.clip(-across / rng.uniform(3, 25), -30, 30))))
    cast = np.array([rng.uniform(0.92, 1.05), rng.uniform(0.94, 1.0), rng.uniform(0.82, 1.05)], dtype=np.float32)
    grain = noise.standard_normal((height, width), dtype=np.float32)[:, :, None] * rng.uniform(1, 5)
    return image * slope[:, :, None] * cast[None, None, :] + grain


def _ink_colour(image_type: str, rng: Random) -> tuple[int, int, int]:
    if image_type == "dots":
        return rng.choice(((40, 40, 60), (70, 60, 130), (60, 60, 70)))
    shade = rng.randint(0, 20) if image_type == "clean" else rng.randint(10, 70)
    return (shade, shade, min(255, shade + rng.choice((0, 0, 15, 40))))


def _as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Return the image after one round of JPEG compression."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")


def draw(sheet: Sheet, pose: Pose, image_type: str, seed: str) -> Image.Image:
    """Draw a sheet in a pose, as RGB; equal arguments give equal images."""
    rng = Random(f"{seed}:ink")
    noise = np.random.default_rng(rng.getrandbits(64))
    printed: Plane = np.asarray(_coverage(sheet), dtype=np.float32) / np.float32(255)
    coverage = _worn(printed, image_type, rng, noise)[:, :, None]
    is_white = image_type in ("clean", "scan")
    tint = np.array([255, 255, 255] if is_white else [255, rng.uniform(250, 255), rng.uniform(238, 255)], dtype=np.float32)
    paper = _paper((sheet.height, sheet.width), image_type, rng, noise)[:, :, None] * tint[None, None, :]
    flat = paper * (1 - coverage) + np.array(_ink_colour(image_type, rng), dtype=np.float32) * coverage
    size = (pose.width, pose.height)
    image = Image.fromarray(np.clip(flat, 0, 255).astype(np.uint8)).transform(
        size, Image.Transform.PERSPECTIVE, pose.coefficients(), Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)
    )
    if image_type == "clean":
        return image
    if image_type == "photo":
        whole = Image.new("L", (sheet.width, sheet.height), 255)
        mask = whole.transform(size, Image.Transform.PERSPECTIVE, pose.coefficients(), Image.Resampling.BILINEAR)
        base = Image.fromarray(np.clip(_table(size, rng, noise), 0, 255).astype(np.uint8))
        base.paste(image, mask=mask)
        lit = _lit(np.asarray(base, dtype=np.float32), rng, noise)
        image = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    if rng.random() < 0.7:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3 if image_type == "photo" else 0.9)))
    return _as_jpeg(image, rng.randint(35, 92))
