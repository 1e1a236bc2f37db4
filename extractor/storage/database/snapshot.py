"""A SQLite database copied whole, as it is at one moment, while others go on writing to it. Knows no table."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from extractor.errors import StorageError
from extractor.storage.files.atomic import move, storage_errors

PAGES_A_STEP = 2048
"""Copied between two calls of `on_progress`: 8 MB at SQLite's usual page size."""


def snapshot(source: Path, target: Path, *, on_progress: Callable[[int, int], object] = lambda _done, _total: None) -> None:
    """Makes `target` one file that holds the database as it is now. It appears checked and on disk, or not at all.

    Writers of `source` do not wait, and what they commit meanwhile is not in the copy.

    Args:
        on_progress: Called with the pages that are copied and the pages in all.
    Raises:
        StorageError: Something lies at `target`, the disk is full, or `source` cannot be read or is damaged.
    """
    hidden = target.with_name(f".{target.name}.tmp")
    with storage_errors(target):
        try:
            hidden.unlink(missing_ok=True)  # what a crash has left
            _copy(source, hidden, on_progress)
            with hidden.open("rb+") as file:
                os.fsync(file.fileno())
            move(hidden, target)
        except sqlite3.DatabaseError as error:
            way_out = "Nothing was changed. Check the disk's space, and the database with: sqlite3 FILE 'PRAGMA integrity_check'"
            raise StorageError(f"{source} cannot be copied to {target} ({error}). {way_out}") from error
        finally:
            hidden.unlink(missing_ok=True)


def _copy(source: Path, target: Path, on_progress: Callable[[int, int], object]) -> None:
    # mode=rw: a database that is not there is an error, not a new empty one.
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as reader:
        # The open transaction keeps to one moment: without it, each commit of another process makes the copying begin anew.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is brought to disk once, at the end
            reader.backup(copy, pages=PAGES_A_STEP, progress=lambda _status, remaining, total: on_progress(total - remaining, total))
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, that can be opened where nothing can be written
            found = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise sqlite3.DatabaseError(f"it is damaged: {found[0]}")
