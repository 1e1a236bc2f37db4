"""Writes sample receipts: the fixed demonstration set, or any number of random ones with their ground truth.

usage: python -m training.samples FOLDER [--random N] [--seed S]
"""

import argparse
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.render import RenderedReceipt, Style, render

_WRITTEN = time.gmtime(1_700_000_000)  # PDFs carry a date; a fixed one keeps their bytes the same
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Sample:
    """One file of the demonstration set. `truth` is `None` where no receipt can be read from it."""

    name: str
    data: bytes
    truth: dict[str, Any] | None


# Name, seed, style. Seeds were picked by eye, so that the set shows much in few files.
_RECEIPTS: tuple[tuple[str, int, Style], ...] = (
    ("us-diner.jpg", 4, Style(country="US", kind="restaurant", ink="scan")),
    ("de-supermarkt.png", 2, Style(country="DE", kind="grocery", ink="clean")),
    ("fr-photo-tilted.jpg", 15, Style(country="FR", kind="restaurant", ink="photo", tilt_degrees=6.0)),
    ("my-cash-rounding.jpg", 236, Style(country="MY", kind="restaurant", ink="scan")),
    ("jp-dot-matrix.jpg", 3, Style(country="JP", kind="grocery", ink="dots")),
    ("gb-faint-print.jpg", 8, Style(country="GB", kind="grocery", ink="faint")),
    ("pl-no-time-printed.jpg", 17, Style(country="PL", kind="grocery", ink="scan", prints_time=False)),
    ("ch-invoice.pdf", 20, Style(country="CH", kind="shop", ink="clean")),
)


def _encode(picture: Image.Image, suffix: str) -> bytes:
    """The picture as a file of this kind; equal bytes for equal pixels."""
    buffer = io.BytesIO()
    if suffix == ".pdf":
        picture.save(buffer, "PDF", resolution=150, creationDate=_WRITTEN, modDate=_WRITTEN)
    elif suffix == ".png":
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _landscape() -> Image.Image:
    """Hills under a sky with a sun, softly drawn: a photo that holds no receipt."""
    width, height = 900, 600
    sky = np.linspace((96, 148, 214), (244, 214, 178), height, dtype=np.float32)[:, None, :].repeat(width, axis=1)
    picture = Image.fromarray(sky.astype(np.uint8))
    drawing = ImageDraw.Draw(picture)
    drawing.ellipse((640, 120, 730, 210), fill=(255, 240, 200))
    xs = np.arange(width)
    for base, swing, length, colour in ((360, 60, 210, (110, 134, 120)), (430, 45, 150, (78, 108, 70)), (510, 30, 320, (52, 84, 44))):
        ridge = base + swing * np.sin(xs / length * 2 + base) + swing / 3 * np.sin(xs / 37)
        drawing.polygon([(0, height), *((float(x), float(y)) for x, y in zip(xs, ridge, strict=True)), (width, height)], fill=colour)
    return picture.filter(ImageFilter.GaussianBlur(1.5))


def sample_set() -> tuple[Sample, ...]:
    """The demonstration set: readable receipts, a byte-identical duplicate, a truncated JPEG, and a landscape."""
    found = [_sample(render(seed, style, name=name), name) for name, seed, style in _RECEIPTS]
    first = found[0]
    found.append(Sample("us-diner-duplicate.jpg", first.data, first.truth))
    found.append(Sample("corrupt-truncated.jpg", first.data[: len(first.data) // 3], None))
    found.append(Sample("not-a-receipt-landscape.jpg", _encode(_landscape(), ".jpg"), None))
    return tuple(found)


def _sample(receipt: RenderedReceipt, name: str) -> Sample:
    return Sample(name, _encode(receipt.image, Path(name).suffix), receipt.truth)


def random_samples(count: int, seed: int) -> Iterator[Sample]:
    """`count` receipts of all countries and looks; equal for equal arguments."""
    for index in range(count):
        receipt = render(f"{seed}-{index}")
        yield _sample(receipt, receipt.name)


def main(arguments: list[str] | None = None) -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.samples", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the files go; made where missing, files of the same name are replaced")
    parser.add_argument("--random", type=int, metavar="N", help="write N random receipts and truth.jsonl instead of the demonstration set")
    parser.add_argument("--seed", type=int, default=1, help="draws other random receipts (default: 1)")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.random is None:
        for sample in sample_set():
            (options.folder / sample.name).write_bytes(sample.data)
            print(options.folder / sample.name)
        return
    with (options.folder / "truth.jsonl").open("w", encoding="utf-8") as truths:
        for sample in random_samples(options.random, options.seed):
            (options.folder / sample.name).write_bytes(sample.data)
            truths.write(json.dumps(sample.truth, ensure_ascii=False) + "\n")
    print(f"{options.random} receipts and truth.jsonl in {options.folder}")


if __name__ == "__main__":
    main()
