"""Adapts the amount of work per GPU call to the memory that is free: halved when memory runs out, doubled again after a while."""

import logging

import torch

from extractor.errors import ReaderUnavailable

log = logging.getLogger(__name__)

# Batches without a shortage after which the limit is doubled: other programs free memory, and a failed attempt costs little.
CALM_BATCHES = 8

# Messages of errors about memory that have no class of their own: the driver's, when it loads a kernel or a graph, and cuBLAS's.
MEMORY_MESSAGES = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


class BatchSizeLimit:
    """The number of items that are processed at once.

    Args:
        maximum: Initial and largest limit.
        unit: What is counted, for the log: "rows".
    Attributes:
        current: The limit now, at least 1.
    """

    def __init__(self, maximum: int, unit: str) -> None:
        self._maximum, self._unit = maximum, unit
        self.current = maximum
        self._calm_batches = 0

    def halve(self, tried: int, error: RuntimeError) -> None:
        """Set the limit to half of what was tried, and return the failed attempt's memory to the driver."""
        torch.cuda.empty_cache()
        self.current, self._calm_batches = max(1, tried // 2), 0
        log.warning(
            "vision_memory_short",
            extra={"what": self._unit, "tried": tried, "from_now_on": self.current, "reason": first_sentence(error)},
        )

    def end_batch(self) -> None:
        """Count a batch that has ended; after `CALM_BATCHES` without a shortage the limit is doubled."""
        self._calm_batches += 1
        if self._calm_batches >= CALM_BATCHES and self.current < self._maximum:
            self.current, self._calm_batches = min(self._maximum, 2 * self.current), 0


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error means that GPU memory is exhausted, so that a smaller batch may succeed.

    That includes errors raised while such an error was handled, as at the end of a graph capture.
    """
    if not isinstance(error, RuntimeError):
        return False
    is_memory = isinstance(error, torch.OutOfMemoryError) or any(message in str(error) for message in MEMORY_MESSAGES)
    return is_memory or is_out_of_memory(error.__context__)


def first_sentence(error: Exception) -> str:
    """Return the first sentence of an error of torch's, whose messages fill a page."""
    return str(error).split("\n", 1)[0].split(". ", 1)[0]


def out_of_memory_error(error: Exception) -> ReaderUnavailable:
    """Return the error for a receipt that does not fit into GPU memory even alone."""
    return ReaderUnavailable(
        f"GPU memory is exhausted ({first_sentence(error)}). Close other programs on the GPU, or set a smaller model or 4-bit precision."
    )
