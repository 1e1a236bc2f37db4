"""Caches what a model has computed from the images of a batch. When memory is short, unused images are evicted."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import torch
from PIL import Image

from extractor.errors import ReaderRefused
from extractor.readers.base import ReaderError
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_out_of_memory, out_of_memory_error
from extractor.readers.vision.kv_pools import KvPool, Span
from extractor.readers.vision.vision_encoder import Pixels, VisionEncoder


@dataclass(frozen=True)
class CachedImages:
    """What is cached of one row's images.

    Attributes:
        keys: Their keys and values in the image pool.
        prefix: Keys and values of the tokens up to the last image, (text layers, 2, tokens, heads, head size).
    """

    keys: Span
    prefix: torch.Tensor


@dataclass(frozen=True)
class LoadResult:
    """Result of loading rows; a row in neither mapping has to wait until memory is free."""

    ready: dict[int, CachedImages] = field(default_factory=dict)
    failed: dict[int, ReaderError] = field(default_factory=dict)


class ImageCache:
    """The images of one batch.

    Args:
        pool: The image pool that the encoder writes to.
        pixel_threads: Prepare pixels while the GPU works.
        image_limit: Number of images that are encoded at once.
    """

    def __init__(self, encoder: VisionEncoder, pool: KvPool, pixel_threads: Executor, *, image_limit: BatchSizeLimit) -> None:
        self._encoder, self._pool, self._pixel_threads, self._image_limit = encoder, pool, pixel_threads, image_limit
        self._images: list[tuple[Image.Image, ...]] = []
        self._pixels: dict[int, Future[Pixels]] = {}
        self._cached: OrderedDict[int, CachedImages] = OrderedDict()  # least recently used first

    def add(self, *images: Image.Image) -> int:
        """Add an image, or several that are shown together, and return its row; its pixels are prepared from now on."""
        row = len(self._images)
        self._images.append(images)
        self._pixels[row] = self._pixel_threads.submit(self._encoder.prepare, *images)
        return row

    def count(self, row: int) -> int:
        """Return the number of images of a row."""
        return len(self._images[row])

    def clear(self) -> None:
        """Drop all images and free their memory."""
        self._image_limit.end_batch()
        for row in list(self._cached):
            self._evict(row)
        self._images.clear()
        self._pixels.clear()

    def load(self, rows: Sequence[int], in_use: Collection[int]) -> LoadResult:
        """Encode as many of `rows` as memory allows, in order; cached rows are always ready.

        Args:
            in_use: Rows that must not be evicted.
        """
        result, allocated, is_full = LoadResult(), dict[int, tuple[Pixels, Span]](), False
        for row in rows:
            if row in self._cached:
                self._cached.move_to_end(row)
                result.ready[row] = self._cached[row]
            if row in self._cached or is_full:
                continue
            pixels = self._prepared(row)
            if not isinstance(pixels, Pixels):
                result.failed[row] = pixels
                continue
            span = self._allocate(self._encoder.size(pixels), {*in_use, *rows})
            if span is None:
                is_full = True
            else:
                allocated[row] = pixels, span
        self._encode(allocated, result)
        return result

    def _prepared(self, row: int) -> Pixels | ReaderError:
        if row not in self._pixels:  # it was evicted
            self._pixels[row] = self._pixel_threads.submit(self._encoder.prepare, *self._images[row])
        try:
            return self._pixels[row].result()
        except (ValueError, OSError, ArithmeticError) as error:
            return ReaderRefused(f"The image cannot be prepared for the vision model ({error}). Scan or photograph the receipt again.")

    def _allocate(self, size: int, in_use: Collection[int]) -> Span | None:
        """Return a free span, after evicting rows that are not in use, least recently used first; `None` where that is not enough."""
        while (span := self._pool.spans.allocate(size)) is None:
            unused = next((row for row in self._cached if row not in in_use), None)
            if unused is None:
                return None
            self._evict(unused)
        return span

    def _encode(self, allocated: dict[int, tuple[Pixels, Span]], result: LoadResult) -> None:
        """Encode rows, as many at once as have the same numbers of tiles; where memory runs out, half as many."""
        left = sorted(allocated, key=lambda row: allocated[row][0].tiles)
        while left:
            tiles = allocated[left[0]][0].tiles
            rows = [row for row in left[: max(1, self._image_limit.current // len(tiles))] if allocated[row][0].tiles == tiles]
            spans = [allocated[row][1] for row in rows]
            try:
                prefixes = self._encoder.encode([allocated[row][0] for row in rows], spans)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._image_limit.halve(len(rows) * len(tiles), error)
                if len(rows) > 1:
                    continue
                self._pool.spans.release(spans[0])
                result.failed[rows[0]] = out_of_memory_error(error)
            else:
                for row, span, prefix in zip(rows, spans, prefixes, strict=True):
                    self._cached[row] = result.ready[row] = CachedImages(span, prefix)
                    del self._pixels[row]
            left = left[len(rows) :]

    def _evict(self, row: int) -> None:
        self._pool.spans.release(self._cached.pop(row).keys)
