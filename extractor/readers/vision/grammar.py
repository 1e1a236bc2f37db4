"""Compiles JSON schemas into grammars that mask the vocabulary, one matcher per row; an error affects only its own row."""

import json
import os
import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import llguidance
import llguidance.hf
import torch

# Tokens per mask word, as in llguidance.
WORD_BITS = 32


# Maximum number of threads that compute masks.
MAX_THREADS = 16

# Matchers that are kept for reuse: enough for a few schemas and a full batch, at about two megabytes each.
MAX_MATCHERS = 256


class GrammarRow:
    """The state of one answer's grammar; without a schema everything is allowed."""

    def __init__(self, matcher: "llguidance.LLMatcher | None", schema: str = "") -> None:
        self.matcher, self.schema = matcher, schema
        self.error = matcher.get_error() if matcher is not None and matcher.is_error() else None

    @property
    def is_constrained(self) -> bool:
        return self.matcher is not None and self.error is None

    @property
    def is_finished(self) -> bool:
        """Whether the answer is complete and nothing may follow."""
        return self.matcher is not None and self.error is None and self.matcher.is_stopped()

    def try_accept(self, token: int) -> bool:
        """Move on by a token if it is allowed, and return whether it is; `rollback` undoes it."""
        return self.matcher is not None and self.matcher.try_consume_tokens([token]) == 1

    def rollback(self, tokens: int) -> None:
        """Go back by so many tokens."""
        if self.matcher is not None and tokens:
            self.matcher.rollback(tokens)

    def forced_tokens(self) -> list[int]:
        """Return the tokens that must come next, as the tokenizer would write them; none where there is a choice.

        A token that could be part of a longer one, together with what may follow, is not included: the model may choose the longer one.
        """
        return self.matcher.compute_ff_tokens() if self.matcher is not None and self.error is None else []

    def accept(self, token: int) -> None:
        """Move on by one token. A token that is not allowed sets `error`, and from then on everything is allowed."""
        if self.matcher is not None and self.error is None and not self.matcher.consume_token(token):
            self.error = self.matcher.get_error()


class Grammars:
    """Compiles schemas for one tokenizer, and fills the masks of a batch.

    Args:
        tokenizer: A fast tokenizer.
        ends: Ids of the tokens that end an answer.
        threads: Number of masks that are computed side by side: one takes 0.05 to 0.6 ms, and a step waits for all of them.
    """

    def __init__(self, tokenizer: Any, ends: Collection[int], *, threads: int | None = None) -> None:
        # The tokenizer may know one token more than the model has logits for (Llama's image token): masks are cut to the logits.
        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=len(tokenizer), eos_token=sorted(ends))
        self._executor = llguidance.LLExecutor(num_threads=threads or min(MAX_THREADS, os.cpu_count() or 1))
        # Matchers are reused: compiling takes 6 ms, and a matcher caches the masks that it has computed. Copies of one matcher would share
        # a lock, so that the masks of a batch would be computed one after another.
        self._idle: deque[GrammarRow] = deque(maxlen=MAX_MATCHERS)
        self._lock = threading.Lock()
        self.words = -(-self._tokenizer.vocab_size // WORD_BITS)

    def row(self, schema: Mapping[str, Any] | None) -> GrammarRow:
        """Return a row at the start of its grammar; may be called in any thread. An invalid schema gives a row with an `error`."""
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

    def recycle(self, row: GrammarRow) -> None:
        """Keep a row that is done for the next answer with the same schema; the oldest ones are dropped."""
        if row.matcher is not None and row.error is None and row.matcher.reset():
            with self._lock:
                self._idle.append(row)

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token."""
        piece: bytes = self._tokenizer.decode_bytes([token])
        return piece

    def blank(self, rows: int, *, pinned: bool = False) -> torch.Tensor:
        """Return masks, (rows, words) int32 in host memory, that allow everything."""
        return torch.full((rows, self.words), -1, dtype=torch.int32, pin_memory=pinned)

    def tokens(self, text: bytes) -> list[int]:
        """Tokenise a text."""
        tokens: list[int] = self._tokenizer.tokenize_bytes(text)
        return tokens

    def fill(self, paths: Sequence[tuple[GrammarRow, Sequence[int]]], masks: torch.Tensor) -> None:
        """Write masks: for each row, what may come next, then what may come after each of its proposed tokens.

        A mask after a proposed token that is not allowed is undefined. The rows' states do not change. A finished grammar allows only the
        end token.

        Args:
            paths: Rows, each with its proposed tokens.
            masks: (at least as many as rows and proposed tokens, words), contiguous int32 in host memory.
        """
        first, place = list[int](), 0
        for row, proposed in paths:
            first.append(place)
            place += 1 + len(proposed)
            if not row.is_constrained:
                masks[first[-1] : place].fill_(-1)
        walking = [index for index, (row, _) in enumerate(paths) if row.is_constrained]
        taken = [0] * len(paths)
        while walking:
            jobs = [(paths[index][0].matcher, first[index] + taken[index]) for index in walking]
            self._executor.unsafe_compute_mask_ptr(jobs, masks.data_ptr(), self.words * masks.element_size(), len(masks))
            left = [(index, paths[index][0], paths[index][1][taken[index]]) for index in walking if taken[index] < len(paths[index][1])]
            walking = [index for index, row, token in left if row.try_accept(token)]
            for index in walking:
                taken[index] += 1
        for (row, _), count in zip(paths, taken, strict=True):
            row.rollback(count)


def masked(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return `logits` (rows, vocabulary), with minus infinity wherever the bit of `masks` (rows, words) is not set."""
    shifts = torch.arange(WORD_BITS, device=masks.device, dtype=torch.int32)
    allowed = ((masks.unsqueeze(-1) >> shifts) & 1).flatten(1)[:, : logits.shape[1]]
    missing = logits.shape[1] - allowed.shape[1]
    if missing > 0:  # a vocabulary that is padded for speed: its last tokens do not exist
        allowed = torch.nn.functional.pad(allowed, (0, missing))
    return logits.masked_fill(allowed == 0, float("-inf"))
