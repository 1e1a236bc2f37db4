"""Answers are spoken many rows side by side: finished rows leave, waiting rows enter, each keeps to its grammar.

What a grammar forces is not asked for: it goes into the next step together with the token before it, so a step may take several tokens of
a row. While the GPU works on a step the CPU prepares the masks for what is picked after it. One small copy goes each way.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch

from extractor.readers.vision.grammar import Grammars, masked
from extractor.readers.vision.memory import Span
from extractor.readers.vision.speaking import Speaker
from extractor.readers.vision.steps import RowFeed, Steps


@dataclass
class Seat:
    """A row that is answering, and where in the pools it is.

    Attributes:
        speaker: The row.
        logits: (vocabulary) after its question: what it will say first.
        text: Where its text lies in the text pool.
        image: Where its image lies in the image pool.
        length: Tokens of its question, those before the image included.
        fed: Tokens of its answer whose keys are in the text pool.
    """

    speaker: Speaker
    logits: torch.Tensor
    text: Span
    image: Span
    length: int
    fed: int = 0

    @property
    def is_to_pick(self) -> bool:
        """Whether its next token is to be chosen: all that is said has been fed."""
        return self.fed == len(self.speaker.tokens)


class Decoder:
    """Lets rows speak until they are done.

    Args:
        ends: Ids of the tokens that end an answer.
        on_cuda: Whether steps run on a GPU.
    """

    def __init__(self, steps: Steps, grammars: Grammars, ends: Collection[int], *, on_cuda: bool) -> None:
        self._steps, self._grammars, self._ends = steps, grammars, frozenset(ends)
        self.max_rows = steps.max_rows
        self._masks = grammars.blank(self.max_rows, pinned=on_cuda)
        self._picked = torch.zeros(self.max_rows, dtype=torch.int64, pin_memory=on_cuda)
        self._logprobs = torch.zeros(self.max_rows, dtype=torch.float32, pin_memory=on_cuda)
        self._event = torch.cuda.Event() if on_cuda else None

    def run(self, admit: Callable[[int], Sequence[Seat]], heard: Callable[[Speaker, bytes], None]) -> Iterator[Speaker]:
        """Speakers as they finish.

        A speaker's spans may be given back as soon as it has been yielded: no step is queued for it any more.

        Args:
            admit: Called each turn with the number of free rows; gives rows that begin to answer. It gives some when all rows are free,
                as long as any wait.
            heard: Called for a row with the bytes that it has just added to its answer.
        """
        live: list[Seat] = []
        while True:
            live = [seat for seat in live if not seat.speaker.is_done]
            logits = self._step(live)
            choosing = [seat for seat in live if seat.is_to_pick]
            room = self.max_rows - len(live)
            entering = admit(room) if room else ()
            live += entering
            if not live:
                return
            for seat in entering:
                heard(seat.speaker, seat.speaker.begin(self._grammars))
                if seat.is_to_pick:
                    choosing.append(seat)
                    logits.append(seat.logits[None])
            self._pick(choosing, logits)
            yield from self._listen(choosing, heard)
            yield from (seat.speaker for seat in entering if seat.speaker.is_done and seat not in choosing)

    def _step(self, live: Sequence[Seat]) -> list[torch.Tensor]:
        """Queues a step over what the rows have said since the last one; gives logits for the rows that then are to pick, in order."""
        if not live:
            return []
        most = self._steps.most(len(live))
        feeds, wanted, tokens = [], [], 0
        for seat in live:
            said = seat.speaker.tokens[seat.fed : seat.fed + most]
            feeds.append(RowFeed(said, seat.length + seat.fed, seat.text.start, seat.image.start, seat.image.size))
            tokens += len(said)
            if seat.fed + len(said) == len(seat.speaker.tokens):
                wanted.append(tokens - 1)
        logits = self._steps.run(feeds, wanted)
        for seat, feed in zip(live, feeds, strict=True):
            seat.fed += len(feed.tokens)
        return [logits]

    def _pick(self, choosing: Sequence[Seat], logits: Sequence[torch.Tensor]) -> None:
        """Queues the choice of each row's next token, and its copy to the host."""
        rows = len(choosing)
        if rows:
            self._grammars.fill([seat.speaker.grammar for seat in choosing], self._masks)
            scores = torch.cat(list(logits)).float()
            allowed = masked(scores, self._masks[:rows].to(scores.device, non_blocking=True))
            token = allowed.argmax(dim=-1)
            logprob = scores.gather(1, token[:, None])[:, 0] - scores.logsumexp(dim=-1)
            self._picked[:rows].copy_(token, non_blocking=True)
            self._logprobs[:rows].copy_(logprob, non_blocking=True)
        if self._event is not None:
            self._event.record()
            self._event.synchronize()

    def _listen(self, choosing: Sequence[Seat], heard: Callable[[Speaker, bytes], None]) -> Iterator[Speaker]:
        """Tells each row what was picked for it; yields those that are done."""
        for seat, token, logprob in zip(choosing, self._picked.tolist(), self._logprobs.tolist(), strict=False):
            speaker = seat.speaker
            heard(speaker, speaker.hear(token, logprob, self._grammars, self._ends))
            if speaker.is_done:
                yield speaker
