"""Turns fuzzer bytes into choices; equal bytes give equal choices, whichever tool generated them."""

from collections.abc import Sequence
from typing import TypeVar

Choice = TypeVar("Choice")


class DataProvider:
    """Consumes bytes from front to back. Once they are used up every number is 0, so that every target terminates."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit - 1`."""
        size = 1 if limit <= 256 else 2
        return int.from_bytes(self.take(size), "big") % limit

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes; fewer at the end."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def rest(self) -> bytes:
        """Return the remaining bytes."""
        return self.take(len(self._data))

    def text(self, longest: int) -> str:
        """Return a text of at most `longest` bytes, with any characters including lone surrogates."""
        return self.take(self.below(longest + 1)).decode("utf-8", "surrogateescape")
