"""One row's answer while it is being given, whoever runs the model: what is picked for it, and what its grammar then forces."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from extractor.errors import BadAnswer
from extractor.readers.base import ReaderError
from extractor.readers.vision.drafts import Guesser
from extractor.readers.vision.engine import Said
from extractor.readers.vision.grammar import GrammarRow, Grammars

BYTES_PER_TOKEN = 8
"""Text to guess for each token wanted: tokens are three to four bytes long, and rarely more than this."""


@dataclass
class AnswerSequence:
    """A row that is answering.

    Attributes:
        row: The caller's number.
        grammar: Its way through its grammar.
        max_tokens: Tokens after which it is cut off.
        guesser: Knows what it may say next.
        is_done: True once it has ended, was cut off, or left its grammar.
        tokens: All that it has said. What a grammar forces is said at once, in the tokenizer's own tokens, and still has to be fed to the
            model.
        logprobs: Of each token; `None` where the grammar forced it.
    """

    row: int
    grammar: GrammarRow
    max_tokens: int
    guesser: Guesser = field(default_factory=lambda: Guesser(""))
    is_done: bool = False
    is_cut_off: bool = False
    began: float = field(default_factory=time.monotonic)
    tokens: list[int] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    logprobs: list[float | None] = field(default_factory=list)
    _error: ReaderError | None = None

    def begin(self, grammars: Grammars) -> bytes:
        """Says what its grammar forces it to begin with; returns the bytes."""
        return self._forced(grammars)

    def hear(self, token: int, logprob: float, grammars: Grammars, ends: Collection[int]) -> bytes:
        """Takes the token that was picked for it; returns the bytes that it and what is forced after it add, none for an end token."""
        if token in ends:
            self.is_done = True
            return b""
        return self._say(token, logprob, grammars) + self._forced(grammars)

    def guess(self, most: int, grammars: Grammars) -> list[int]:
        """Up to `most` tokens that it may say next."""
        text = self.guesser.guess(BYTES_PER_TOKEN * most) if most > 0 else b""
        tokens = grammars.tokens(text) if text else []
        if len(text) == BYTES_PER_TOKEN * most:
            tokens = tokens[:-1]  # the last may be cut
        return tokens[: min(most, self.max_tokens - len(self.tokens))]

    def _forced(self, grammars: Grammars) -> bytes:
        said = b""
        for token in () if self.is_done else self.grammar.forced():
            if not self.is_done:
                said += self._say(token, None, grammars)
        return said

    def _say(self, token: int, logprob: float | None, grammars: Grammars) -> bytes:
        piece = grammars.piece(token)
        self.grammar.accept(token)
        self.guesser.hear(piece)
        self.tokens.append(token)
        self.pieces.append(piece)
        self.logprobs.append(logprob)
        self.is_cut_off = len(self.tokens) >= self.max_tokens and not self.grammar.is_finished
        self.is_done = self.is_cut_off or self.grammar.is_finished or self.grammar.error is not None
        return piece

    def give_up(self, error: ReaderError) -> None:
        """Ends it without an answer."""
        self._error, self.is_done = error, True

    def outcome(self) -> Said | ReaderError:
        """Its answer, or what went wrong with it."""
        if self._error is not None:
            return self._error
        said = Said(tuple(self.tokens), tuple(self.pieces), tuple(self.logprobs), self.is_cut_off, time.monotonic() - self.began)
        if self.grammar.error is None:
            return said
        return BadAnswer(f"The answer left its grammar: {self.grammar.error}. It is asked again.", text=said.text)
