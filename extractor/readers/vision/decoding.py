"""Answers are spoken token by token, many rows side by side: finished rows leave, waiting rows enter, each keeps to its grammar.

The order within a turn is what makes it fast: the step for the tokens just picked is launched first, and while the GPU works on it the CPU
learns what was picked, moves the grammars on and prepares the next masks. One small copy goes each way.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from extractor.readers.vision.grammar import Grammars, masked
from extractor.readers.vision.layers import RowPlaces, TextLayers
from extractor.readers.vision.memory import Span
from extractor.readers.vision.speaking import Speaker


@dataclass(frozen=True)
class Seat:
    """A row that is answering, and where in the pools it is.

    Attributes:
        speaker: The row.
        logits: (vocabulary) after its question: what it will say first.
        text: Where its text lies in the text pool.
        image: Where its image lies in the image pool.
        length: Tokens of its question, those before the image included.
    """

    speaker: Speaker
    logits: torch.Tensor
    text: Span
    image: Span
    length: int


class Steps(Protocol):
    """Runs one step of the model over rows whose places do not move."""

    places: RowPlaces
    logits: torch.Tensor

    def run(self, rows: int) -> None:
        """Fills the first rows of `logits`; on CUDA the work is only queued."""
        ...


class EagerSteps:
    """Steps as they come, for any device.

    Args:
        max_rows: Rows at most.
    """

    def __init__(self, layers: TextLayers, max_rows: int, *, vocabulary: int, like: torch.Tensor) -> None:
        self._layers = layers
        self.places = RowPlaces.idle(max_rows, like.device)
        self.logits = torch.empty(max_rows, vocabulary, dtype=like.dtype, device=like.device)

    def run(self, rows: int) -> None:
        self.logits[:rows] = self._layers.step(self.places.first(rows))


ROW_COUNTS = (1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128)
"""Numbers of rows that a graph is captured for; a batch takes the next larger one, its last rows idle."""


class GraphSteps:
    """Steps as CUDA graphs, one for each number of rows, captured when first needed.

    Launching the 700 kernels of a step from Python takes longer than running them; a graph replays them all at once.
    """

    def __init__(self, layers: TextLayers, max_rows: int, *, vocabulary: int, like: torch.Tensor) -> None:
        self._eager = EagerSteps(layers, max(size for size in ROW_COUNTS if size <= max_rows), vocabulary=vocabulary, like=like)
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._memory = torch.cuda.graph_pool_handle()
        self.places, self.logits = self._eager.places, self._eager.logits

    def run(self, rows: int) -> None:
        size = next(size for size in ROW_COUNTS if size >= rows)
        if size not in self._graphs:
            self._graphs[size] = self._captured(size)
        self._graphs[size].replay()

    def _captured(self, rows: int) -> torch.cuda.CUDAGraph:
        # Run before capture so that kernels are compiled and workspaces exist. A step that runs twice stores the same keys twice.
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                self._eager.run(rows)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Thread-local: other threads may pin memory for images meanwhile.
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            self._eager.run(rows)
        return graph


class Decoder:
    """Lets rows speak until they are done.

    Args:
        ends: Ids of the tokens that end an answer.
    """

    def __init__(self, steps: Steps, grammars: Grammars, ends: Collection[int]) -> None:
        self.steps, self._grammars, self._ends = steps, grammars, frozenset(ends)
        self.max_rows = len(steps.places.token)
        on_cuda = steps.logits.is_cuda
        self._masks = grammars.blank(self.max_rows, pinned=on_cuda)
        self._picked = torch.zeros(self.max_rows, dtype=torch.int64, pin_memory=on_cuda)
        self._logprobs = torch.zeros(self.max_rows, dtype=torch.float32, pin_memory=on_cuda)
        self._event = torch.cuda.Event() if on_cuda else None

    def run(self, admit: Callable[[int], Sequence[Seat]], heard: Callable[[Speaker, bytes], None]) -> Iterator[Speaker]:
        """Speakers as they finish.

        A speaker's spans may be given back as soon as it has been yielded: what is still queued for it comes before what is queued next.

        Args:
            admit: Called each turn with the number of free rows; gives rows that begin to answer. It gives some when all rows are free,
                as long as any wait.
            heard: Called for a row with each of its tokens' bytes; the end token has none.
        """
        self._vacate([])  # an earlier run may have been broken off
        live: list[Seat] = []
        while True:
            live = self._without_finished(live)
            speaking = len(live)
            if speaking:
                self.steps.run(speaking)
            room = self.max_rows - speaking
            entering = admit(room) if room else ()
            live = [*live, *entering]
            if not live:
                return
            self._seat(entering, speaking)
            yield from self._listen(live[:speaking], heard)
            self._pick(live)

    def _without_finished(self, live: list[Seat]) -> list[Seat]:
        kept = [index for index, seat in enumerate(live) if not seat.speaker.is_done]
        if len(kept) < len(live):
            self._vacate(kept)
            # What was picked last turn is heard in this one, in the new order.
            self._wait()
            for host in (self._picked, self._logprobs):
                host[: len(kept)] = host[kept]
        return [live[index] for index in kept]

    def _vacate(self, kept: Sequence[int]) -> None:
        """Moves the kept rows to the front, in order, and makes all others idle."""
        places = self.steps.places
        order = torch.tensor(list(kept), dtype=torch.int64, device=places.token.device)
        for values, idle in ((places.token, 0), (places.position, 0), (places.text, 0), (places.image, 0), (places.image_size, 1)):
            remaining = values[order]
            values.fill_(idle)
            values[: len(kept)] = remaining

    def _seat(self, entering: Sequence[Seat], first: int) -> None:
        """Gives entering rows their places, and puts their first logits where a step would."""
        if not entering:
            return
        places, last = self.steps.places, first + len(entering)
        # Picking moves a row on by one place, to that of its first token.
        columns = [(seat.length - 1, seat.text.start, seat.image.start, seat.image.size) for seat in entering]
        values = torch.tensor(columns, device=places.token.device)
        for column, place in enumerate((places.position, places.text, places.image, places.image_size)):
            place[first:last] = values[:, column]
        self.steps.logits[first:last] = torch.stack([seat.logits for seat in entering])

    def _listen(self, seats: Sequence[Seat], heard: Callable[[Speaker, bytes], None]) -> Iterator[Speaker]:
        """Tells each row what was picked for it; yields those that are done."""
        if not seats:
            return
        self._wait()
        for seat, token, logprob in zip(seats, self._picked.tolist(), self._logprobs.tolist(), strict=False):
            speaker = seat.speaker
            piece = speaker.hear(token, logprob, self._grammars, self._ends)
            heard(speaker, piece)
            if speaker.is_done:
                yield speaker

    def _pick(self, live: Sequence[Seat]) -> None:
        """Queues the choice of each row's next token, and its copy to the host."""
        rows, places = len(live), self.steps.places
        self._grammars.fill([seat.speaker.grammar for seat in live], self._masks)
        logits = self.steps.logits[:rows].float()
        allowed = masked(logits, self._masks[:rows].to(logits.device, non_blocking=True))
        token = allowed.argmax(dim=-1)
        logprob = logits.gather(1, token[:, None])[:, 0] - logits.logsumexp(dim=-1)
        places.token[:rows] = token
        places.position[:rows] += 1
        self._picked[:rows].copy_(token, non_blocking=True)
        self._logprobs[:rows].copy_(logprob, non_blocking=True)
        if self._event is not None:
            self._event.record()

    def _wait(self) -> None:
        if self._event is not None:
            self._event.synchronize()
