"""Runs steps of the model over buffers that do not move: directly, or replayed as CUDA graphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from extractor.readers.vision.adaptive_batch import is_out_of_memory
from extractor.readers.vision.attention import Runs
from extractor.readers.vision.layers import StepInput, TextLayers

MAX_RUN = 8  # maximum tokens of one row in a step: as many as share one tile of the attention kernel at little cost
STEP_TOKENS = 256  # maximum tokens of a step with fewer rows: up to about this many a step is bound by reading the weights

# Numbers of rows that a graph is captured for; a batch uses the next larger graph, whose last rows are idle.
ROW_COUNTS = (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128)
TOKENS_PER_ROW = (1, 2, 4, 8)  # average tokens per row that a graph is captured for


@dataclass(frozen=True)
class RowInput:
    """One row's part of a step.

    Attributes:
        tokens: At least one, at most `StepRunner.max_row_tokens(rows)`.
        position: Place of the first token in the row's text, counted from 0.
        text: First token of the row's text in the text pool.
        image: First token of the row's images in the image pool.
        image_size: Tokens of the row's images.
    """

    tokens: Sequence[int]
    position: int
    text: int
    image: int
    image_size: int


class StepRunner(Protocol):
    """Runs steps of the model.

    Attributes:
        max_rows: Maximum number of rows in a step.
    """

    max_rows: int

    def max_row_tokens(self, rows: int) -> int:
        """Return the number of tokens that each of so many rows may have in a step."""
        ...

    def run(self, inputs: Sequence[RowInput], wanted: Sequence[int]) -> torch.Tensor:
        """Return logits (wanted, vocabulary) after the tokens with these numbers, counted through all rows; on CUDA it is only queued.

        If this raises, no row has changed: the step may be run again, also with other rows.
        """
        ...


class EagerRunner:
    """Runs steps directly, on any device.

    Args:
        max_rows: Maximum number of rows.
        like: A weight of the model.
        max_run: Maximum tokens of one row in a step.
    """

    def __init__(self, layers: TextLayers, max_rows: int, *, like: torch.Tensor, max_run: int = MAX_RUN) -> None:
        self.max_rows, self._max_run = max_rows, max_run
        self._layers = layers
        self._max_tokens = max(max_rows, STEP_TOKENS)
        size = 4 * self._max_tokens + 6 * max_rows
        self._device_buffer = torch.zeros(size, dtype=torch.int64, device=like.device)
        self._host_buffer = torch.zeros(size, dtype=torch.int64, pin_memory=like.is_cuda)

    def max_row_tokens(self, rows: int) -> int:
        return max(1, min(self._max_run, self._max_tokens // max(1, rows)))

    def run(self, inputs: Sequence[RowInput], wanted: Sequence[int]) -> torch.Tensor:
        tokens = self._write(inputs, wanted)
        hidden = self._hidden(len(inputs), tokens)
        return self._layers.logits(hidden[self._tokens(self._device_buffer)[3, : len(wanted)]])

    def _hidden(self, rows: int, tokens: int) -> torch.Tensor:
        """Return hidden states for the contents of the buffers, (at least `tokens`, size)."""
        return self._step(rows, tokens)

    def _step(self, rows: int, tokens: int) -> torch.Tensor:
        token, position, slot, _ = self._tokens(self._device_buffer)[:, :tokens]
        first, count, text, length, image, image_size = self._rows(self._device_buffer)[:, :rows]
        runs = Runs(first, count, longest=1 if tokens <= rows else self._max_run)
        return self._layers.step(StepInput(token, position, slot, runs, text, length, image, image_size))

    def _write(self, inputs: Sequence[RowInput], wanted: Sequence[int]) -> int:
        """Fill the buffers in one copy, with idle rows and tokens at their ends; return the number of tokens."""
        per_token, per_row = list[tuple[int, int, int]](), list[tuple[int, int, int, int, int, int]]()
        for row in inputs:
            size = len(row.tokens)
            per_row.append((len(per_token), size, row.text, row.position + size, row.image, row.image_size))
            per_token += [(token, position, row.text + position) for position, token in enumerate(row.tokens, row.position)]
        self._host_buffer.zero_()
        self._tokens(self._host_buffer)[:3, : len(per_token)] = torch.tensor(per_token).T
        self._tokens(self._host_buffer)[3, : len(wanted)] = torch.tensor(wanted, dtype=torch.int64)
        self._rows(self._host_buffer)[:, : len(per_row)] = torch.tensor(per_row).T
        self._device_buffer.copy_(self._host_buffer, non_blocking=True)
        return len(per_token)

    def _tokens(self, buffer: torch.Tensor) -> torch.Tensor:
        """View of a buffer: token, position, slot and wanted number, (4, tokens)."""
        return buffer[: 4 * self._max_tokens].view(4, -1)

    def _rows(self, buffer: torch.Tensor) -> torch.Tensor:
        """View of a buffer: first, count, text, length, image and image size, (6, rows)."""
        return buffer[4 * self._max_tokens :].view(6, -1)


def graph_size(rows: int, tokens: int, *, max_tokens: int) -> tuple[int, int]:
    """Return the rows and tokens of the graph for a step: as many tokens as rows only if no row has several.

    Args:
        max_tokens: Maximum tokens of a step.
    """
    padded = next(size for size in ROW_COUNTS if size >= rows)
    if tokens <= rows:
        return padded, padded
    return padded, min(max_tokens, next(padded * each for each in TOKENS_PER_ROW if each > 1 and padded * each >= tokens))


class GraphRunner(EagerRunner):
    """Runs steps as CUDA graphs, one for each number of rows and of tokens, captured when first needed.

    Launching the 700 kernels of a step from Python takes longer than running them; a graph launches all at once. If memory is too short for
    another graph, all graphs are dropped, and captured again when needed.
    """

    def __init__(self, layers: TextLayers, max_rows: int, *, like: torch.Tensor) -> None:
        super().__init__(layers, max(size for size in ROW_COUNTS if size <= max_rows), like=like)
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, torch.Tensor]] = {}
        self._memory = torch.cuda.graph_pool_handle()

    def _hidden(self, rows: int, tokens: int) -> torch.Tensor:
        rows, tokens = graph_size(rows, tokens, max_tokens=self._max_tokens)
        if (rows, tokens) not in self._graphs:
            try:
                self._graphs[rows, tokens] = self._capture(rows, tokens)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    torch.cuda.synchronize()  # one of the graphs may still be running
                    self._graphs.clear()
                    self._memory = torch.cuda.graph_pool_handle()
                raise
        graph, hidden = self._graphs[rows, tokens]
        graph.replay()
        return hidden

    def _capture(self, rows: int, tokens: int) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
        # Run before the capture, so that kernels are compiled and workspaces exist. A step that runs twice stores the same keys twice.
        side_stream = torch.cuda.Stream()
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):
            for _ in range(2):
                self._step(rows, tokens)
        torch.cuda.current_stream().wait_stream(side_stream)
        graph = torch.cuda.CUDAGraph()
        # Thread-local: other threads may pin memory for images meanwhile.
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            hidden = self._step(rows, tokens)
        return graph, hidden
