"""What becomes of work for which GPU memory is too short: less of it at a time, also in the next batches; what fails alone is an error."""

import logging

import torch

from extractor.errors import ReaderUnavailable

log = logging.getLogger(__name__)

CALM_BATCHES = 8
"""Batches without a shortage after which twice as much is tried: other programs give memory back, and a try that fails costs little."""

TOLD_BY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What errors say that are about memory but have no class of their own: the driver's, when it loads a kernel or a graph, and cuBLAS's."""


class BatchSizeLimit:
    """How much is worked on at once.

    Args:
        most: To begin with, and never more.
        what: What is counted, for the log: "rows".
    Attributes:
        now: At present, at least 1.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what = most, what
        self.now = most
        self._calm = 0

    def halve(self, tried: int, error: RuntimeError) -> None:
        """Half of what was tried from now on; what the failed try has left over is given back to the driver."""
        torch.cuda.empty_cache()
        self.now, self._calm = max(1, tried // 2), 0
        log.warning("vision_memory_short", extra={"what": self._what, "tried": tried, "from_now_on": self.now, "reason": reason(error)})

    def end_batch(self) -> None:
        """Counts a batch that has ended; after some without a shortage twice as much is allowed."""
        self._calm += 1
        if self._calm >= CALM_BATCHES and self.now < self._most:
            self.now, self._calm = min(self._most, 2 * self.now), 0


def is_shortage(error: BaseException | None) -> bool:
    """Whether the error says that GPU memory is too short, or came up while one that says so was handled, as at the end of a capture.

    Less of the same may succeed then.
    """
    if not isinstance(error, RuntimeError):
        return False
    is_told = isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in TOLD_BY)
    return is_told or is_shortage(error.__context__)


def reason(error: Exception) -> str:
    """The first sentence of an error of torch's, which go on for a page."""
    return str(error).split("\n", 1)[0].split(". ", 1)[0]


def out_of_memory(error: Exception) -> ReaderUnavailable:
    """The error for a receipt that did not fit into GPU memory even alone."""
    return ReaderUnavailable(
        f"GPU memory is exhausted ({reason(error)}). Close other programs on the GPU, or set a smaller model or 4-bit precision."
    )
