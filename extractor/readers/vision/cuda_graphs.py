"""Runs steps of the model over buffers that do not move: as they come, or replayed as CUDA graphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from extractor.readers.vision.adaptive_batch import is_shortage
from extractor.readers.vision.attention import Runs
from extractor.readers.vision.layers import Feed, TextLayers

MAX_RUN = 8
"""Tokens of one row in one step at most: as many as share one tile of the attention kernel at little cost."""

STEP_TOKENS = 256
"""Tokens of a step at most, where rows are fewer: up to about this many a step is bound by reading the weights."""


@dataclass(frozen=True)
class RowFeed:
    """What one row feeds into a step.

    Attributes:
        tokens: At least one, at most `Steps.most(rows)`.
        position: Place of the first of them in the row's text, counted from 0.
        text: First token of the row's text in the text pool.
        image: First token of the row's image in the image pool.
        image_size: Tokens of the row's image.
    """

    tokens: Sequence[int]
    position: int
    text: int
    image: int
    image_size: int


class Steps(Protocol):
    """Runs one step of the model."""

    max_rows: int

    def most(self, rows: int) -> int:
        """Tokens that each of so many rows may feed into a step."""
        ...

    def run(self, feeds: Sequence[RowFeed], wanted: Sequence[int]) -> torch.Tensor:
        """Logits (wanted, vocabulary) after the tokens with these numbers, counted through all rows; on CUDA the work is only queued.

        Nothing has happened to a row if this raises: the step may be run again, with other rows too.
        """
        ...


class EagerSteps:
    """Steps as they come, for any device.

    Args:
        max_rows: Rows at most.
        like: A weight of the model.
        max_run: Tokens of one row in one step at most.
    """

    def __init__(self, layers: TextLayers, max_rows: int, *, like: torch.Tensor, max_run: int = MAX_RUN) -> None:
        self.max_rows, self._max_run = max_rows, max_run
        self._layers = layers
        self._max_tokens = max(max_rows, STEP_TOKENS)
        size = 4 * self._max_tokens + 6 * max_rows
        self._there = torch.zeros(size, dtype=torch.int64, device=like.device)
        self._here = torch.zeros(size, dtype=torch.int64, pin_memory=like.is_cuda)

    def most(self, rows: int) -> int:
        return max(1, min(self._max_run, self._max_tokens // max(1, rows)))

    def run(self, feeds: Sequence[RowFeed], wanted: Sequence[int]) -> torch.Tensor:
        tokens = self._write(feeds, wanted)
        hidden = self._hidden(len(feeds), tokens)
        return self._layers.logits(hidden[self._tokens(self._there)[3, : len(wanted)]])

    def _hidden(self, rows: int, tokens: int) -> torch.Tensor:
        """What the layers make of the buffers, (at least `tokens`, size)."""
        return self._step(rows, tokens)

    def _step(self, rows: int, tokens: int) -> torch.Tensor:
        token, position, slot, _ = self._tokens(self._there)[:, :tokens]
        first, count, text, length, image, image_size = self._rows(self._there)[:, :rows]
        runs = Runs(first, count, most=1 if tokens <= rows else self._max_run)
        return self._layers.step(Feed(token, position, slot, runs, text, length, image, image_size))

    def _write(self, feeds: Sequence[RowFeed], wanted: Sequence[int]) -> int:
        """Fills the buffers in one copy; whatever is beyond the rows is idle. Returns the number of tokens."""
        per_token, per_row = list[tuple[int, int, int]](), list[tuple[int, int, int, int, int, int]]()
        for feed in feeds:
            size = len(feed.tokens)
            per_row.append((len(per_token), size, feed.text, feed.position + size, feed.image, feed.image_size))
            per_token += [(token, position, feed.text + position) for position, token in enumerate(feed.tokens, feed.position)]
        self._here.zero_()
        self._tokens(self._here)[:3, : len(per_token)] = torch.tensor(per_token).T
        self._tokens(self._here)[3, : len(wanted)] = torch.tensor(wanted, dtype=torch.int64)
        self._rows(self._here)[:, : len(per_row)] = torch.tensor(per_row).T
        self._there.copy_(self._here, non_blocking=True)
        return len(per_token)

    def _tokens(self, buffer: torch.Tensor) -> torch.Tensor:
        """Token, position, slot and wanted number, (4, tokens)."""
        return buffer[: 4 * self._max_tokens].view(4, -1)

    def _rows(self, buffer: torch.Tensor) -> torch.Tensor:
        """First, count, text, length, image and image size, (6, rows)."""
        return buffer[4 * self._max_tokens :].view(6, -1)


ROW_COUNTS = (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128)
"""Numbers of rows that a graph is captured for; a batch takes the next larger one, its last rows idle."""

TOKENS_PER_ROW = (1, 2, 4, 8)
"""Tokens a row, on average, that a graph is captured for."""


def graph_size(rows: int, tokens: int, *, most: int) -> tuple[int, int]:
    """Rows and tokens of the graph that takes so many of each: as many tokens as rows only where no row has several.

    Args:
        most: Tokens of a step at most.
    """
    padded = next(size for size in ROW_COUNTS if size >= rows)
    if tokens <= rows:
        return padded, padded
    return padded, min(most, next(padded * each for each in TOKENS_PER_ROW if each > 1 and padded * each >= tokens))


class GraphSteps(EagerSteps):
    """Steps as CUDA graphs, one for each number of rows and of tokens, captured when first needed.

    Launching the 700 kernels of a step from Python takes longer than running them; a graph replays them all at once. Where memory is too
    short for another graph, all of them give way: those that are needed are captured again.
    """

    def __init__(self, layers: TextLayers, max_rows: int, *, like: torch.Tensor) -> None:
        super().__init__(layers, max(size for size in ROW_COUNTS if size <= max_rows), like=like)
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, torch.Tensor]] = {}
        self._memory = torch.cuda.graph_pool_handle()

    def _hidden(self, rows: int, tokens: int) -> torch.Tensor:
        rows, tokens = graph_size(rows, tokens, most=self._max_tokens)
        if (rows, tokens) not in self._graphs:
            try:
                self._graphs[rows, tokens] = self._captured(rows, tokens)
            except RuntimeError as error:
                if is_shortage(error):
                    torch.cuda.synchronize()  # one of them may still run
                    self._graphs.clear()
                    self._memory = torch.cuda.graph_pool_handle()
                raise
        graph, hidden = self._graphs[rows, tokens]
        graph.replay()
        return hidden

    def _captured(self, rows: int, tokens: int) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
        # Run before capture so that kernels are compiled and workspaces exist. A step that runs twice stores the same keys twice.
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                self._step(rows, tokens)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Thread-local: other threads may pin memory for images meanwhile.
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            hidden = self._step(rows, tokens)
        return graph, hidden
