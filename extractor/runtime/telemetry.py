"""What this process has done, counted. Holds numbers and the names of states, stages and kinds; nothing that a receipt says."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from extractor.schemas.record import Record

BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Upper bounds of the histogram in seconds: from filing on a quick disk to a hung vision model."""
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
OTHER = "other"
"""Stands for every name that is not known here: a label must never carry what a reader has said."""


@dataclass
class Seconds:
    """A histogram of one stage.

    Attributes:
        counts: How many took as long as each bound of `BOUNDS` or less, but longer than the bound before; the last took longer than all.
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
        questions: Questions that were put to the reader, by rung of the ladder.
        asked_again: Receipts that were asked about more than once.
        review: Records that need review, by kind of reason; one with two kinds counts for both.
        failures: Attempts that brought no record, by kind of error.
        reader: Who read the newest record, and with which model.
    """

    stages: dict[str, Seconds] = field(default_factory=dict)
    receipts: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    asked_again: int = 0
    review: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    reader: tuple[str, str] | None = None


class Telemetry:
    """Counts for one process; any thread may count and look."""

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._counts = Counts()

    @contextmanager
    def stage(self, name: str, receipts: int = 1) -> Iterator[None]:
        """Takes the time of what is inside, in equal shares for so many receipts; also when it raises."""
        began = self._seconds()
        try:
            yield
        finally:
            took = self._seconds() - began
            with self._lock:
                stage = self._counts.stages.setdefault(name, Seconds())
                for _ in range(receipts):
                    stage.add(took / receipts)

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
        """Counts an attempt that brought no record."""
        with self._lock:
            self._counts.failures[type(error).__name__] += 1

    def counts(self) -> Counts:
        """The numbers as they are now, apart from those that are still counted."""
        with self._lock:
            now = self._counts
            stages = {name: Seconds([*stage.counts], stage.sum) for name, stage in now.stages.items()}
            copies = (Counter(now.receipts), Counter(now.questions), now.asked_again, Counter(now.review), Counter(now.failures))
            return Counts(stages, *copies, now.reader)
