"""Photos of several receipts side by side on a table."""

from collections.abc import Sequence
from random import Random

from PIL import Image

_TABLE_COLOUR = (74, 61, 50)


def side_by_side(receipts: Sequence[Image.Image], seed: int) -> Image.Image:
    """Compose a photo of the receipts from left to right; equal arguments give equal photos.

    Args:
        receipts: Images without background.
        seed: Seed of rotation (up to 3 degrees), vertical offset and distance of each receipt.
    """
    rng = Random(f"{seed}:table")
    tallest = max(image.height for image in receipts)
    rotated = []
    for image in receipts:
        scaled = image.resize((round(image.width * tallest / image.height), tallest), Image.Resampling.LANCZOS)
        rotated.append(scaled.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, expand=True, fillcolor=_TABLE_COLOUR))
    gaps = [rng.randint(10, 80) for _ in rotated]
    size = (sum(image.width for image in rotated) + sum(gaps) + 40, max(image.height for image in rotated) + 240)
    photo, left = Image.new("RGB", size, _TABLE_COLOUR), 20
    for image, gap in zip(rotated, gaps, strict=True):
        photo.paste(image, (left, rng.randint(10, size[1] - image.height - 10)))
        left += image.width + gap
    return photo
