"""Reading runs in children, side by side or, with a GPU, batch after batch in one: a file harms at worst itself."""

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Self

from extractor.config.settings import MAX_RUNGS, Settings
from extractor.errors import ConfigError, ExtractorError, ReaderDown, ReaderUnavailable
from extractor.jobs import Extract, Extracted, Source
from extractor.readers.vision.reader_process import START_SECONDS as MODEL_SECONDS
from extractor.workers.capacity import plan_processes
from extractor.workers.pool import IDLE_SECONDS, TRIES, PoisonTask, WorkerPool

logger = logging.getLogger(__name__)


class Batch(NamedTuple):
    """What a child is told to read.

    Attributes:
        announced: What it will probably be told next, and may prepare meanwhile.
    """

    sources: Sequence[Source]
    upcoming: Sequence[Source] = ()


class LoadedExtraction(NamedTuple):
    """A reader that is ready to read, in its child.

    Attributes:
        announce: Hears what will be read after the next batch; only of a reader that reads a batch in one go, and of which there can be
            only one: it has the GPU.
    """

    extract: Extract
    prefetch: Callable[[Sequence[Source]], None] | None = None


def load_extraction(settings: Settings, *, threads: int | None = None, warm_up: bool = True) -> LoadedExtraction:
    """What the settings ask for.

    Args:
        threads: CPU threads for OCR, where this child is one of several.
        warm_up: Read an empty page first: an engine that is broken shows it now, and no receipt is blamed.
    Raises:
        ConfigError: The reader cannot work here.
        ReaderUnavailable: It cannot work now.
    """
    from extractor.extraction.runner import Extraction  # noqa: PLC0415 -- brings the OCR engine, which only the children need

    extraction = Extraction.from_settings(settings, threads=threads)
    if warm_up:
        extraction.warm_up()
    return LoadedExtraction(extraction.read, extraction.prefetch if extraction.reads_together else None)


class _Reading:
    """Reads in the child; see `Servant`."""

    def __init__(self, load: Callable[[], LoadedExtraction]) -> None:
        self._extract, self._prefetch = load()
        self.greeting = None if self._prefetch is None else 1

    def __call__(self, batch: Batch, /) -> list[Extracted]:
        """One result a source; nothing that reading one of them raises harms the others."""
        sources = batch.sources
        if self._prefetch is not None:
            self._prefetch(batch.upcoming)
        try:
            return self._extract(sources)
        except MemoryError:
            raise  # nobody knows what else is broken now
        except (ConfigError, ReaderUnavailable) as error:
            raise ReaderDown(str(error)) from error  # raised, not returned: it is about none of the files
        except Exception as error:
            logger.exception("reading_crashed", extra={"files": [source.name for source in sources]})
            if len(sources) > 1:
                return [result for source in sources for result in self(Batch([source]))]
            fact = f"{sources[0].name} could not be read ({type(error).__name__}). The log says where; at level DEBUG also what."
            return [ReaderUnavailable(fact)]


class IsolatedReading:
    """Reads batches in children; see `Extract`. A file that ends or hangs two of them is `FileCrashesReader`; the others do not notice.

    Args:
        load: Loads the reader, in each child; must be picklable.
        processes: How many children at most.
        receipt_seconds: Time that a receipt may take.
        batch_seconds: Time that a batch may take in addition, with a reader that reads batches together.
        batch_size: Receipts of a batch, for each child.
        together_size: Receipts of a batch, with a reader that reads batches together.
        memory_mb: Memory that a child may take.
        recycle_receipts: Receipts after which a child is replaced.
    """

    def __init__(
        self,
        load: Callable[[], LoadedExtraction],
        *,
        processes: int = 1,
        receipt_seconds: float = 300.0,
        batch_seconds: float = 0.0,
        batch_size: int = 4,
        together_size: int = 4,
        memory_mb: int | None = None,
        recycle_receipts: int | None = None,
    ) -> None:
        self._batch_size, self._together_size = batch_size * processes, together_size
        self._upcoming: Sequence[Source] = ()
        self._receipt_seconds, self._batch_seconds = receipt_seconds, batch_seconds
        self._pool: WorkerPool[Batch] = WorkerPool(
            partial(_Reading, load),
            name="reading",
            size=processes,
            seconds=lambda batch: self._seconds(len(batch.sources)),
            idle_seconds=IDLE_SECONDS,
            memory_mb=memory_mb,
            recycle_after=recycle_receipts,
        )

    @classmethod
    def from_settings(cls, settings: Settings, *, for_one: bool = False) -> Self:
        """As the settings ask for; no child is started yet.

        Args:
            for_one: There is one receipt to read: one child has all threads, and warms up with it.
        """
        reader, vision = settings.reader, settings.vision
        if for_one:
            reader = reader.model_copy(update={"processes": 1})
        processes, threads = plan_processes(reader.processes, reader.threads)
        return cls(
            partial(load_extraction, settings.model_copy(update={"reader": reader}), threads=threads, warm_up=not for_one),
            processes=processes,
            receipt_seconds=reader.receipt_seconds,
            batch_seconds=MODEL_SECONDS + vision.answer_seconds * 2 * (1 + MAX_RUNGS),  # a batch that hangs is asked again
            batch_size=settings.work.batch_size,
            together_size=vision.max_rows,
            memory_mb=reader.memory_mb,
            recycle_receipts=reader.recycle_receipts,
        )

    @property
    def reads_together(self) -> bool:
        """Whether the reader reads a batch in one go, and may be announced what comes next; known once a child is ready."""
        return self._pool.most is not None

    @property
    def batch_size(self) -> int:
        """Receipts that are best given together; known once a child is ready."""
        return self._together_size if self.reads_together else self._batch_size

    @property
    def restarts(self) -> Counter[str]:
        """How many children were replaced, by reason: `crashed`, `hung`, `memory`, `recycled`."""
        return self._pool.restarts

    @property
    def longest_seconds(self) -> float:
        """Time that the next result may be waited for at most, lost children included; known once a child is ready."""
        alone = TRIES * self._seconds(1)
        return alone + self._seconds(self.batch_size) if self.reads_together else alone

    def start(self) -> None:
        """Waits until a child is ready to read.

        Raises:
            ConfigError: The reader cannot work here.
            ReaderDown: It cannot work now.
        """
        self._pool.start()

    def prefetch(self, sources: Sequence[Source]) -> None:
        """What will be read next, after the sources of the next call; it may be prepared while those are read."""
        self._upcoming = tuple(sources)

    def __call__(self, sources: Sequence[Source]) -> list[Extracted]:
        return list(self.read_each(sources))

    def read_each(self, sources: Iterable[Source]) -> Iterator[Extracted]:
        """A record, or the reason why there is none, for every source in its order; few are taken ahead of the result that is due.

        Raises:
            ReaderDown: The reader cannot work now.
        """
        try:
            self._pool.start()
        except ConfigError as error:
            raise ReaderDown(str(error)) from error
        if not self.reads_together:
            yield from self._one_by_one(sources)
            return
        upcoming, self._upcoming = self._upcoming, ()
        remaining = iter(sources)
        batch = list(itertools.islice(remaining, self.batch_size))
        while batch:
            following = list(itertools.islice(remaining, self.batch_size))
            (results,) = self._pool.run([Batch(batch, following or upcoming)], tries=1)
            if isinstance(results, ReaderDown):
                raise results
            if isinstance(results, list):
                yield from results
            else:  # which of them it was shows when each is read alone
                yield from self._one_by_one(batch)
            batch = following

    def drain(self) -> None:
        """From now on no receipt is begun; those in hand are finished."""
        self._pool.drain()

    def close(self) -> None:
        """Ends the children."""
        self._pool.close()

    def _one_by_one(self, sources: Iterable[Source]) -> Iterator[Extracted]:
        for results in self._pool.run(Batch([source]) for source in sources):
            match results:
                case PoisonTask(task=Batch(sources=[source])):
                    yield results.as_error(source.name)
                case ReaderDown():
                    raise results
                case ExtractorError():
                    yield results
                case _:
                    yield from results

    def _seconds(self, receipts: int) -> float:
        return receipts * self._receipt_seconds + (self._batch_seconds if self.reads_together else 0.0)
