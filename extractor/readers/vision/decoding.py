"""Generates answers for many rows side by side: finished rows leave, waiting rows enter, and each row keeps to its grammar.

Tokens that a grammar forces are not chosen: they are processed in the same step as the token before them. So are tokens proposed from a
draft: the step shows what the model chooses after each of them, and as long as the choices match the proposal, one step yields several
tokens. The answer is the same as with steps of one token. While the GPU works on a step, the CPU prepares the masks for the choices.

If GPU memory is too short for a step, the state of its rows is restored, and from then on half as many rows take turns.

Source: Y. Leviathan, M. Kalman, Y. Matias, "Fast Inference from Transformers via Speculative Decoding", ICML 2023.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import torch

from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_out_of_memory, out_of_memory_error
from extractor.readers.vision.cuda_graphs import RowInput, StepRunner
from extractor.readers.vision.grammar import Grammars, masked
from extractor.readers.vision.kv_pools import Span
from extractor.readers.vision.sampling import Sampling, add_sampling_noise
from extractor.readers.vision.sequence import AnswerSequence

Done = TypeVar("Done")


@dataclass
class ActiveRow:
    """A row whose answer is being generated, and its place in the pools.

    Attributes:
        sequence: Its answer.
        logits: (vocabulary) after its question, for its first token; `None` once that is chosen, or where its grammar forces it.
        text: Its text in the text pool.
        image: Its images in the image pool.
        length: Tokens of its question, including those before the image.
        fed: Tokens of its answer whose keys are in the text pool.
        sampling: How its tokens are sampled; `None` takes the most likely one.
    """

    sequence: AnswerSequence
    logits: torch.Tensor | None
    text: Span
    image: Span
    length: int
    fed: int = 0
    sampling: Sampling | None = None

    @property
    def needs_token(self) -> bool:
        """Whether its next token has to be chosen: the model has processed all tokens so far."""
        return self.fed == len(self.sequence.tokens)


@dataclass(frozen=True)
class _Choice:
    """A row that needs a token, and the draft tokens that were processed ahead: one token is chosen after each of them."""

    row: ActiveRow
    proposed: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Number of tokens to choose."""
        return 1 + len(self.proposed)


class Decoder:
    """Generates answers.

    Args:
        ends: Ids of the tokens that end an answer.
        on_cuda: Whether steps run on a GPU.
    Attributes:
        row_limit: Number of rows that are active at once.
    """

    def __init__(self, runner: StepRunner, grammars: Grammars, ends: Collection[int], *, on_cuda: bool) -> None:
        self._runner, self._grammars, self._ends = runner, grammars, frozenset(ends)
        self.row_limit = BatchSizeLimit(runner.max_rows, "rows")
        max_choices = max(rows * runner.max_row_tokens(rows) for rows in range(1, runner.max_rows + 1)) + runner.max_rows
        self._masks = grammars.blank(max_choices, pinned=on_cuda)
        self._chosen = torch.zeros(max_choices, dtype=torch.int64, pin_memory=on_cuda)
        self._logprobs = torch.zeros(max_choices, dtype=torch.float32, pin_memory=on_cuda)
        self._event = torch.cuda.Event() if on_cuda else None

    def run(
        self, admit: Callable[[int], Sequence[ActiveRow]], on_piece: Callable[[AnswerSequence, bytes], None]
    ) -> Iterator[AnswerSequence]:
        """Yield sequences as they finish.

        A sequence's spans may be released as soon as it has been yielded: no queued step uses them any more.

        Args:
            admit: Called in each step with the number of free rows; returns rows that begin now. When all rows are free, it must return
                some as long as any are waiting.
            on_piece: Called with a sequence and the bytes that were just added to it.
        """
        active: list[ActiveRow] = []
        while True:
            turn, later = active[: self.row_limit.current], active[self.row_limit.current :]
            fed = [row.fed for row in turn]
            choices, logits = self._in_memory(turn, fed, partial(self._step, turn)) or ([], [])
            if (room := self.row_limit.current - len(active)) > 0:
                turn += self._begin(admit(room), on_piece)
            if not turn:
                return
            for row in turn:
                if row.logits is not None:
                    choices.append(_Choice(row))
                    logits.append(row.logits[None])
            if self._in_memory(turn, fed, partial(self._choose, choices, logits)):
                self._append(choices, on_piece)
            yield from (row.sequence for row in turn if row.sequence.is_done)
            active = [*later, *(row for row in turn if not row.sequence.is_done)]

    def _begin(self, rows: Sequence[ActiveRow], on_piece: Callable[[AnswerSequence, bytes], None]) -> Sequence[ActiveRow]:
        for row in rows:
            on_piece(row.sequence, row.sequence.begin(self._grammars))
            if not row.needs_token:
                row.logits = None  # its first token is forced
        return rows

    def _in_memory(self, turn: Sequence[ActiveRow], fed: Sequence[int], work: Callable[[], Done]) -> Done | None:
        """Return the result of `work`; `None` where memory is too short for it: the rows are as before, and the row limit is halved.

        Args:
            fed: `ActiveRow.fed` of each row before this turn; 0 for rows that entered since.
        """
        try:
            return work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            for place, row in enumerate(turn):
                row.fed = fed[place] if place < len(fed) else 0
            self.row_limit.halve(len(turn), error)
            if len(turn) == 1:
                turn[0].sequence.fail(out_of_memory_error(error))
        return None

    def _step(self, turn: Sequence[ActiveRow]) -> tuple[list[_Choice], list[torch.Tensor]]:
        """Queue a step over each row's unprocessed and proposed tokens; return the choices it allows, and their logits in order."""
        running = [row for row in turn if row.logits is None]
        if not running:
            return [], []
        limit = self._max_row_tokens(len(running))
        inputs, choices, wanted, fed = list[RowInput](), list[_Choice](), list[int](), 0
        for row in running:
            tokens = row.sequence.tokens[row.fed : row.fed + limit]
            certain = len(tokens)
            if row.fed + certain == len(row.sequence.tokens):
                proposed = row.sequence.propose(limit - certain, self._grammars)
                choices.append(_Choice(row, tuple(proposed)))
                tokens = [*tokens, *proposed]
                wanted += range(fed + certain - 1, fed + len(tokens))
            inputs.append(RowInput(tokens, row.length + row.fed, row.text.start, row.image.start, row.image.size))
            fed += len(tokens)
        logits = self._runner.run(inputs, wanted)
        for row in running:
            row.fed = min(len(row.sequence.tokens), row.fed + limit)
        return choices, [logits]

    def _max_row_tokens(self, rows: int) -> int:
        """Return the number of tokens that each row may process; if memory is short for all rows, fewer rows get no more tokens each."""
        return self._runner.max_row_tokens(max(rows, rows * self._runner.max_rows // self.row_limit.current))

    def _choose(self, choices: Sequence[_Choice], logits: Sequence[torch.Tensor]) -> bool:
        """Choose tokens on the GPU and copy them to the host."""
        if choices:
            self._grammars.fill([(choice.row.sequence.grammar, choice.proposed) for choice in choices], self._masks)
            scores = torch.cat(list(logits)).float()
            count = len(scores)
            allowed = masked(scores, self._masks[:count].to(scores.device, non_blocking=True))
            token = add_sampling_noise(allowed, _samplings(choices)).argmax(dim=-1)
            logprob = scores.gather(1, token[:, None])[:, 0] - scores.logsumexp(dim=-1)
            self._chosen[:count].copy_(token, non_blocking=True)
            self._logprobs[:count].copy_(logprob, non_blocking=True)
        if self._event is not None:
            self._event.record()
            self._event.synchronize()
        return True

    def _append(self, choices: Sequence[_Choice], on_piece: Callable[[AnswerSequence, bytes], None]) -> None:
        """Append the chosen tokens to each sequence, as far as its proposed tokens were right."""
        for choice in choices:
            choice.row.logits = None
        chosen = iter(zip(self._chosen.tolist(), self._logprobs.tolist(), strict=True))
        for choice in choices:
            sequence, own = choice.row.sequence, list(islice(chosen, choice.count))
            for (token, logprob), proposed in zip(own, (*choice.proposed, None), strict=True):
                if choice.row.needs_token:  # otherwise the grammar has forced this token
                    on_piece(sequence, sequence.append(token, logprob, self._grammars, self._ends))
                if sequence.is_done or sequence.tokens[choice.row.fed] != proposed:
                    break
                choice.row.fed += 1


def _samplings(choices: Sequence[_Choice]) -> list[tuple[int, Sampling, int]]:
    """Return which of the tokens to choose are sampled, how, and their places in their answers; see `add_sampling_noise`."""
    samplings, first = list[tuple[int, Sampling, int]](), 0
    for choice in choices:
        if (sampling := choice.row.sampling) is not None:
            place = len(choice.row.sequence.tokens)
            samplings += [(first + ahead, sampling, place + ahead) for ahead in range(choice.count)]
        first += choice.count
    return samplings
