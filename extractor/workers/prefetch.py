"""Prepares files in worker processes ahead of a reader that reads batches, while the GPU works on the current batch.

One thread keeps the workers busy. It prepares only files that were requested or announced, and pauses while enough results are ready.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from extractor.errors import ExtractorError, ReaderDown, Stopped
from extractor.jobs import Source
from extractor.workers.pool import IDLE_SECONDS, PoisonTask, WorkerPool
from extractor.workers.protocol import TaskHandler

logger = logging.getLogger(__name__)

READY_BYTES = 800_000_000  # a hundred pages of 1000 x 2500 pixels, or 22 photos of 12 megapixels


class Sized(Protocol):
    """The result of preparing a file."""

    @property
    def size_bytes(self) -> int: ...


Made = TypeVar("Made", bound=Sized)


class Prefetcher(Generic[Made]):
    """Prepares files in worker processes. One thread asks for batches; any other may close.

    Args:
        make: Makes the task handler, in each worker; must be picklable. The handler prepares a `Source`, or raises the error that prevents
            it.
        processes: Maximum number of workers.
        seconds: Time limit for a file.
        memory_mb: Memory limit of a worker.
        recycle_after: Files after which a worker is replaced.
        ready_bytes: Maximum size of all results that are ready, and of a batch.
    """

    def __init__(
        self,
        make: Callable[[], TaskHandler],
        *,
        processes: int,
        seconds: float,
        memory_mb: int | None = None,
        recycle_after: int | None = None,
        ready_bytes: int = READY_BYTES,
    ) -> None:
        self._pool: WorkerPool[Source] = WorkerPool(
            make,
            name="preparing",
            size=processes,
            seconds=lambda _: seconds,
            idle_seconds=IDLE_SECONDS,
            memory_mb=memory_mb,
            recycle_after=recycle_after,
        )
        self._ready_bytes = ready_bytes
        self._changed = threading.Condition()  # guards everything below
        self._waiting: deque[Source] = deque()
        self._in_progress: set[Source] = set()
        self._ready: dict[Source, Made | ExtractorError] = {}
        self._wanted: frozenset[Source] = frozenset()
        self._is_awaited = self._is_closed = False
        self._failure: ExtractorError | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Wait until a worker is ready.

        Raises:
            ConfigError: It cannot work here.
            ReaderDown: It cannot be started now.
        """
        self._pool.start()

    def batches(self, sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> Iterator[list[Made | ExtractorError]]:
        """Yield the prepared sources, in order: all in one batch, or in several where together they exceed `ready_bytes`.

        Args:
            upcoming: The sources of the next call; they are prepared once all of `sources` are. Results for sources that are in neither
                list are discarded.
        Raises:
            ReaderDown: Nothing can be prepared now.
        """
        self._request(sources, upcoming)
        batch, size = list[Made | ExtractorError](), 0
        for source in sources:
            made = self._take(source)
            more = 0 if isinstance(made, ExtractorError) else made.size_bytes
            if batch and size + more > self._ready_bytes:
                yield batch
                batch, size = [], 0
            batch.append(made)
            size += more
        if batch:
            yield batch

    def close(self) -> None:
        """Stop the workers and the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._pool.close()
        if self._thread is not None:
            self._thread.join()

    def _request(self, sources: Sequence[Source], upcoming: Sequence[Source]) -> None:
        with self._changed:
            wanted = dict.fromkeys((*sources, *upcoming))
            self._wanted, self._failure = frozenset(wanted), None
            self._ready = {source: made for source, made in self._ready.items() if source in wanted}
            self._waiting = deque(source for source in wanted if source not in self._ready and source not in self._in_progress)
            if self._thread is None:
                self._thread = self._started_thread()
            self._changed.notify_all()

    def _started_thread(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name="preparing", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system allows no more threads
            raise ReaderDown(f"No thread can be started to prepare files ({error}). It is tried again.") from error
        return thread

    def _take(self, source: Source) -> Made | ExtractorError:
        with self._changed:
            self._is_awaited = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: source in self._ready or self._failure or self._is_closed)
            self._is_awaited = False
            if source not in self._ready:
                raise self._failure or Stopped("The program was told to stop before this was read. Start it again.")
            return self._ready.pop(source)

    def _work(self) -> None:
        """The thread: prepares whatever waits. A failure is raised in the thread that asks for batches; this one goes on."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
            try:
                self._prepare()
            except ExtractorError as error:  # no worker can be started
                self._fail(error)
            except Exception as error:
                logger.exception("prefetch_crashed")
                self._fail(ReaderDown(f"Files cannot be prepared ({type(error).__name__}). The log says where."))

    def _fail(self, error: ExtractorError) -> None:
        with self._changed:
            self._failure = error
            self._waiting.clear()
            self._in_progress.clear()
            self._changed.notify_all()

    def _prepare(self) -> None:
        """Prepare all waiting sources, including those that are added meanwhile."""
        order: deque[Source] = deque()
        for made in self._pool.run(self._draw(order)):
            source = order.popleft()
            result = made.as_error(source.name) if isinstance(made, PoisonTask) else made
            with self._changed:
                self._changed.wait_for(lambda: self._is_awaited or self._is_closed or self._bytes_ready() < self._ready_bytes)
                self._in_progress.discard(source)
                if source in self._wanted:
                    self._ready[source] = result
                self._changed.notify_all()

    def _draw(self, order: deque[Source]) -> Iterator[Source]:
        """Yield waiting sources, and append each to `order`."""
        while True:
            with self._changed:
                if not self._waiting or self._is_closed:
                    return
                source = self._waiting.popleft()
                self._in_progress.add(source)
            order.append(source)
            yield source

    def _bytes_ready(self) -> int:
        return sum(made.size_bytes for made in self._ready.values() if not isinstance(made, ExtractorError))
