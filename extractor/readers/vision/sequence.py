"""State of one answer while it is generated, whichever way the model runs: chosen tokens, and tokens that its grammar forces."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from extractor.errors import BadAnswer
from extractor.readers.base import ReaderError
from extractor.readers.vision.drafts import DraftCursor
from extractor.readers.vision.engine import ModelReply
from extractor.readers.vision.grammar import GrammarRow, Grammars

BYTES_PER_TOKEN = 8  # draft text to tokenise for each proposed token: tokens have three to four bytes, and rarely more than this


@dataclass
class AnswerSequence:
    """An answer that is being generated.

    Attributes:
        row: The caller's number.
        grammar: Its grammar's state.
        max_tokens: Tokens after which it is cut off.
        draft: Its place in the draft.
        is_done: Whether it has ended, was cut off, or has left its grammar.
        tokens: All tokens so far. Tokens that the grammar forces are appended at once; the model still has to process them.
        logprobs: Of each token; `None` where the grammar forced it.
    """

    row: int
    grammar: GrammarRow
    max_tokens: int
    draft: DraftCursor = field(default_factory=lambda: DraftCursor(""))
    is_done: bool = False
    is_cut_off: bool = False
    began: float = field(default_factory=time.monotonic)
    tokens: list[int] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    logprobs: list[float | None] = field(default_factory=list)
    _error: ReaderError | None = None

    def begin(self, grammars: Grammars) -> bytes:
        """Append the tokens that the grammar forces at the start; return their bytes."""
        return self._append_forced(grammars)

    def append(self, token: int, logprob: float, grammars: Grammars, ends: Collection[int]) -> bytes:
        """Append the chosen token and those that the grammar forces after it; return their bytes, none for an end token."""
        if token in ends:
            self.is_done = True
            return b""
        return self._append(token, logprob, grammars) + self._append_forced(grammars)

    def propose(self, count: int, grammars: Grammars) -> list[int]:
        """Return up to `count` tokens that may come next, from the draft."""
        text = self.draft.propose(BYTES_PER_TOKEN * count) if count > 0 else b""
        tokens = grammars.tokens(text) if text else []
        if len(text) == BYTES_PER_TOKEN * count:
            tokens = tokens[:-1]  # the last one may be incomplete
        return tokens[: min(count, self.max_tokens - len(self.tokens))]

    def _append_forced(self, grammars: Grammars) -> bytes:
        added = b""
        for token in () if self.is_done else self.grammar.forced_tokens():
            if not self.is_done:
                added += self._append(token, None, grammars)
        return added

    def _append(self, token: int, logprob: float | None, grammars: Grammars) -> bytes:
        piece = grammars.piece(token)
        self.grammar.accept(token)
        self.draft.advance(piece)
        self.tokens.append(token)
        self.pieces.append(piece)
        self.logprobs.append(logprob)
        self.is_cut_off = len(self.tokens) >= self.max_tokens and not self.grammar.is_finished
        self.is_done = self.is_cut_off or self.grammar.is_finished or self.grammar.error is not None
        return piece

    def fail(self, error: ReaderError) -> None:
        """End the answer with an error."""
        self._error, self.is_done = error, True

    def result(self) -> ModelReply | ReaderError:
        """Return the answer, or the error that ended it."""
        if self._error is not None:
            return self._error
        reply = ModelReply(tuple(self.tokens), tuple(self.pieces), tuple(self.logprobs), self.is_cut_off, time.monotonic() - self.began)
        if self.grammar.error is None:
            return reply
        return BadAnswer(f"The answer left its grammar: {self.grammar.error}. It is asked again.", text=reply.text)
