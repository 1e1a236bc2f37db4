"""Runs tasks in a pool of worker processes; results come in the order of the tasks.

Each worker gets a task when it is free, and is replaced when it is lost. A task whose worker was lost is given to a new one. A task that
loses every worker it is given to is returned as `PoisonTask`; no other task suffers.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from extractor.errors import ConfigError, ExtractorError, FileCrashesReader, ReaderDown, ReaderUnavailable, Stopped
from extractor.workers.process import WorkerDied, WorkerProcess, wait_for
from extractor.workers.protocol import TaskHandler

logger = logging.getLogger(__name__)

TRIES = 2  # workers that a task may cost: the first may have been lost for another reason, such as a shortage of memory
CLOSE_SECONDS = 1.0  # grace period for all workers together when the pool is closed: a service has to stop within seconds
PAUSE_SECONDS = 60.0  # time before the next start, when some workers run and another could not be started
IDLE_SECONDS = 900.0  # idle time after which a reading or checking worker ends; the next file waits a second or two for a new one

Task = TypeVar("Task")


@dataclass(frozen=True)
class PoisonTask:
    """A task that lost every worker it was given to.

    Attributes:
        endings: How each worker ended, as ends of sentences; see `WorkerDied`.
    """

    task: Any
    endings: tuple[str, ...]

    def as_error(self, name: str) -> FileCrashesReader:
        """Return the error for the file of this name, which the task was about."""
        endings = "; ".join(f"{number}. the process {ending}" for number, ending in enumerate(self.endings, start=1))
        what_to_do = "Open it in another program and save it anew, or make it smaller; then retry it."
        return FileCrashesReader(
            f"{name} was tried {len(self.endings)} times, and each time the process that read it was lost: {endings}. {what_to_do}"
        )


@dataclass
class _Assignment(Generic[Task]):
    """A task without a result, and how the workers that it has lost have ended."""

    number: int
    task: Task
    endings: list[str] = field(default_factory=list)


@dataclass
class _Slot(Generic[Task]):
    """A worker and its current assignment."""

    worker: WorkerProcess
    is_starting: bool = True
    assignment: _Assignment[Task] | None = None
    done: int = 0

    @property
    def is_free(self) -> bool:
        return not self.is_starting and self.assignment is None


class _Run(Generic[Task]):
    """State of one `WorkerPool.run`: tasks that wait for a worker, tasks without a result, and results that wait for earlier ones."""

    def __init__(self, tasks: Iterable[Task], tries: int) -> None:
        self._tasks = iter(tasks)
        self._drawn = self._yielded = 0
        self._results: dict[int, Any] = {}
        self.tries = tries
        self._open: dict[int, _Assignment[Task]] = {}
        self.waiting: deque[_Assignment[Task]] = deque()
        self.has_more = True

    @property
    def is_over(self) -> bool:
        return not self.has_more and self._yielded == self._drawn

    def draw(self, ahead: int) -> None:
        """Take tasks from the iterable, up to this many ahead of the next result."""
        while self.has_more and self._drawn - self._yielded < ahead:
            try:
                task = next(self._tasks)
            except StopIteration:
                self.has_more = False
            else:
                self._open[self._drawn] = assignment = _Assignment(self._drawn, task)
                self.waiting.append(assignment)
                self._drawn += 1

    def conclude(self, assignment: _Assignment[Task], result: object) -> None:
        self._results[assignment.number] = result
        del self._open[assignment.number]

    def stop(self, *, also_in_progress: bool) -> None:
        """Conclude the tasks that no worker has begun, or all that have no result."""
        for assignment in list(self._open.values() if also_in_progress else self.waiting):
            self.conclude(assignment, Stopped("The program was told to stop before this was read. Start it again."))
        self.waiting.clear()

    def due(self) -> Iterator[Any]:
        """Yield the results that are complete, up to the first that is not."""
        while self._yielded in self._results:
            result = self._results.pop(self._yielded)
            self._yielded += 1
            yield result


class WorkerPool(Generic[Task]):
    """Worker processes that are started when there is work, and kept. One thread runs tasks; any other may drain and close.

    Args:
        make: Makes the task handler, in each worker; must be picklable. Its greeting is the number of workers that make sense, or `None`
            for any number.
        name: The kind of work, for log and messages: "reading".
        size: Maximum number of workers.
        seconds: Returns the time limit of a task.
        start_seconds: Time limit for a worker's start.
        idle_seconds: Time without work after which a worker ends, which frees its memory.
        memory_mb: Memory limit of a worker.
        recycle_after: Tasks after which a worker is replaced, to free memory that it has accumulated.
    Attributes:
        restarts: Number of workers that were replaced, by reason: `crashed`, `hung`, `memory`, `recycled`.
        worker_limit: The first worker's greeting.
    """

    def __init__(
        self,
        make: Callable[[], TaskHandler],
        *,
        name: str,
        size: int = 1,
        seconds: Callable[[Task], float],
        start_seconds: float = 300.0,
        idle_seconds: float | None = None,
        memory_mb: int | None = None,
        recycle_after: int | None = None,
    ) -> None:
        self._name, self._size, self._seconds, self._recycle_after = name, size, seconds, recycle_after
        self._new_worker = partial(
            WorkerProcess, make, name=name, start_seconds=start_seconds, idle_seconds=idle_seconds, memory_mb=memory_mb
        )
        self._slots: list[_Slot[Task]] = []
        self._lock = threading.RLock()  # guards the slots
        self._draining, self._closing = threading.Event(), threading.Event()
        self._next_start = 0.0
        self._has_greeted = False
        self.worker_limit: int | None = None
        self.restarts: Counter[str] = Counter()

    def start(self) -> None:
        """Wait until a worker is ready, if none is.

        Raises:
            ConfigError: It cannot work here.
            ReaderDown: It cannot be started now.
        """
        with self._lock:
            while self._free() is None and not self._closing.is_set():
                wait_for([slot.worker for slot in self._slots])
                self._welcome()

    def run(self, tasks: Iterable[Task], *, tries: int = TRIES) -> Iterator[Any]:
        """Yield the result of every task in order: the reply, the `ExtractorError` raised, `PoisonTask`, or `Stopped` once drained.

        Tasks are taken from the iterable a few ahead of the next result.

        Raises:
            ReaderDown: No worker can be started.
        """
        run = _Run(tasks, tries)
        try:
            while not run.is_over:
                run.draw(2 * self._size)
                with self._lock:
                    self._step(run)
                yield from run.due()
        finally:
            with self._lock:
                self._kill([slot for slot in self._slots if slot.assignment])

    def drain(self) -> None:
        """Begin no further task; those in progress are finished."""
        self._draining.set()

    def close(self) -> None:
        """Stop the workers; those with a task in progress at once."""
        self._draining.set()
        self._closing.set()  # a run in another thread ends within a tick
        with self._lock:
            self._kill([slot for slot in self._slots if not slot.is_free])
            for slot in self._slots:
                slot.worker.disconnect()
            deadline = time.monotonic() + CLOSE_SECONDS
            for slot in self._slots:
                slot.worker.stop(deadline - time.monotonic())
            self._slots.clear()

    def _step(self, run: _Run[Task]) -> None:
        """Assign waiting tasks to free workers, wait for a tick or a result, and collect results."""
        if self._draining.is_set():
            run.stop(also_in_progress=self._closing.is_set())
        if self._closing.is_set():
            return
        try:
            while run.waiting and (slot := self._free()):
                slot.assignment = run.waiting.popleft()
                slot.worker.send(slot.assignment.task, self._seconds(slot.assignment.task))
            busy = [slot.worker for slot in self._slots if not slot.is_free]
            if busy:
                wait_for(busy)
            self._welcome()
        except ConfigError as error:
            raise ReaderDown(str(error)) from error
        for slot in [slot for slot in self._slots if slot.assignment and slot.worker.has_result()]:
            self._collect(slot, run)

    def _collect(self, slot: _Slot[Task], run: _Run[Task]) -> None:
        assignment, slot.assignment = slot.assignment, None
        assert assignment is not None  # noqa: S101 -- see `_step`
        slot.done += 1
        try:
            run.conclude(assignment, slot.worker.result())
        except WorkerDied as error:
            self._replace(slot, error.reason, why=str(error))
            assignment.endings.append(str(error))
            if len(assignment.endings) < run.tries:
                run.waiting.appendleft(assignment)
            else:
                run.conclude(assignment, PoisonTask(assignment.task, tuple(assignment.endings)))
        except ExtractorError as error:
            run.conclude(assignment, error)
        if slot in self._slots and self._recycle_after and slot.done >= self._recycle_after:
            self._replace(slot, "recycled", why=f"has done {slot.done} tasks")

    def _free(self) -> _Slot[Task] | None:
        """Return a worker that can take a task now. Where there is none, start one if that makes sense, and return `None`."""
        for slot in [slot for slot in self._slots if slot.is_free]:
            if slot.worker.is_alive:
                return slot
            slot.worker.stop()  # it has ended after its idle time, or somebody has killed it
            self._slots.remove(slot)
        # Until the first worker has greeted, it is not known how many make sense.
        limit = min(self._size, self.worker_limit or self._size) if self._has_greeted else 1
        if len(self._slots) < limit and time.monotonic() >= self._next_start:
            worker = self._guard_start(self._new_worker)
            if worker is not None:
                self._slots.append(_Slot(worker))
                logger.debug("process_started", extra={"work": self._name, "pid": worker.pid})
        return None

    def _welcome(self) -> None:
        """Mark workers as ready that have greeted, and remove those that have failed to start."""
        for slot in [slot for slot in self._slots if slot.is_starting and slot.worker.has_result()]:
            self._slots.remove(slot)  # if it has failed, `_guard_start` counts only the others
            if greeting := self._guard_start(partial(_greeting, slot.worker)):
                (self.worker_limit,) = greeting
                slot.is_starting, self._has_greeted = False, True
                self._slots.append(slot)

    def _guard_start(self, start: Callable[[], Any]) -> Any:
        """Return the result of `start`; `None` where it fails and other workers can go on.

        Raises:
            ConfigError, ReaderDown: It fails, and there is no other worker.
        """
        try:
            return start()
        except (ConfigError, ReaderUnavailable) as error:
            why = f"The {self._name} process {error}. It is started anew." if isinstance(error, WorkerDied) else str(error)
            if not self._slots:
                raise (error if isinstance(error, ConfigError) else ReaderDown(why)) from error
            self._next_start = time.monotonic() + PAUSE_SECONDS
            logger.warning("process_not_started", extra={"work": self._name, "reason": why, "others": len(self._slots)})
            return None

    def _replace(self, slot: _Slot[Task], reason: str, *, why: str) -> None:
        """Stop a worker; the next task that needs it starts a new one."""
        self._slots.remove(slot)
        slot.worker.stop()
        self.restarts[str(reason)] += 1
        level = logging.INFO if reason == "recycled" else logging.WARNING
        logger.log(level, "process_replaced", extra={"work": self._name, "reason": str(reason), "why": why})

    def _kill(self, slots: Sequence[_Slot[Task]]) -> None:
        """Kill workers whose results nobody waits for any more."""
        for slot in slots:
            slot.worker.kill()
            self._slots.remove(slot)


def _greeting(worker: WorkerProcess) -> tuple[int | None]:
    """Return a worker's greeting, in a tuple because it may be `None`; a worker that failed to start is stopped."""
    try:
        return (worker.result(),)
    except ExtractorError:
        worker.stop()
        raise
