"""The interface between the reader and a model: requests about images, and the model's replies. Imports nothing heavy."""

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

from extractor.readers.base import ReaderError
from extractor.readers.vision.sampling import Sampling

# Called with a row and the text that was just added to its answer.
OnText = Callable[[int, str], None]


@dataclass(frozen=True)
class ModelRequest:
    """One question about one row: an image, or several that are shown together.

    Attributes:
        turns: The conversation so far, the user first and last; the images belong to the first turn.
        schema: JSON schema that the answer must match; `None` for free text.
        max_tokens: Tokens after which the answer is cut off.
        draft: Text that the answer is likely to repeat. It speeds the answer up and never changes it.
        sampling: How tokens are sampled; `None` always takes the most likely one.
    """

    turns: tuple[str, ...]
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 1024
    draft: str = ""
    sampling: Sampling | None = None


@dataclass(frozen=True)
class ModelReply:
    """A model's answer to one request.

    Attributes:
        tokens: Token ids without the end token.
        pieces: The bytes of each token; joined, they are the text.
        logprobs: Natural logarithm of each token's probability before the grammar's mask was applied; `None` where the grammar allowed
            only one token.
        is_cut_off: Whether the answer ended at its limit.
        seconds: Time from the start of the question to the last token.
    """

    tokens: tuple[int, ...]
    pieces: tuple[bytes, ...]
    logprobs: tuple[float | None, ...]
    is_cut_off: bool
    seconds: float

    @property
    def text(self) -> str:
        """The answer; bytes that are not UTF-8 (an answer cut off inside a character) become U+FFFD."""
        return b"".join(self.pieces).decode("utf-8", errors="replace")


class TextStream:
    """Passes text on while it is generated, in whole characters.

    Args:
        on_text: Receives the text; `None` discards it.
    """

    def __init__(self, on_text: OnText | None) -> None:
        self._on_text = on_text
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}

    def feed(self, row: int, piece: bytes, *, is_last: bool) -> None:
        """Add the bytes of one more token of a row's answer; nothing is held back after the last."""
        if self._on_text is None:
            return
        decoder = self._decoders.setdefault(row, codecs.getincrementaldecoder("utf-8")(errors="replace"))
        if text := decoder.decode(piece, final=is_last):
            self._on_text(row, text)


class ImageSession(Protocol):
    """Images that a model answers questions about; what it has computed from them is cached for further questions."""

    def add(self, *images: Image.Image) -> int:
        """Add an image, or several that are shown together in one turn, and return its row number. It is encoded when first needed."""
        ...

    def ask(self, requests: Mapping[int, ModelRequest], on_text: OnText | None = None) -> Mapping[int, ModelReply | ReaderError]:
        """Return one reply or error for every row; an error affects only its own row."""
        ...

    def close(self) -> None:
        """Drop the images and free their memory."""
        ...


class Engine(Protocol):
    """A loaded model."""

    def open(self) -> ImageSession: ...
