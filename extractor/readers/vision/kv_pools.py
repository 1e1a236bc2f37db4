"""Keys and values of images and texts in flat pools, so that rows of any length share memory that never moves."""

from bisect import insort
from dataclasses import dataclass

import torch


@dataclass(frozen=True, order=True)
class Span:
    """`size` tokens of a pool, from `start`."""

    start: int
    size: int


class Spans:
    """Which parts of a pool are free: first fit, neighbours are joined when given back."""

    def __init__(self, size: int) -> None:
        self._free = [Span(0, size)] if size else []

    @property
    def free(self) -> int:
        return sum(span.size for span in self._free)

    def take(self, size: int) -> Span | None:
        """A part of `size` tokens, or `None` where no gap is large enough."""
        for index, span in enumerate(self._free):
            if span.size >= size:
                rest = Span(span.start + size, span.size - size)
                self._free[index : index + 1] = [rest] if rest.size else []
                return Span(span.start, size)
        return None

    def give(self, span: Span) -> None:
        """Takes a part back."""
        insort(self._free, span)
        joined: list[Span] = []
        for part in self._free:
            if joined and joined[-1].start + joined[-1].size == part.start:
                joined[-1] = Span(joined[-1].start, joined[-1].size + part.size)
            else:
                joined.append(part)
        self._free = joined


class KvPool:
    """Keys and values of some layers, `size` tokens long.

    Attributes:
        keys: By layer index, (tokens, heads, head size).
        values: As `keys`.
        spans: Which tokens are free.
    """

    def __init__(self, layers: list[int], size: int, *, heads: int, head_size: int, like: torch.Tensor) -> None:
        def empty() -> torch.Tensor:
            return torch.zeros(size, heads, head_size, dtype=like.dtype, device=like.device)

        self.keys = {layer: empty() for layer in layers}
        self.values = {layer: empty() for layer in layers}
        self.spans = Spans(size)

    @staticmethod
    def token_bytes(layers: int, *, heads: int, head_size: int, dtype: torch.dtype) -> int:
        """Bytes that one token takes."""
        number_bytes: int = dtype.itemsize
        return 2 * layers * heads * head_size * number_bytes

    def write(self, layer: int, start: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Stores (tokens, heads, head size) from token `start` on."""
        self.keys[layer][start : start + len(keys)] = keys
        self.values[layer][start : start + len(values)] = values
