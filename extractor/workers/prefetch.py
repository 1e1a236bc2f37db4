"""Files are prepared in children ahead of a reader that reads batches: what comes next is made ready while the GPU is at work.

One thread keeps the children busy. It goes no further than what was asked for and announced, and rests while more than enough lies ready.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from extractor.errors import ExtractorError, Stopped
from extractor.jobs import Source
from extractor.workers.pool import IDLE_SECONDS, PoisonTask, WorkerPool
from extractor.workers.protocol import TaskHandler

READY_BYTES = 800_000_000
"""A hundred pages of 1000 x 2500 pixels, or 22 photos of 12 megapixels."""


class Sized(Protocol):
    """What was made of a file."""

    @property
    def size_bytes(self) -> int: ...


Made = TypeVar("Made", bound=Sized)


class Prefetcher(Generic[Made]):
    """Prepares files in children. One thread asks for batches; any other may close.

    Args:
        make: Makes the servant, in each child; must be picklable. It makes something of a source, or gives the error that keeps it from it.
        processes: How many children at most.
        seconds: Time that a file may take.
        memory_mb: Memory that a child may take.
        recycle_after: Files after which a child is replaced.
        ready_bytes: What lies ready at most, and what a batch has at most.
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
        self._news = threading.Condition()  # on all that follows
        self._waiting: deque[Source] = deque()
        self._begun: set[Source] = set()
        self._ready: dict[Source, Made | ExtractorError] = {}
        self._wanted: frozenset[Source] = frozenset()
        self._is_awaited = self._is_closed = False
        self._obstacle: ExtractorError | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Waits until a child is ready.

        Raises:
            ConfigError: It cannot work here.
            ReaderDown: It cannot be started now.
        """
        self._pool.start()

    def batches(self, sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> Iterator[list[Made | ExtractorError]]:
        """What was made of the sources, in their order: all in one batch, unless that would be larger than what may lie ready.

        Args:
            announced: What will be asked for next; it is prepared as soon as nothing else is to be. All that was announced before, and is
                neither among these nor asked for now, is forgotten.
        Raises:
            ReaderDown: No child can be started now.
        """
        self._order(sources, upcoming)
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
        """Ends the children."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()
        self._pool.close()
        if self._thread is not None:
            self._thread.join()

    def _order(self, sources: Sequence[Source], upcoming: Sequence[Source]) -> None:
        with self._news:
            wanted = dict.fromkeys((*sources, *upcoming))
            self._wanted, self._obstacle = frozenset(wanted), None
            self._ready = {source: made for source, made in self._ready.items() if source in wanted}
            self._waiting = deque(source for source in wanted if source not in self._ready and source not in self._begun)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="preparing", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def _take(self, source: Source) -> Made | ExtractorError:
        with self._news:
            self._is_awaited = True
            self._news.notify_all()
            self._news.wait_for(lambda: source in self._ready or self._obstacle or self._is_closed)
            self._is_awaited = False
            if source not in self._ready:
                raise self._obstacle or Stopped("The program was told to stop before this was read. Start it again.")
            return self._ready.pop(source)

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
            try:
                self._prepare()
            except ExtractorError as error:  # no child can be started: whoever waits is told
                with self._news:
                    self._obstacle = error
                    self._waiting.clear()
                    self._begun.clear()
                    self._news.notify_all()

    def _prepare(self) -> None:
        """Prepares what waits, also what comes to wait meanwhile."""
        order: deque[Source] = deque()
        for made in self._pool.run(self._drawn(order)):
            source = order.popleft()
            result = made.as_error(source.name) if isinstance(made, PoisonTask) else made
            with self._news:
                self._news.wait_for(lambda: self._is_awaited or self._is_closed or self._bytes_ready() < self._ready_bytes)
                self._begun.discard(source)
                if source in self._wanted:
                    self._ready[source] = result
                self._news.notify_all()

    def _drawn(self, order: deque[Source]) -> Iterator[Source]:
        while True:
            with self._news:
                if not self._waiting or self._is_closed:
                    return
                source = self._waiting.popleft()
                self._begun.add(source)
            order.append(source)
            yield source

    def _bytes_ready(self) -> int:
        return sum(made.size_bytes for made in self._ready.values() if not isinstance(made, ExtractorError))
