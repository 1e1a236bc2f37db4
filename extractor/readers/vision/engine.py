"""The seam between the reader and a model: what a model is asked about images, and what it says. Imports nothing heavy."""

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from extractor.readers.base import ReaderError
from extractor.readers.vision.sampling import Draw

OnText = Callable[[int, str], None]
"""Called with a row and the text that was just added to its answer."""


@dataclass(frozen=True)
class Ask:
    """One question about one row: an image, or several that are shown together.

    Attributes:
        turns: What was said so far, the user first and last; the images belong to the first turn.
        schema: JSON schema that the answer must fit; `None` for free text.
        max_tokens: Tokens after which the answer is cut off.
        draft: Text that the answer is likely to repeat; it makes the answer quicker, and changes nothing in it.
        draw: How tokens are drawn; `None` takes the likeliest one each time.
    """

    turns: tuple[str, ...]
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 1024
    draft: str = ""
    draw: Draw | None = None


@dataclass(frozen=True)
class Said:
    """A model's answer to one question.

    Attributes:
        tokens: Token ids without the end token.
        pieces: Each token's bytes; together they are the text.
        logprobs: Natural logarithm of each token's probability before the grammar's mask was applied; `None` where the grammar left no
            choice.
        is_cut_off: True where the answer ended at its limit.
        seconds: From the row's first look at the question to its last token.
    """

    tokens: tuple[int, ...]
    pieces: tuple[bytes, ...]
    logprobs: tuple[float | None, ...]
    is_cut_off: bool
    seconds: float

    @property
    def text(self) -> str:
        """The answer; bytes that are no UTF-8 (an answer cut off inside a character) become U+FFFD."""
        return b"".join(self.pieces).decode("utf-8", errors="replace")


class Stream:
    """Passes on text while it is said, whole characters only.

    Args:
        on_text: Hears it; `None` where nobody listens.
    """

    def __init__(self, on_text: OnText | None) -> None:
        self._on_text = on_text
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}

    def say(self, row: int, piece: bytes, *, is_last: bool) -> None:
        """One more token's bytes of a row's answer; nothing is held back after the last."""
        if self._on_text is None:
            return
        decoder = self._decoders.setdefault(row, codecs.getincrementaldecoder("utf-8")(errors="replace"))
        if text := decoder.decode(piece, final=is_last):
            self._on_text(row, text)


class Sight(Protocol):
    """Images that a model looks at, and what it keeps of them so that further questions are cheap."""

    def add(self, *images: Image.Image) -> int:
        """Row number of one more image, or of several that are shown together, in one turn; looked at when first asked about."""
        ...

    def ask(self, asks: Mapping[int, Ask], on_text: OnText | None = None) -> Mapping[int, Said | ReaderError]:
        """One answer or error for every row asked; a row that fails fails alone."""
        ...

    def close(self) -> None:
        """Forgets the images and frees their memory."""
        ...


class Engine(Protocol):
    """A loaded model."""

    def open(self) -> Sight: ...
