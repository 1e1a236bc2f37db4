"""Write sample receipts: the demonstration set, or any number of random ones with their ground truth.

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

from training.render import RenderedReceipt, RenderOptions, render

_WRITTEN = time.gmtime(1_700_000_000)  # a PDF contains its date; a fixed one makes its bytes reproducible
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Sample:
    """One file. `truth` is `None` if it contains no readable receipt."""

    name: str
    data: bytes
    truth: dict[str, Any] | None


# Name, seed, options. The seeds were chosen by hand so that few files show many features.
_RECEIPTS: tuple[tuple[str, int, RenderOptions], ...] = (
    ("us-diner.jpg", 4, RenderOptions(country="US", kind="restaurant", image_type="scan")),
    ("de-supermarkt.png", 2, RenderOptions(country="DE", kind="grocery", image_type="clean")),
    ("fr-photo-tilted.jpg", 15, RenderOptions(country="FR", kind="restaurant", image_type="photo", tilt_degrees=6.0)),
    ("my-cash-rounding.jpg", 236, RenderOptions(country="MY", kind="restaurant", image_type="scan")),
    ("jp-dot-matrix.jpg", 3, RenderOptions(country="JP", kind="grocery", image_type="dots")),
    ("gb-faint-print.jpg", 8, RenderOptions(country="GB", kind="grocery", image_type="faint")),
    ("pl-no-time-printed.jpg", 17, RenderOptions(country="PL", kind="grocery", image_type="scan", prints_time=False)),
    ("ch-invoice.pdf", 20, RenderOptions(country="CH", kind="shop", image_type="clean")),
)


def _encode(picture: Image.Image, suffix: str) -> bytes:
    """Encode an image in the format of this suffix; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    if suffix == ".pdf":
        picture.save(buffer, "PDF", resolution=150, creationDate=_WRITTEN, modDate=_WRITTEN)
    elif suffix == ".png":
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _landscape() -> Image.Image:
    """Draw hills under a sky: an image without a receipt."""
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
    """Return the demonstration set: readable receipts, a byte-identical duplicate, a truncated JPEG, and a landscape."""
    found = [_sample(render(seed, options, name=name), name) for name, seed, options in _RECEIPTS]
    first = found[0]
    found.append(Sample("us-diner-duplicate.jpg", first.data, first.truth))
    found.append(Sample("corrupt-truncated.jpg", first.data[: len(first.data) // 3], None))
    found.append(Sample("not-a-receipt-landscape.jpg", _encode(_landscape(), ".jpg"), None))
    return tuple(found)


def _sample(receipt: RenderedReceipt, name: str) -> Sample:
    return Sample(name, _encode(receipt.image, Path(name).suffix), receipt.truth)


def random_samples(count: int, seed: int) -> Iterator[Sample]:
    """Render `count` receipts of random countries and image types; equal arguments give equal receipts."""
    for index in range(count):
        receipt = render(f"{seed}-{index}")
        yield _sample(receipt, receipt.name)


def main(arguments: list[str] | None = None) -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.samples", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="target folder; created if missing, files of the same name are replaced")
    parser.add_argument("--random", type=int, metavar="N", help="write N random receipts and truth.jsonl instead of the demonstration set")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random receipts (default: 1)")
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
