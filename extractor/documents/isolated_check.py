"""The check that a file decodes runs in a child, which may take little and write nothing: a file harms at worst itself."""

import atexit
import logging
import resource
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

from extractor.config.settings import Settings
from extractor.documents import PageLimits, check_complete
from extractor.errors import ExtractorError, InputError, Unreadable
from extractor.runtime.filenames import printable
from extractor.workers.pool import IDLE_SECONDS, PoisonTask, WorkerPool
from extractor.workers.protocol import TaskHandler

logger = logging.getLogger(__name__)

BYTES_A_PIXEL = 12
"""What the check may take for each pixel: the picture, a copy with transparency, one without."""

CHECK_BASE_MB = 500
CHECK_FILES = 32


class Checking:
    """Checks files in the child; see `TaskHandler`. It may take little, and write nothing."""

    greeting = None

    def __init__(self, limits: PageLimits) -> None:
        from extractor.documents import images, pdf  # noqa: F401, PLC0415 -- before the limits: imports open files

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
    """Decodes files to their end in a child; see `inbox.Check`. A file that ends or hangs two of them is `FileCrashesReader`.

    Args:
        make: Makes what checks, in the child; must be picklable.
        seconds: Time that a file may take.
    """

    def __init__(self, make: Callable[[], TaskHandler], *, seconds: float = 60.0) -> None:
        self._pool: WorkerPool[Path] = WorkerPool(make, name="check", seconds=lambda _: seconds, idle_seconds=IDLE_SECONDS)

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
        if isinstance(result, PoisonTask):
            raise result.as_error(printable(path.name))
        if isinstance(result, ExtractorError):
            raise result

    def drain(self) -> None:
        """From now on no check is begun."""
        self._pool.drain()

    def close(self) -> None:
        """Ends the child."""
        self._pool.close()
