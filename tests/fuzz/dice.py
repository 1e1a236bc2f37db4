"""Choices made by bytes: the same bytes make the same choices, whoever found them."""

from collections.abc import Sequence
from typing import TypeVar

Choice = TypeVar("Choice")


class Dice:
    """Reads its bytes from front to back; when they are used up, every throw is 0, so that every program of throws ends."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def below(self, limit: int) -> int:
        """A number from 0 to `limit - 1`."""
        size = 1 if limit <= 256 else 2
        return int.from_bytes(self.take(size), "big") % limit

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def take(self, count: int) -> bytes:
        """The next bytes; fewer at the end."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(len(self._data))

    def text(self, longest: int) -> str:
        """A text of any characters, lone surrogates included, at most so many bytes of it."""
        return self.take(self.below(longest + 1)).decode("utf-8", "surrogateescape")
