"""Reads files in worker processes: in several side by side, or, with a GPU, batch after batch in one. A bad file harms only itself."""

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Self

from extractor.config.settings import MAX_RUNGS, Settings
from extractor.errors import ConfigError, ExtractorError, ReaderDown, ReaderUnavailable
from extractor.jobs import ExtractAhead, Extracted, Source
from extractor.readers.vision.reader_process import START_SECONDS as MODEL_SECONDS
from extractor.workers.capacity import plan_processes
from extractor.workers.pool import IDLE_SECONDS, TRIES, PoisonTask, WorkerPool

logger = logging.getLogger(__name__)


class Batch(NamedTuple):
    """The task of a worker.

    Attributes:
        sources: The files to read.
        upcoming: Files that will probably be read next, which the worker may prepare meanwhile.
    """

    sources: Sequence[Source]
    upcoming: Sequence[Source] = ()


class LoadedExtraction(NamedTuple):
    """A reader that is ready, in its worker.

    Attributes:
        extract: Reads a batch.
        reads_together: The reader reads a whole batch at once and needs the GPU, so that there can be only one worker.
    """

    extract: ExtractAhead
    reads_together: bool = False


def load_extraction(settings: Settings, *, threads: int | None = None, warm_up: bool = True) -> LoadedExtraction:
    """Load the reader that the settings ask for.

    Args:
        threads: CPU threads for OCR, where this worker is one of several.
        warm_up: Read an empty page first, so that a broken engine fails here and not on the first receipt.
    Raises:
        ConfigError: The reader cannot work here.
        ReaderUnavailable: It cannot work now.
    """
    from extractor.extraction.runner import Extraction  # noqa: PLC0415 -- imports the OCR engine, which only workers need

    extraction = Extraction.from_settings(settings, threads=threads)
    if warm_up:
        extraction.warm_up()
    return LoadedExtraction(extraction.read, extraction.reads_together)


class _ReadingHandler:
    """Reads batches inside a worker; see `TaskHandler`. Its greeting limits the workers to one where the reader needs the GPU."""

    def __init__(self, load: Callable[[], LoadedExtraction]) -> None:
        self._extract, reads_together = load()
        self.greeting = 1 if reads_together else None

    def __call__(self, batch: Batch, /) -> list[Extracted]:
        """Return one result per source. An exception from reading one of them does not affect the others."""
        sources = batch.sources
        try:
            return list(self._extract(sources, batch.upcoming))
        except MemoryError:
            raise  # the state of this process is not known any more
        except (ConfigError, ReaderUnavailable) as error:
            raise ReaderDown(str(error)) from error  # raised, not returned: no file is at fault
        except Exception as error:
            logger.exception("reading_crashed", extra={"files": [source.name for source in sources]})
            if len(sources) > 1:
                return [result for source in sources for result in self(Batch([source]))]
            fact = f"{sources[0].name} could not be read ({type(error).__name__}). The log says where; at level DEBUG also what."
            return [ReaderUnavailable(fact)]


class IsolatedReading:
    """Reads batches in worker processes; see `ExtractAhead`. A file that crashes or hangs two workers gives `FileCrashesReader`.

    Args:
        load: Loads the reader, in each worker; must be picklable.
        processes: Maximum number of workers.
        receipt_seconds: Time limit for a receipt.
        batch_seconds: Additional time for a batch, with a reader that reads whole batches at once.
        batch_size: Receipts in a batch, for each worker.
        together_size: Receipts in a batch, with a reader that reads whole batches at once.
        memory_mb: Memory limit of a worker.
        recycle_receipts: Receipts after which a worker is replaced.
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
        self._receipt_seconds, self._batch_seconds = receipt_seconds, batch_seconds
        self._pool: WorkerPool[Batch] = WorkerPool(
            partial(_ReadingHandler, load),
            name="reading",
            size=processes,
            seconds=lambda batch: self._seconds(len(batch.sources)),
            idle_seconds=IDLE_SECONDS,
            memory_mb=memory_mb,
            recycle_after=recycle_receipts,
        )

    @classmethod
    def from_settings(cls, settings: Settings, *, for_one: bool = False) -> Self:
        """Build what the settings ask for; no process is started yet.

        Args:
            for_one: There is one receipt to read: one worker gets all threads, and the receipt is its warm-up.
        """
        reader, vision = settings.reader, settings.vision
        if for_one:
            reader = reader.model_copy(update={"processes": 1})
        processes, threads = plan_processes(reader.processes, reader.threads)
        return cls(
            partial(load_extraction, settings.model_copy(update={"reader": reader}), threads=threads, warm_up=not for_one),
            processes=processes,
            receipt_seconds=reader.receipt_seconds,
            batch_seconds=MODEL_SECONDS + vision.answer_seconds * 2 * (1 + MAX_RUNGS),  # a question that hangs is repeated once
            batch_size=settings.work.batch_size,
            together_size=vision.max_rows,
            memory_mb=reader.memory_mb,
            recycle_receipts=reader.recycle_receipts,
        )

    @property
    def reads_together(self) -> bool:
        """Whether the reader reads a whole batch at once, and can prepare upcoming files meanwhile; known once a worker is ready."""
        return self._pool.worker_limit is not None

    @property
    def batch_size(self) -> int:
        """The number of receipts that are best read in one call; known once a worker is ready."""
        return self._together_size if self.reads_together else self._batch_size

    @property
    def restarts(self) -> Counter[str]:
        """Number of workers that were replaced, by reason: `crashed`, `hung`, `memory`, `recycled`."""
        return self._pool.restarts

    @property
    def longest_seconds(self) -> float:
        """Longest time until the next result, lost workers included; known once a worker is ready."""
        alone = TRIES * self._seconds(1)
        return alone + self._seconds(self.batch_size) if self.reads_together else alone

    def start(self) -> None:
        """Wait until a worker is ready to read.

        Raises:
            ConfigError: The reader cannot work here.
            ReaderDown: It cannot work now.
        """
        self._pool.start()

    def __call__(self, sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> list[Extracted]:
        return list(self.read_each(sources, upcoming))

    def read_each(self, sources: Iterable[Source], upcoming: Sequence[Source] = ()) -> Iterator[Extracted]:
        """Yield the records of every source in order, or the error; only a few sources are taken ahead of the next result.

        Args:
            upcoming: Sources of the next call, which may be prepared meanwhile.
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
        remaining = iter(sources)
        batch = list(itertools.islice(remaining, self.batch_size))
        while batch:
            following = list(itertools.islice(remaining, self.batch_size))
            (results,) = self._pool.run([Batch(batch, following or upcoming)], tries=1)
            if isinstance(results, ReaderDown):
                raise results
            if isinstance(results, list):
                yield from results
            else:  # one of them ended the worker; reading each alone shows which
                yield from self._one_by_one(batch)
            batch = following

    def drain(self) -> None:
        """Begin no further receipt; those in progress are finished."""
        self._pool.drain()

    def close(self) -> None:
        """Stop the workers."""
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
