"""Counts what this process has done. Holds numbers and names of states, stages and kinds; no text of receipts."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from extractor.schemas.record import Record

Result = TypeVar("Result")

# Upper bounds of the histogram in seconds: from filing on a fast disk to a vision model that hangs.
BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)

REVIEW_KINDS = frozenset(
    {
        "missing",
        "unconfirmed",
        "conflict",
        "ambiguous",
        "implausible",
        "unreadable",
        "cut_off",
        "invalid",
        "not_a_receipt",
        "several_receipts",
    }
)
RUNGS = frozenset({"first", "again", "closer", "vote"})

# Replaces every unknown name: a label must never contain output of a reader.
OTHER = "other"


@dataclass
class Seconds:
    """A histogram of one stage.

    Attributes:
        counts: Durations up to each bound of `BOUNDS` and above the previous one; the last item counts those above all bounds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds


@dataclass
class Counts:
    """The numbers at one moment.

    Attributes:
        stages: Seconds by stage: `check`, `read`, `store`, `file`.
        receipts: Records that were stored, by status.
        questions: Questions to the reader, by rung of the ladder.
        asked_again: Receipts with more than one question.
        review: Records that need review, by kind of reason; a record with two kinds counts for both.
        failures: Attempts without a record, by kind of error.
        reader: Reader and model of the newest record.
    """

    stages: dict[str, Seconds] = field(default_factory=dict)
    receipts: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    asked_again: int = 0
    review: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    reader: tuple[str, str] | None = None


class Telemetry:
    """Counts for one process. Thread-safe."""

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._counts = Counts()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures the time that the block takes for one receipt, also if it raises."""
        began = self._seconds()
        try:
            yield
        finally:
            self._add(name, self._seconds() - began, receipts=1)

    def timed(self, name: str, results: Iterable[Result]) -> Iterator[Result]:
        """Yields the results of a batch and measures the time spent waiting for them, in equal shares for each receipt.

        The time that the caller spends on a result does not count.
        """
        remaining, waited, receipts = iter(results), 0.0, 0
        try:
            while True:
                began = self._seconds()
                try:
                    result = next(remaining)
                except StopIteration:
                    return
                finally:
                    waited += self._seconds() - began
                receipts += 1
                yield result
        finally:
            self._add(name, waited, receipts=max(1, receipts))

    def _add(self, name: str, seconds: float, *, receipts: int) -> None:
        with self._lock:
            stage = self._counts.stages.setdefault(name, Seconds())
            for _ in range(receipts):
                stage.add(seconds / receipts)

    def stored(self, record: Record) -> None:
        """Counts a record that was stored."""
        counts = self._counts
        with self._lock:
            counts.receipts[record.status.value] += 1
            counts.questions.update(attempt.rung if attempt.rung in RUNGS else OTHER for attempt in record.attempts)
            counts.asked_again += len(record.attempts) > 1
            counts.review.update({reason.kind if reason.kind in REVIEW_KINDS else OTHER for reason in record.review_reasons})
            counts.reader = (record.reader, record.model or "")

    def failed(self, error: Exception) -> None:
        """Counts an attempt without a record."""
        with self._lock:
            self._counts.failures[type(error).__name__] += 1

    def counts(self) -> Counts:
        """A copy of the current numbers."""
        with self._lock:
            now = self._counts
            stages = {name: Seconds([*stage.counts], stage.sum) for name, stage in now.stages.items()}
            copies = (Counter(now.receipts), Counter(now.questions), now.asked_again, Counter(now.review), Counter(now.failures))
            return Counts(stages, *copies, now.reader)
