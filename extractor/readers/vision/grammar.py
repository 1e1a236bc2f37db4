"""JSON schemas become masks over the vocabulary, one matcher a row; a row whose grammar fails fails alone."""

import json
import os
import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import llguidance
import llguidance.hf
import torch

WORD_BITS = 32
"""Tokens per mask word, fixed by llguidance."""


MAX_THREADS = 16
"""Threads for masks at most, of those that the machine has."""

MAX_MATCHERS = 256
"""Matchers kept for later: a few schemas' worth for a full batch, at about two megabytes each."""


class GrammarRow:
    """One answer's way through its grammar; without a schema everything is allowed."""

    def __init__(self, matcher: "llguidance.LLMatcher | None", schema: str = "") -> None:
        self.matcher, self.schema = matcher, schema
        self.error = matcher.get_error() if matcher is not None and matcher.is_error() else None

    @property
    def is_constrained(self) -> bool:
        return self.matcher is not None and self.error is None

    @property
    def is_finished(self) -> bool:
        """Whether the answer is complete, and nothing may follow."""
        return self.matcher is not None and self.error is None and self.matcher.is_stopped()

    def tries(self, token: int) -> bool:
        """Whether it allows the token; it has then moved on by it, and can go back."""
        return self.matcher is not None and self.matcher.try_consume_tokens([token]) == 1

    def goes_back(self, tokens: int) -> None:
        """Takes back so many tokens."""
        if self.matcher is not None and tokens:
            self.matcher.rollback(tokens)

    def forced(self) -> list[int]:
        """The tokens that must come next, as the tokenizer writes them; none where the row has a choice.

        A token that could be longer, were it joined to what may follow, is not among them: the model picks the longer one where it fits.
        """
        return self.matcher.compute_ff_tokens() if self.matcher is not None and self.error is None else []

    def accept(self, token: int) -> None:
        """Moves on by one token. A token that the grammar does not allow sets `error` and frees the row of its grammar."""
        if self.matcher is not None and self.error is None and not self.matcher.consume_token(token):
            self.error = self.matcher.get_error()


class Grammars:
    """Compiles schemas for one tokenizer and fills the masks of a batch.

    Args:
        tokenizer: A fast tokenizer.
        ends: Ids of the tokens that end an answer.
        threads: How many masks are computed side by side: one takes 0.05 to 0.6 ms, and a batch's must be there within a step.
    """

    def __init__(self, tokenizer: Any, ends: Collection[int], *, threads: int | None = None) -> None:
        # The tokenizer may know one token more than the model has logits for (Llama's image token): masks are cut to the logits.
        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=len(tokenizer), eos_token=sorted(ends))
        self._executor = llguidance.LLExecutor(num_threads=threads or min(MAX_THREADS, os.cpu_count() or 1))
        # Used matchers are kept: compiling takes 6 ms, and what a matcher has worked out once it knows. Copies of one matcher would not do:
        # they share a lock, and the masks of a batch would be worked out one after the other.
        self._idle: deque[GrammarRow] = deque(maxlen=MAX_MATCHERS)
        self._lock = threading.Lock()
        self.words = -(-self._tokenizer.vocab_size // WORD_BITS)

    def row(self, schema: Mapping[str, Any] | None) -> GrammarRow:
        """A row at its start, in any thread; a schema that cannot be compiled gives a row with an `error`, never an exception."""
        if schema is None:
            return GrammarRow(None)
        text = json.dumps(schema)
        with self._lock:
            used = next((row for row in self._idle if row.schema == text), None)
            if used is not None:
                self._idle.remove(used)
                return used
        grammar = llguidance.LLMatcher.grammar_from_json_schema(text, overrides={"whitespace_flexible": False})
        return GrammarRow(llguidance.LLMatcher(self._tokenizer, grammar, log_level=0), text)

    def give_back(self, row: GrammarRow) -> None:
        """Takes back a row that is done, for the next answer to the same schema; the longest kept make room."""
        if row.matcher is not None and row.error is None and row.matcher.reset():
            with self._lock:
                self._idle.append(row)

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for."""
        piece: bytes = self._tokenizer.decode_bytes([token])
        return piece

    def blank(self, rows: int, *, pinned: bool = False) -> torch.Tensor:
        """Masks (rows, words) int32 in host memory that allow everything."""
        return torch.full((rows, self.words), -1, dtype=torch.int32, pin_memory=pinned)

    def tokens(self, text: bytes) -> list[int]:
        """The tokens that a text is written in."""
        tokens: list[int] = self._tokenizer.tokenize_bytes(text)
        return tokens

    def fill(self, ways: Sequence[tuple[GrammarRow, Sequence[int]]], masks: torch.Tensor) -> None:
        """Writes what rows allow: for each the mask of what may come next, then one more after each of the tokens given with it, in turn.

        A mask after a token that the row does not allow holds nothing of sense. Rows are left where they are. A matcher that has finished
        allows the end token alone, and goes on doing so.

        Args:
            masks: (at least as many, words), contiguous int32 in host memory.
        """
        first, place = list[int](), 0
        for row, ahead in ways:
            first.append(place)
            place += 1 + len(ahead)
            if not row.is_constrained:
                masks[first[-1] : place].fill_(-1)
        walking = [index for index, (row, _) in enumerate(ways) if row.is_constrained]
        taken = [0] * len(ways)
        while walking:
            jobs = [(ways[index][0].matcher, first[index] + taken[index]) for index in walking]
            self._executor.unsafe_compute_mask_ptr(jobs, masks.data_ptr(), self.words * masks.element_size(), len(masks))
            left = [(index, ways[index][0], ways[index][1][taken[index]]) for index in walking if taken[index] < len(ways[index][1])]
            walking = [index for index, row, token in left if row.tries(token)]
            for index in walking:
                taken[index] += 1
        for (row, _), count in zip(ways, taken, strict=True):
            row.goes_back(count)


def masked(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """`logits` (rows, vocabulary) with minus infinity wherever the bit of `masks` (rows, words) is not set."""
    shifts = torch.arange(WORD_BITS, device=masks.device, dtype=torch.int32)
    allowed = ((masks.unsqueeze(-1) >> shifts) & 1).flatten(1)[:, : logits.shape[1]]
    missing = logits.shape[1] - allowed.shape[1]
    if missing > 0:  # a vocabulary padded for speed: its last tokens do not exist
        allowed = torch.nn.functional.pad(allowed, (0, missing))
    return logits.masked_fill(allowed == 0, float("-inf"))
