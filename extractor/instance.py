"""One service a database: a lock that the operating system frees when its holder dies, however it dies."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from extractor.errors import ConfigError
from extractor.files import storage_errors


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
            _lock(descriptor)
        except OSError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            way_out = "Stop it first; files dropped in the inbox are taken by it."
            raise ConfigError(f"Another service works on this database (process {holder}, lock {self._path}). {way_out}") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # Far behind the text, because Windows lets nobody read locked bytes.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
