"""Lets one service use a database: a lock that the operating system releases when its holder ends, in whatever way."""

import errno
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from extractor.errors import ConfigError
from extractor.storage.files.atomic import storage_errors

# Errors of a lock that another process holds. Any other error comes from the volume, such as a share without locks.
IS_HELD = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK, errno.EWOULDBLOCK})

# Attempts to take the lock and the wait between them: `holder` takes it for a moment, perhaps several times in a row.
TRIES, TRY_SECONDS = 100, 0.01


class InstanceLock:
    """A context manager that locks `<database>.lock`. The file is kept and contains the process id of the last holder.

    Raises:
        ConfigError: Another process holds it.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor = -1

    def __enter__(self) -> Self:
        with storage_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            with storage_errors(self._path):
                self._take(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def _take(self, descriptor: int) -> None:
        try:
            _lock_soon(descriptor)
        except OSError as error:
            if error.errno not in IS_HELD:
                raise
            fact = f"Another service uses this database (process {_process_id(descriptor)}, lock {self._path})."
            raise ConfigError(f"{fact} Stop it first; it takes the files that are dropped in the inbox.") from error
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)


def holder(database: Path) -> str | None:
    """Id of the process that holds the lock; `None` if none does.

    Raises:
        StorageError: The lock file cannot be opened.
    """
    path = database.with_name(database.name + ".lock")
    with storage_errors(path):
        if not path.exists():
            return None
        descriptor = os.open(path, (os.O_RDWR if sys.platform == "win32" else os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0))
    try:
        _lock(descriptor, shared=True)
    except OSError:
        return _process_id(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _process_id(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 20).decode("ascii", "replace").strip()


def _lock_soon(descriptor: int) -> None:
    """Takes the lock, and waits for callers of `holder`, which hold it for a moment."""
    for _ in range(TRIES):
        try:
            _lock(descriptor)
        except OSError:
            time.sleep(TRY_SECONDS)
        else:
            return
    _lock(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool = False) -> None:  # noqa: ARG001 -- Windows has only exclusive locks
        # Far behind the text, because locked bytes cannot be read on Windows.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool = False) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
