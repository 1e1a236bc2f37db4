"""Answers are spoken many rows side by side: finished rows leave, waiting rows enter, each keeps to its grammar.

What a grammar forces is not asked for: it goes into the next step together with the token before it. So does what a row is likely to say
next: the step shows what the model picks after each guessed token, and as long as it picks what was guessed, one step says several tokens.
The answer is the one that steps of one token give. While the GPU works on a step the CPU prepares the masks for what is picked after it.

Where GPU memory is too short for a step, nothing has happened to its rows: half as many of them go at a time from then on, taking turns.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import torch

from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_shortage, out_of_memory
from extractor.readers.vision.cuda_graphs import RowFeed, Steps
from extractor.readers.vision.grammar import Grammars, masked
from extractor.readers.vision.kv_pools import Span
from extractor.readers.vision.sampling import Draw, shaken
from extractor.readers.vision.sequence import AnswerSequence

Done = TypeVar("Done")


@dataclass
class Seat:
    """A row that is answering, and where in the pools it is.

    Attributes:
        speaker: The row.
        logits: (vocabulary) after its question: what it will say first; `None` once it has been picked, or where its grammar forces it.
        text: Where its text lies in the text pool.
        image: Where its image lies in the image pool.
        length: Tokens of its question, those before the image included.
        fed: Tokens of its answer whose keys are in the text pool.
        draw: How its tokens are drawn; `None` for the likeliest.
    """

    speaker: AnswerSequence
    logits: torch.Tensor | None
    text: Span
    image: Span
    length: int
    fed: int = 0
    draw: Draw | None = None

    @property
    def is_to_pick(self) -> bool:
        """Whether its next token is to be chosen: all that is said has been fed."""
        return self.fed == len(self.speaker.tokens)


@dataclass(frozen=True)
class _Choice:
    """A row that is to pick, and the tokens that were fed ahead for it on trial: it picks once after each."""

    seat: Seat
    guesses: tuple[int, ...] = ()

    @property
    def picks(self) -> int:
        return 1 + len(self.guesses)


class Decoder:
    """Lets rows speak until they are done.

    Args:
        ends: Ids of the tokens that end an answer.
        on_cuda: Whether steps run on a GPU.
    Attributes:
        allowance: How many rows there are at a time.
    """

    def __init__(self, steps: Steps, grammars: Grammars, ends: Collection[int], *, on_cuda: bool) -> None:
        self._steps, self._grammars, self._ends = steps, grammars, frozenset(ends)
        self.allowance = BatchSizeLimit(steps.max_rows, "rows")
        most = max(rows * steps.most(rows) for rows in range(1, steps.max_rows + 1)) + steps.max_rows
        self._masks = grammars.blank(most, pinned=on_cuda)
        self._picked = torch.zeros(most, dtype=torch.int64, pin_memory=on_cuda)
        self._logprobs = torch.zeros(most, dtype=torch.float32, pin_memory=on_cuda)
        self._event = torch.cuda.Event() if on_cuda else None

    def run(self, admit: Callable[[int], Sequence[Seat]], heard: Callable[[AnswerSequence, bytes], None]) -> Iterator[AnswerSequence]:
        """Speakers as they finish.

        A speaker's spans may be given back as soon as it has been yielded: no step is queued for it any more.

        Args:
            admit: Called each turn with the number of free rows; gives rows that begin to answer. It gives some when all rows are free,
                as long as any wait.
            heard: Called for a row with the bytes that it has just added to its answer.
        """
        live: list[Seat] = []
        while True:
            turn, later = live[: self.allowance.now], live[self.allowance.now :]
            fed = [seat.fed for seat in turn]
            choices, logits = self._in_memory(turn, fed, partial(self._step, turn)) or ([], [])
            if (room := self.allowance.now - len(live)) > 0:
                turn += self._entering(admit(room), heard)
            if not turn:
                return
            for seat in turn:
                if seat.logits is not None:
                    choices.append(_Choice(seat))
                    logits.append(seat.logits[None])
            if self._in_memory(turn, fed, partial(self._pick, choices, logits)):
                self._listen(choices, heard)
            yield from (seat.speaker for seat in turn if seat.speaker.is_done)
            live = [*later, *(seat for seat in turn if not seat.speaker.is_done)]

    def _entering(self, seats: Sequence[Seat], heard: Callable[[AnswerSequence, bytes], None]) -> Sequence[Seat]:
        for seat in seats:
            heard(seat.speaker, seat.speaker.begin(self._grammars))
            if not seat.is_to_pick:
                seat.logits = None  # what comes first is forced
        return seats

    def _in_memory(self, turn: Sequence[Seat], fed: Sequence[int], work: Callable[[], Done]) -> Done | None:
        """What the work gives; `None` where memory is too short for it: nothing has happened to the rows, and fewer go at a time.

        Args:
            fed: Tokens that each row had fed before this turn; rows that entered since have fed none.
        """
        try:
            return work()
        except RuntimeError as error:
            if not is_shortage(error):
                raise
            for place, seat in enumerate(turn):
                seat.fed = fed[place] if place < len(fed) else 0
            self.allowance.halve(len(turn), error)
            if len(turn) == 1:
                turn[0].speaker.give_up(out_of_memory(error))
        return None

    def _step(self, turn: Sequence[Seat]) -> tuple[list[_Choice], list[torch.Tensor]]:
        """Queues a step over what the rows have said since the last one, and may say next; gives logits for each pick, in order."""
        speaking = [seat for seat in turn if seat.logits is None]
        if not speaking:
            return [], []
        most = self._most(len(speaking))
        feeds, choices, wanted, fed = list[RowFeed](), list[_Choice](), list[int](), 0
        for seat in speaking:
            tokens = seat.speaker.tokens[seat.fed : seat.fed + most]
            certain = len(tokens)
            if seat.fed + certain == len(seat.speaker.tokens):
                guesses = seat.speaker.guess(most - certain, self._grammars)
                choices.append(_Choice(seat, tuple(guesses)))
                tokens = [*tokens, *guesses]
                wanted += range(fed + certain - 1, fed + len(tokens))
            feeds.append(RowFeed(tokens, seat.length + seat.fed, seat.text.start, seat.image.start, seat.image.size))
            fed += len(tokens)
        logits = self._steps.run(feeds, wanted)
        for seat in speaking:
            seat.fed = min(len(seat.speaker.tokens), seat.fed + most)
        return choices, [logits]

    def _most(self, rows: int) -> int:
        """Tokens that each row may feed; where memory is short for all rows, a share of them feeds no more than that share did."""
        return self._steps.most(max(rows, rows * self._steps.max_rows // self.allowance.now))

    def _pick(self, choices: Sequence[_Choice], logits: Sequence[torch.Tensor]) -> bool:
        """Chooses tokens on the GPU and brings them to the host."""
        if choices:
            self._grammars.fill([(choice.seat.speaker.grammar, choice.guesses) for choice in choices], self._masks)
            scores = torch.cat(list(logits)).float()
            count = len(scores)
            allowed = masked(scores, self._masks[:count].to(scores.device, non_blocking=True))
            token = shaken(allowed, _draws(choices)).argmax(dim=-1)
            logprob = scores.gather(1, token[:, None])[:, 0] - scores.logsumexp(dim=-1)
            self._picked[:count].copy_(token, non_blocking=True)
            self._logprobs[:count].copy_(logprob, non_blocking=True)
        if self._event is not None:
            self._event.record()
            self._event.synchronize()
        return True

    def _listen(self, choices: Sequence[_Choice], heard: Callable[[AnswerSequence, bytes], None]) -> None:
        """Tells each row what was picked for it, as far as its guesses were right."""
        for choice in choices:
            choice.seat.logits = None
        picks = iter(zip(self._picked.tolist(), self._logprobs.tolist(), strict=True))
        for choice in choices:
            speaker, own = choice.seat.speaker, list(islice(picks, choice.picks))
            for (token, logprob), guess in zip(own, (*choice.guesses, None), strict=True):
                if choice.seat.is_to_pick:  # else the grammar has forced what comes here
                    heard(speaker, speaker.hear(token, logprob, self._grammars, self._ends))
                if speaker.is_done or speaker.tokens[choice.seat.fed] != guess:
                    break
                choice.seat.fed += 1


def _draws(choices: Sequence[_Choice]) -> list[tuple[int, Draw, int]]:
    """Which of the picks are drawn, how, and for which place of the answer; see `shaken`."""
    draws, first = list[tuple[int, Draw, int]](), 0
    for choice in choices:
        if (draw := choice.seat.draw) is not None:
            said = len(choice.seat.speaker.tokens)
            draws += [(first + ahead, draw, said + ahead) for ahead in range(choice.picks)]
        first += choice.picks
    return draws
