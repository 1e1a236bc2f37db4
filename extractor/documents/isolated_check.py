"""Checks in a separate process that a file decodes to its end: a file that crashes, hangs or bloats its decoder harms only that process.

`IsolatedCheck` runs in this process and sends paths to a worker; `CheckHandler` runs in the worker and calls `check_complete`.
"""

import atexit
import logging
import resource
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

from extractor.config.settings import Settings
from extractor.documents.loading import check_complete
from extractor.documents.pages import PageLimits
from extractor.errors import ExtractorError, ReaderDown, ReaderUnavailable, Unreadable
from extractor.runtime.filenames import printable
from extractor.workers.pool import IDLE_SECONDS, PoisonTask, WorkerPool
from extractor.workers.protocol import TaskHandler

logger = logging.getLogger(__name__)

BYTES_A_PIXEL = 12  # what the check needs for each pixel: the image, a copy with transparency, one without
CHECK_BASE_MB = 500  # interpreter, libraries and their buffers
CHECK_FILES = 32  # descriptors that the worker may have open


class CheckHandler:
    """Checks files inside the worker, which limits its own memory and descriptors and may not write; see `TaskHandler`."""

    greeting = None

    def __init__(self, limits: PageLimits) -> None:
        from extractor.documents import images, pdf  # noqa: F401, PLC0415 -- before the limits: imports open files

        self._limits = limits
        memory = CHECK_BASE_MB * 1_000_000 + limits.max_bytes + BYTES_A_PIXEL * limits.max_pixels
        for limit, value in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_NOFILE, CHECK_FILES), (resource.RLIMIT_FSIZE, 0)):
            _, hard = resource.getrlimit(limit)
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
            atexit.register(resource.setrlimit, limit, (hard, hard))  # other exit handlers, such as coverage, may write

    def __call__(self, path: Path, /) -> None:
        """Raise InputError for a file that does not decode to its end."""
        try:
            check_complete(path, self._limits)
        except (ExtractorError, MemoryError):
            raise
        except Exception as error:
            logger.exception("check_crashed", extra={"file": printable(path.name)})
            what_to_do = "Open it in another program and save it anew."
            raise Unreadable(f"{printable(path.name)} cannot be decoded ({type(error).__name__}). {what_to_do}") from error


class IsolatedCheck:
    """Checks files in a worker process; see `inbox.Check`.

    Args:
        make: Makes the handler, in the worker; must be picklable.
        seconds: Time limit for one file.
    """

    def __init__(self, make: Callable[[], TaskHandler], *, seconds: float = 60.0) -> None:
        self._pool: WorkerPool[Path] = WorkerPool(make, name="check", seconds=lambda _: seconds, idle_seconds=IDLE_SECONDS)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Build the check that the settings ask for; no process is started yet."""
        return cls(partial(CheckHandler, PageLimits(**settings.limits.model_dump())), seconds=settings.inbox.check_seconds)

    @property
    def restarts(self) -> Counter[str]:
        """Number of worker processes that were replaced, by reason."""
        return self._pool.restarts

    def __call__(self, path: Path) -> None:
        """Return if the file decodes to its end.

        Raises:
            InputError: It does not; `FileCrashesReader` where two worker processes were lost to it.
            ReaderDown: No file can be checked now: no worker process can be started, or it has no descriptors left.
            Stopped: The check was closed.
        """
        (result,) = self._pool.run([path])
        if isinstance(result, PoisonTask):
            raise result.as_error(printable(path.name))
        if isinstance(result, ReaderUnavailable):
            raise ReaderDown(str(result)) from result
        if isinstance(result, ExtractorError):
            raise result

    def drain(self) -> None:
        """Start no further check."""
        self._pool.drain()

    def close(self) -> None:
        """Stop the worker process."""
        self._pool.close()
