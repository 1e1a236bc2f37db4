"""What touches the contents of files runs in children: reading, and the check that a file decodes. A file harms at worst itself."""

import atexit
import itertools
import logging
import os
import resource
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from extractor.children.pool import TRIES, Killer, Pool
from extractor.children.servant import Servant
from extractor.errors import ConfigError, Deadly, ExtractorError, InputError, ReaderDown, ReaderUnavailable, Unreadable
from extractor.files import printable
from extractor.pages import PageLimits, check_complete
from extractor.readers.vision.worker import START_SECONDS as MODEL_SECONDS
from extractor.settings import Settings
from extractor.source import Extract, Source
from schemas.record import Record

logger = logging.getLogger(__name__)

IDLE_SECONDS = 900.0
"""Time without work after which a child gives its memory back; the next file waits a second or two for a new one."""

PROCESS_MB = 1000
"""Memory that a reading child takes at its peak, for choosing their number: up to 960 MiB were seen on receipts."""

BYTES_A_PIXEL = 12
"""What the check may take for each pixel: the picture, a copy with transparency, one without."""

MEMORY_SHARE = 0.25
"""Part of the machine's memory that all of them together may be expected to take."""

CHECK_BASE_MB = 500
CHECK_FILES = 32

Result = Record | ExtractorError


class Loaded(NamedTuple):
    """A reader that is ready to read, in its child.

    Attributes:
        reads_together: It reads a batch in one go, and there can be only one of it: it has the GPU.
    """

    extract: Extract
    reads_together: bool = False


def load_extraction(settings: Settings, *, warm_up: bool = True) -> Loaded:
    """What the settings ask for.

    Args:
        warm_up: Read an empty page first: an engine that is broken shows it now, and no receipt is blamed.
    Raises:
        ConfigError: The reader cannot work here.
        ReaderUnavailable: It cannot work now.
    """
    from extractor.extraction import Extraction  # noqa: PLC0415 -- brings the OCR engine, which only the children need

    extraction = Extraction.from_settings(settings)
    if warm_up:
        extraction.warm_up()
    return Loaded(extraction.read, reads_together=extraction.reader_name == "vision")


class _Reading:
    """Reads in the child; see `Servant`."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        self._extract, reads_together = load()
        self.greeting = 1 if reads_together else None

    def __call__(self, sources: Sequence[Source], /) -> list[Result]:
        """One result a source; nothing that reading one of them raises harms the others."""
        try:
            return self._extract(sources)
        except MemoryError:
            raise  # nobody knows what else is broken now
        except (ConfigError, ReaderUnavailable) as error:
            raise ReaderDown(str(error)) from error  # raised, not returned: it is about none of the files
        except Exception as error:
            logger.exception("reading_crashed", extra={"files": [source.name for source in sources]})
            if len(sources) > 1:
                return [result for source in sources for result in self([source])]
            fact = f"{sources[0].name} could not be read ({type(error).__name__}). The log says where; at level DEBUG also what."
            return [ReaderUnavailable(fact)]


class IsolatedReading:
    """Reads batches in children; see `Extract`. A file that ends or hangs two of them is `Deadly`; the others do not notice.

    Args:
        load: Loads the reader, in each child; must be picklable.
        processes: How many children at most.
        receipt_seconds: Time that a receipt may take.
        batch_seconds: Time that a batch may take in addition, with a reader that reads batches together.
        batch_size: Receipts of a batch.
        memory_mb: Memory that a child may take.
        recycle_receipts: Receipts after which a child is replaced.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        *,
        processes: int = 1,
        receipt_seconds: float = 300.0,
        batch_seconds: float = 0.0,
        batch_size: int = 4,
        memory_mb: int | None = None,
        recycle_receipts: int | None = None,
    ) -> None:
        self.batch_size = batch_size * processes
        self._receipt_seconds, self._batch_seconds = receipt_seconds, batch_seconds
        self._pool: Pool[Sequence[Source]] = Pool(
            partial(_Reading, load),
            name="reading",
            size=processes,
            seconds=self._seconds,
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
        processes, threads = divide(1 if for_one else settings.reader.processes, settings.reader.threads)
        reader = settings.reader.model_copy(update={"threads": threads})
        vision = settings.vision
        return cls(
            partial(load_extraction, settings.model_copy(update={"reader": reader}), warm_up=not for_one),
            processes=processes,
            receipt_seconds=reader.receipt_seconds,
            batch_seconds=MODEL_SECONDS + vision.answer_seconds * 2 * (1 + reader.max_rungs),  # a batch that hangs is asked again
            batch_size=settings.work.batch_size,
            memory_mb=reader.memory_mb,
            recycle_receipts=reader.recycle_receipts,
        )

    @property
    def restarts(self) -> Counter[str]:
        """How many children were replaced, by reason: `crashed`, `hung`, `memory`, `recycled`."""
        return self._pool.restarts

    @property
    def longest_seconds(self) -> float:
        """Time that the next result may be waited for at most, lost children included; known once a child is ready."""
        alone = TRIES * self._seconds(("",))
        return alone if self._pool.most is None else alone + self._seconds([""] * self.batch_size)

    def start(self) -> None:
        """Waits until a child is ready to read.

        Raises:
            ConfigError: The reader cannot work here.
            ReaderDown: It cannot work now.
        """
        self._pool.start()

    def __call__(self, sources: Sequence[Source]) -> list[Result]:
        return list(self.read_each(sources))

    def read_each(self, sources: Iterable[Source]) -> Iterator[Result]:
        """A record, or the reason why there is none, for every source in its order; few are taken ahead of the result that is due.

        Raises:
            ReaderDown: The reader cannot work now.
        """
        try:
            self._pool.start()
        except ConfigError as error:
            raise ReaderDown(str(error)) from error
        if self._pool.most is None:
            yield from self._one_by_one(sources)
            return
        remaining = iter(sources)
        while batch := list(itertools.islice(remaining, self.batch_size)):
            (results,) = self._pool.run([batch], tries=1)
            if isinstance(results, ReaderDown):
                raise results
            if isinstance(results, list):
                yield from results
            else:  # which of them it was shows when each is read alone
                yield from self._one_by_one(batch)

    def drain(self) -> None:
        """From now on no receipt is begun; those in hand are finished."""
        self._pool.drain()

    def close(self) -> None:
        """Ends the children."""
        self._pool.close()

    def _one_by_one(self, sources: Iterable[Source]) -> Iterator[Result]:
        for results in self._pool.run([source] for source in sources):
            match results:
                case Killer(task=[source], stories=stories):
                    yield deadly(source.name, stories)
                case ReaderDown():
                    raise results
                case ExtractorError():
                    yield results
                case _:
                    yield from results

    def _seconds(self, sources: Sequence[object]) -> float:
        return len(sources) * self._receipt_seconds + (0.0 if self._pool.most is None else self._batch_seconds)


class Checking:
    """Checks files in the child; see `Servant`. It may take little, and write nothing."""

    greeting = None

    def __init__(self, limits: PageLimits) -> None:
        from extractor.pages import pdf, raster  # noqa: F401, PLC0415 -- before the limits: imports open files

        self._limits = limits
        memory = CHECK_BASE_MB * 1_000_000 + limits.max_bytes + BYTES_A_PIXEL * limits.max_pixels
        for limit, value in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_NOFILE, CHECK_FILES), (resource.RLIMIT_FSIZE, 0)):
            _, most = resource.getrlimit(limit)
            resource.setrlimit(limit, (value if most == resource.RLIM_INFINITY else min(value, most), most))
            atexit.register(resource.setrlimit, limit, (most, most))  # what ends with the process may write

    def __call__(self, path: Path, /) -> None:
        try:
            check_complete(path, self._limits)
        except (InputError, MemoryError):
            raise
        except Exception as error:
            logger.exception("check_crashed", extra={"file": printable(path.name)})
            way_out = "Open it in another program and save it anew."
            raise Unreadable(f"{printable(path.name)} cannot be decoded ({type(error).__name__}). {way_out}") from error


class IsolatedCheck:
    """Decodes files to their end in a child; see `inbox.Check`. A file that ends or hangs two of them is `Deadly`.

    Args:
        make: Makes what checks, in the child; must be picklable.
        seconds: Time that a file may take.
    """

    def __init__(self, make: Callable[[], Servant], *, seconds: float = 60.0) -> None:
        self._pool: Pool[Path] = Pool(make, name="check", seconds=lambda _: seconds, idle_seconds=IDLE_SECONDS)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """As the settings ask for; no child is started yet."""
        return cls(partial(Checking, PageLimits(**settings.limits.model_dump())), seconds=settings.inbox.check_seconds)

    @property
    def restarts(self) -> Counter[str]:
        """How many children were replaced, by reason."""
        return self._pool.restarts

    def __call__(self, path: Path) -> None:
        """Nothing where the file decodes to its end.

        Raises:
            InputError: It does not, or no child survives it.
            ReaderDown: No child can be started now.
            Stopped: The check was closed.
        """
        (result,) = self._pool.run([path])
        if isinstance(result, Killer):
            raise deadly(printable(path.name), result.stories)
        if isinstance(result, ExtractorError):
            raise result

    def drain(self) -> None:
        """From now on no check is begun."""
        self._pool.drain()

    def close(self) -> None:
        """Ends the child."""
        self._pool.close()


def deadly(name: str, stories: Sequence[str]) -> Deadly:
    """The error of a file that cost each child that it was given to."""
    told = "; ".join(f"{number}. the process {story}" for number, story in enumerate(stories, start=1))
    way_out = "Open it in another program and save it anew, or make it smaller; then retry it."
    return Deadly(f"{name} was tried {len(stories)} times, and each time the process that read it was lost: {told}. {way_out}")


def divide(processes: int, threads: int, *, cores: int | None = None, memory_mb: float | None = None) -> tuple[int, int]:
    """How many reading processes, and how many threads each of them gets.

    Args:
        processes: As the setting says; 0 for one a core, if there is memory for all of them: two processes with a thread each read a
            receipt with a seventh less processor time than one process with two threads, and more of them at a time.
        threads: For all of them together; 0 for all cores.
    """
    cores = cores or _cores()
    memory_mb = memory_mb or _memory_mb()
    threads = threads or cores
    processes = processes or max(1, min(threads, int(memory_mb * MEMORY_SHARE / PROCESS_MB)))
    return processes, max(1, threads // processes)


def _cores() -> int:
    """Cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _container("cpu.max").partition(" ")
    return max(1, min(cores, int(quota) // int(period))) if quota.isdecimal() and period.isdecimal() else cores


def _memory_mb() -> float:
    """Memory of the machine, or of the container if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _container("memory.max")
    return min(machine, int(limit) if limit.isdecimal() else machine) / 1e6


def _container(limit: str) -> str:
    """A limit that Linux sets a container (cgroup 2), as it is written there; empty without one."""
    try:
        return (Path("/sys/fs/cgroup") / limit).read_text(encoding="ascii").strip()
    except OSError:
        return ""
