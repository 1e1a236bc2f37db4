"""One service a database: a lock that the operating system frees when its holder dies, however it dies."""

import errno
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from extractor.errors import ConfigError
from extractor.storage.files.atomic import storage_errors

IS_HELD = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK, errno.EWOULDBLOCK})
"""What the systems say of a lock that somebody else holds; anything else, such as a share without locks, is a fault of the volume."""

TRIES, TRY_SECONDS = 100, 0.01
"""How often the lock is tried, and the wait between: a look at it takes a moment, and several may follow each other."""


class InstanceLock:
    """A context manager that holds `<database>.lock`; the file stays and names the last holder's process.

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
            way_out = "Stop it first; files dropped in the inbox are taken by it."
            fact = f"Another service works on this database (process {_written(descriptor)}, lock {self._path})"
            raise ConfigError(f"{fact}. {way_out}") from error
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)


def holder(database: Path) -> str | None:
    """The process that works on this database, as it has written itself down; `None` where none does.

    Raises:
        StorageError: The lock cannot be looked at.
    """
    path = database.with_name(database.name + ".lock")
    with storage_errors(path):
        if not path.exists():
            return None
        descriptor = os.open(path, (os.O_RDWR if sys.platform == "win32" else os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0))
    try:
        _lock(descriptor, only_look=True)
    except OSError:
        return _written(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _written(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 20).decode("ascii", "replace").strip()


def _lock_soon(descriptor: int) -> None:
    """Takes the lock; whoever only looks whether it is held holds it for a moment, and is waited for."""
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

    def _lock(descriptor: int, *, only_look: bool = False) -> None:  # noqa: ARG001 -- Windows has but one kind of lock
        # Far behind the text, because Windows lets nobody read locked bytes.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int, *, only_look: bool = False) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if only_look else fcntl.LOCK_EX) | fcntl.LOCK_NB)
