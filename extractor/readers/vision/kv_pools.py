"""Pools for the keys and values of images and texts: rows of any length share memory that never moves."""

from bisect import insort
from dataclasses import dataclass

import torch


@dataclass(frozen=True, order=True)
class Span:
    """`size` tokens of a pool, from `start`."""

    start: int
    size: int


class SpanAllocator:
    """Allocates parts of a pool: first fit; neighbouring free parts are merged."""

    def __init__(self, size: int) -> None:
        self._free = [Span(0, size)] if size else []

    @property
    def free(self) -> int:
        """Number of free tokens."""
        return sum(span.size for span in self._free)

    def allocate(self, size: int) -> Span | None:
        """Return a part of `size` tokens, or `None` where no free part is large enough."""
        for index, span in enumerate(self._free):
            if span.size >= size:
                rest = Span(span.start + size, span.size - size)
                self._free[index : index + 1] = [rest] if rest.size else []
                return Span(span.start, size)
        return None

    def release(self, span: Span) -> None:
        """Free an allocated part."""
        insort(self._free, span)
        merged: list[Span] = []
        for part in self._free:
            if merged and merged[-1].start + merged[-1].size == part.start:
                merged[-1] = Span(merged[-1].start, merged[-1].size + part.size)
            else:
                merged.append(part)
        self._free = merged


class KvPool:
    """Keys and values of some layers, for `size` tokens.

    Attributes:
        keys: By layer index, (tokens, heads, head size).
        values: As `keys`.
        spans: Allocates its tokens.
    """

    def __init__(self, layers: list[int], size: int, *, heads: int, head_size: int, like: torch.Tensor) -> None:
        def empty() -> torch.Tensor:
            return torch.zeros(size, heads, head_size, dtype=like.dtype, device=like.device)

        self.keys = {layer: empty() for layer in layers}
        self.values = {layer: empty() for layer in layers}
        self.spans = SpanAllocator(size)

    @staticmethod
    def token_bytes(layers: int, *, heads: int, head_size: int, dtype: torch.dtype) -> int:
        """Return the bytes that one token takes."""
        number_bytes: int = dtype.itemsize
        return 2 * layers * heads * head_size * number_bytes

    def write(self, layer: int, start: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store keys and values, each (tokens, heads, head size), from token `start` on."""
        self.keys[layer][start : start + len(keys)] = keys
        self.values[layer][start : start + len(values)] = values
