"""Several receipts in one photo: on a table, side by side, each a little askew."""

from collections.abc import Sequence
from random import Random

from PIL import Image

_TABLE = (74, 61, 50)


def side_by_side(receipts: Sequence[Image.Image], seed: int) -> Image.Image:
    """A photo of the receipts, from left to right; equal for equal arguments.

    Args:
        receipts: Pictures of paper alone.
        seed: Draws how each lies: up to 3 degrees askew, higher or lower than its neighbour, near it or further away.
    """
    rng = Random(f"{seed}:table")
    tallest = max(image.height for image in receipts)
    askew = []
    for image in receipts:
        scaled = image.resize((round(image.width * tallest / image.height), tallest), Image.Resampling.LANCZOS)
        askew.append(scaled.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, expand=True, fillcolor=_TABLE))
    gaps = [rng.randint(10, 80) for _ in askew]
    size = (sum(image.width for image in askew) + sum(gaps) + 40, max(image.height for image in askew) + 240)
    photo, left = Image.new("RGB", size, _TABLE), 20
    for image, gap in zip(askew, gaps, strict=True):
        photo.paste(image, (left, rng.randint(10, size[1] - image.height - 10)))
        left += image.width + gap
    return photo
