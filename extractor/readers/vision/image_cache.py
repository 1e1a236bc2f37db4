"""The images of a batch and what the model keeps of them; images give way to others when memory is short, and come back when needed."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import torch
from PIL import Image

from extractor.errors import ReaderRefused
from extractor.readers.base import ReaderError
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_shortage, out_of_memory
from extractor.readers.vision.kv_pools import KvPool, Span
from extractor.readers.vision.vision_encoder import Pixels, Tower


@dataclass(frozen=True)
class Seen:
    """What a model keeps of one row's images.

    Attributes:
        keys: Where their keys lie in the image pool.
        prefix: What the tokens up to the last image leave behind, (text layers, 2, tokens, heads, head size).
    """

    keys: Span
    prefix: torch.Tensor


@dataclass(frozen=True)
class Shown:
    """Outcome of showing images: rows in neither wait until memory is free."""

    ready: dict[int, Seen] = field(default_factory=dict)
    failed: dict[int, ReaderError] = field(default_factory=dict)


class ImageCache:
    """Images before one model.

    Args:
        pool: The image pool that the tower writes to.
        hands: Threads that prepare pixels while the GPU works.
        chunk: How many images are looked at together.
    """

    def __init__(self, tower: Tower, pool: KvPool, hands: Executor, *, chunk: BatchSizeLimit) -> None:
        self._tower, self._pool, self._hands, self._chunk = tower, pool, hands, chunk
        self._images: list[tuple[Image.Image, ...]] = []
        self._pixels: dict[int, Future[Pixels]] = {}
        self._seen: OrderedDict[int, Seen] = OrderedDict()  # the longest unused first

    def add(self, *images: Image.Image) -> int:
        """The row of an image, or of several that are shown together; their pixels are prepared from now on."""
        row = len(self._images)
        self._images.append(images)
        self._pixels[row] = self._hands.submit(self._tower.prepare, *images)
        return row

    def count(self, row: int) -> int:
        """How many images a row has."""
        return len(self._images[row])

    def clear(self) -> None:
        """Forgets everything and frees its memory."""
        self._chunk.end_batch()
        for row in list(self._seen):
            self._forget(row)
        self._images.clear()
        self._pixels.clear()

    def show(self, rows: Sequence[int], busy: Collection[int]) -> Shown:
        """Sees to it that the model has seen as many of `rows` as memory allows, in order; what it has seen already waits for nobody.

        Args:
            busy: Rows whose keys are in use and must stay.
        """
        shown, taken, is_full = Shown(), dict[int, tuple[Pixels, Span]](), False
        for row in rows:
            if row in self._seen:
                self._seen.move_to_end(row)
                shown.ready[row] = self._seen[row]
            if row in self._seen or is_full:
                continue
            pixels = self._prepared(row)
            if not isinstance(pixels, Pixels):
                shown.failed[row] = pixels
                continue
            span = self._room(self._tower.size(pixels), {*busy, *rows})
            if span is None:
                is_full = True
            else:
                taken[row] = pixels, span
        self._look(taken, shown)
        return shown

    def _prepared(self, row: int) -> Pixels | ReaderError:
        if row not in self._pixels:  # seen once, forgotten since
            self._pixels[row] = self._hands.submit(self._tower.prepare, *self._images[row])
        try:
            return self._pixels[row].result()
        except (ValueError, OSError, ArithmeticError) as error:
            return ReaderRefused(f"The image cannot be prepared for the vision model ({error}). Scan or photograph the receipt again.")

    def _room(self, size: int, busy: Collection[int]) -> Span | None:
        """A free span; images that are not in use are forgotten for it, the longest unused first."""
        while (span := self._pool.spans.take(size)) is None:
            idle = next((row for row in self._seen if row not in busy), None)
            if idle is None:
                return None
            self._forget(idle)
        return span

    def _look(self, taken: dict[int, tuple[Pixels, Span]], shown: Shown) -> None:
        """Looks at the taken images, as many at once as have the same number of tiles; where memory runs out, at half as many."""
        left = sorted(taken, key=lambda row: taken[row][0].tiles)
        while left:
            tiles = taken[left[0]][0].tiles
            rows = [row for row in left[: max(1, self._chunk.now // len(tiles))] if taken[row][0].tiles == tiles]
            spans = [taken[row][1] for row in rows]
            try:
                prefixes = self._tower.look([taken[row][0] for row in rows], spans)
            except RuntimeError as error:
                if not is_shortage(error):
                    raise
                self._chunk.halve(len(rows) * len(tiles), error)
                if len(rows) > 1:
                    continue
                self._pool.spans.give(spans[0])
                shown.failed[rows[0]] = out_of_memory(error)
            else:
                for row, span, prefix in zip(rows, spans, prefixes, strict=True):
                    self._seen[row] = shown.ready[row] = Seen(span, prefix)
                    del self._pixels[row]
            left = left[len(rows) :]

    def _forget(self, row: int) -> None:
        self._pool.spans.give(self._seen.pop(row).keys)
