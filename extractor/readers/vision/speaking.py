"""One row's answer while it is being given, token by token, whoever runs the model."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from extractor.errors import BadAnswer
from extractor.readers.interface import ReaderError
from extractor.readers.vision.engine import Said
from extractor.readers.vision.grammar import Grammars, Row


@dataclass
class Speaker:
    """A row that is answering.

    Attributes:
        row: The caller's number.
        grammar: Its way through its grammar.
        max_tokens: Tokens after which it is cut off.
        is_done: True once it has ended, was cut off, or left its grammar.
    """

    row: int
    grammar: Row
    max_tokens: int
    is_done: bool = False
    is_cut_off: bool = False
    began: float = field(default_factory=time.monotonic)
    tokens: list[int] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def hear(self, token: int, logprob: float, grammars: Grammars, ends: Collection[int]) -> bytes:
        """Takes the token that was picked for it; returns the bytes that it adds, none for an end token."""
        if token in ends:
            self.is_done = True
            return b""
        piece = grammars.piece(token)
        self.grammar.accept(token)
        self.tokens.append(token)
        self.pieces.append(piece)
        self.logprobs.append(logprob)
        self.is_cut_off = len(self.tokens) >= self.max_tokens
        self.is_done = self.is_cut_off or self.grammar.error is not None
        return piece

    def outcome(self) -> Said | ReaderError:
        """Its answer, or what went wrong with it."""
        said = Said(tuple(self.tokens), tuple(self.pieces), tuple(self.logprobs), self.is_cut_off, time.monotonic() - self.began)
        if self.grammar.error is None:
            return said
        return BadAnswer(f"The answer left its grammar: {self.grammar.error}. It is asked again.", text=said.text)
