"""Tasks are worked on by several children: each is fed when it is free and replaced when it is lost; results keep their order.

A task whose child is lost is given to a fresh one. A task that costs every child it is given to is reported as `PoisonTask`;
no other suffers.
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

TRIES = 2
"""Children that a task may cost: the first may have been lost for another reason, such as a shortage of memory."""

CLOSE_SECONDS = 1.0
"""Time that all children together have to end by themselves when the pool is closed: a service has to stop in seconds."""

PAUSE_SECONDS = 60.0
"""Where some children work and another cannot be started, the next start waits this long."""

IDLE_SECONDS = 900.0
"""Time without work after which a child that reads or checks gives its memory back; the next file waits a second or two for a new one."""

Task = TypeVar("Task")


@dataclass(frozen=True)
class PoisonTask:
    """A task that no child survived.

    Attributes:
        stories: How each child ended, as ends of sentences.
    """

    task: Any
    stories: tuple[str, ...]

    def as_error(self, name: str) -> FileCrashesReader:
        """The error of the file of this name, which was the task."""
        told = "; ".join(f"{number}. the process {story}" for number, story in enumerate(self.stories, start=1))
        way_out = "Open it in another program and save it anew, or make it smaller; then retry it."
        return FileCrashesReader(
            f"{name} was tried {len(self.stories)} times, and each time the process that read it was lost: {told}. {way_out}"
        )


@dataclass
class _Assignment(Generic[Task]):
    """A task on its way, and how the children that it has cost have ended."""

    number: int
    task: Task
    stories: list[str] = field(default_factory=list)


@dataclass
class _Post(Generic[Task]):
    """A child and what it has in hand."""

    child: WorkerProcess
    is_starting: bool = True
    assignment: _Assignment[Task] | None = None
    done: int = 0

    @property
    def is_free(self) -> bool:
        return not self.is_starting and self.assignment is None


class _Run(Generic[Task]):
    """The tasks of one run: those without a result, those of them that wait for a child, and results that wait for those before them."""

    def __init__(self, tasks: Iterable[Task], tries: int) -> None:
        self._tasks = iter(tasks)
        self._given = self._told = 0
        self._results: dict[int, Any] = {}
        self.tries = tries
        self._open: dict[int, _Assignment[Task]] = {}
        self.waiting: deque[_Assignment[Task]] = deque()
        self.has_more = True

    @property
    def is_over(self) -> bool:
        return not self.has_more and self._told == self._given

    def draw(self, ahead: int) -> None:
        """Takes tasks from the iterable, so many ahead of the result that is due."""
        while self.has_more and self._given - self._told < ahead:
            try:
                task = next(self._tasks)
            except StopIteration:
                self.has_more = False
            else:
                self._open[self._given] = assignment = _Assignment(self._given, task)
                self.waiting.append(assignment)
                self._given += 1

    def conclude(self, assignment: _Assignment[Task], result: object) -> None:
        self._results[assignment.number] = result
        del self._open[assignment.number]

    def stop(self, *, also_in_hand: bool) -> None:
        """Concludes what has not begun, or all that has no result."""
        for assignment in list(self._open.values() if also_in_hand else self.waiting):
            self.conclude(assignment, Stopped("The program was told to stop before this was read. Start it again."))
        self.waiting.clear()

    def due(self) -> Iterator[Any]:
        """The results that are there, up to the first that is not."""
        while self._told in self._results:
            result = self._results.pop(self._told)
            self._told += 1
            yield result


class WorkerPool(Generic[Task]):
    """Children that are started when there is work for them, and kept. One thread runs tasks; any other may drain and close.

    Args:
        make: Makes the servant, in each child; must be picklable. It greets with how many children make sense, or with `None`.
        name: What they do, for log and messages: "reading".
        size: How many children at most.
        seconds: Time that a task may take.
        start_seconds: Time that a child may take until it is ready.
        idle_seconds: Time without work after which a child ends, and its memory is free.
        memory_mb: Memory that a child may take.
        recycle_after: Tasks after which a child is replaced, with the memory that it has gathered.
    Attributes:
        restarts: How many children were replaced, by reason: `crashed`, `hung`, `memory`, `recycled`.
        most: What the first child greeted with.
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
        self._child = partial(WorkerProcess, make, name=name, start_seconds=start_seconds, idle_seconds=idle_seconds, memory_mb=memory_mb)
        self._posts: list[_Post[Task]] = []
        self._hands = threading.RLock()  # on the posts
        self._draining, self._closing = threading.Event(), threading.Event()
        self._next_start = 0.0
        self._has_greeted = False
        self.most: int | None = None
        self.restarts: Counter[str] = Counter()

    def start(self) -> None:
        """Waits until a child is ready, if none is.

        Raises:
            ConfigError: It cannot work here.
            ReaderDown: It cannot be started now.
        """
        with self._hands:
            while self._free() is None and not self._closing.is_set():
                wait_for([post.child for post in self._posts])
                self._welcome()

    def run(self, tasks: Iterable[Task], *, tries: int = TRIES) -> Iterator[Any]:
        """The result of every task in its order: the reply, the `ExtractorError` raised, `PoisonTask`, or `Stopped` once drained.

        Tasks are taken from the iterable a few ahead of the result that is due.

        Raises:
            ReaderDown: No child can be started.
        """
        run = _Run(tasks, tries)
        try:
            while not run.is_over:
                run.draw(2 * self._size)
                with self._hands:
                    self._step(run)
                yield from run.due()
        finally:
            with self._hands:
                self._kill([post for post in self._posts if post.assignment])

    def drain(self) -> None:
        """From now on no task is begun; those in hand are finished."""
        self._draining.set()

    def close(self) -> None:
        """Ends the children: at once where they have work in hand."""
        self._draining.set()
        self._closing.set()  # a run in another thread lets go within a tick
        with self._hands:
            self._kill([post for post in self._posts if not post.is_free])
            for post in self._posts:
                post.child.hang_up()
            deadline = time.monotonic() + CLOSE_SECONDS
            for post in self._posts:
                post.child.end(deadline - time.monotonic())
            self._posts.clear()

    def _step(self, run: _Run[Task]) -> None:
        """Collects what is done, hands out what waits, and waits for more unless there is a result."""
        if self._draining.is_set():
            run.stop(also_in_hand=self._closing.is_set())
        if self._closing.is_set():
            return
        try:
            while run.waiting and (post := self._free()):
                post.assignment = run.waiting.popleft()
                post.child.ask(post.assignment.task, self._seconds(post.assignment.task))
            at_work = [post.child for post in self._posts if not post.is_free]
            if at_work:
                wait_for(at_work)
            self._welcome()
        except ConfigError as error:
            raise ReaderDown(str(error)) from error
        for post in [post for post in self._posts if post.assignment and post.child.has_answered()]:
            self._collect(post, run)

    def _collect(self, post: _Post[Task], run: _Run[Task]) -> None:
        assignment, post.assignment = post.assignment, None
        assert assignment is not None  # noqa: S101 -- see `_step`
        post.done += 1
        try:
            run.conclude(assignment, post.child.answer())
        except WorkerDied as error:
            self._lose(post, error.reason, story=str(error))
            assignment.stories.append(str(error))
            if len(assignment.stories) < run.tries:
                run.waiting.appendleft(assignment)
            else:
                run.conclude(assignment, PoisonTask(assignment.task, tuple(assignment.stories)))
        except ExtractorError as error:
            run.conclude(assignment, error)
        if post in self._posts and self._recycle_after and post.done >= self._recycle_after:
            self._lose(post, "recycled", story=f"has done {post.done} tasks")

    def _free(self) -> _Post[Task] | None:
        """A child that can be given a task now. Where there is none, one is started if that makes sense."""
        for post in [post for post in self._posts if post.is_free]:
            if post.child.is_alive:
                return post
            post.child.end()  # it was idle for long, or somebody has killed it
            self._posts.remove(post)
        # Until the first has greeted nobody knows how many make sense.
        most = min(self._size, self.most or self._size) if self._has_greeted else 1
        if len(self._posts) < most and time.monotonic() >= self._next_start:
            child = self._guard_start(self._child)
            if child is not None:
                self._posts.append(_Post(child))
                logger.debug("process_started", extra={"work": self._name, "pid": child.pid})
        return None

    def _welcome(self) -> None:
        """Takes note of the children that are ready by now, or have failed to become so."""
        for post in [post for post in self._posts if post.is_starting and post.child.has_answered()]:
            self._posts.remove(post)  # should it fail, only the others count
            if greeting := self._guard_start(partial(_greeting, post.child)):
                (self.most,) = greeting
                post.is_starting, self._has_greeted = False, True
                self._posts.append(post)

    def _guard_start(self, start: Callable[[], Any]) -> Any:
        """What `start` gives; `None` where it fails while there are other children to go on with."""
        try:
            return start()
        except (ConfigError, ReaderUnavailable) as error:
            story = f"The {self._name} process {error}. It is started anew." if isinstance(error, WorkerDied) else str(error)
            if not self._posts:
                raise (error if isinstance(error, ConfigError) else ReaderDown(story)) from error
            self._next_start = time.monotonic() + PAUSE_SECONDS
            logger.warning("process_not_started", extra={"work": self._name, "reason": story, "others": len(self._posts)})
            return None

    def _lose(self, post: _Post[Task], reason: str, *, story: str) -> None:
        self._posts.remove(post)
        post.child.end()
        self.restarts[str(reason)] += 1
        level = logging.INFO if reason == "recycled" else logging.WARNING
        logger.log(level, "process_replaced", extra={"work": self._name, "reason": str(reason), "story": story})

    def _kill(self, posts: Sequence[_Post[Task]]) -> None:
        """Ends children whose work concerns nobody any more."""
        for post in posts:
            post.child.kill()
            self._posts.remove(post)


def _greeting(child: WorkerProcess) -> tuple[int | None]:
    """What a child greets with; one that cannot start is ended."""
    try:
        return (child.answer(),)
    except ExtractorError:
        child.end()
        raise
