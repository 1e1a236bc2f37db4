"""Types for the results of OCR: fragments from an engine, lines in reading order in a transcript. Imports nothing heavy."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from PIL import Image


class Box(NamedTuple):
    """An upright rectangle on a page, in pixels of that page; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Vertical centre, in pixels."""
        return (self.top + self.bottom) / 2

    @staticmethod
    def around(boxes: "list[Box] | tuple[Box, ...]") -> "Box":
        """Return the smallest box that contains all of `boxes` (at least one)."""
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        return Box(min(lefts), min(tops), max(rights), max(bottoms))


@dataclass(frozen=True)
class Word:
    """Text without spaces. Its box is a part of the fragment's box, in proportion to the characters."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True)
class Fragment:
    """Text that an engine detected and recognised as one piece: a few words side by side."""

    text: str
    box: Box
    confidence: float

    @cached_property
    def words(self) -> tuple[Word, ...]:
        per_character = self.box.width / max(1, len(self.text))
        words, position = [], 0
        for token in self.text.split():
            start = self.text.index(token, position)
            position = start + len(token)
            left = self.box.left + start * per_character
            box = Box(left, self.box.top, self.box.left + position * per_character, self.box.bottom)
            words.append(Word(token, box, self.confidence))
        return tuple(words)


@dataclass(frozen=True)
class Line:
    """One text row: its fragments, left to right (at least one)."""

    fragments: tuple[Fragment, ...]

    @cached_property
    def text(self) -> str:
        """The row's text; fragments are separated by one space."""
        return " ".join(fragment.text for fragment in self.fragments)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for fragment in self.fragments for word in fragment.words)

    @cached_property
    def box(self) -> Box:
        return Box.around([fragment.box for fragment in self.fragments])

    @cached_property
    def confidence(self) -> float:
        """The lowest confidence of its fragments."""
        return min(fragment.confidence for fragment in self.fragments)


@dataclass(frozen=True)
class Transcript:
    """The text of one upright page."""

    lines: tuple[Line, ...]
    width: int
    height: int
    engine: str

    @cached_property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def fragments(self) -> Iterator[Fragment]:
        return (fragment for line in self.lines for fragment in line.fragments)


class OcrEngine(Protocol):
    """Detects and recognises the text of an image; knows nothing of receipts."""

    name: str

    def read(self, image: Image.Image) -> list[Fragment]:
        """Return all text fragments of an RGB image, in any order, boxes in its pixels.

        Raises:
            ReaderUnavailable: The engine failed on this image.
        """
        ...
