"""Copies a SQLite database as it is at one moment, while others write to it. Knows no table."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from extractor.errors import StorageError
from extractor.storage.files.atomic import move, storage_errors

# Pages that are copied between two calls of `on_progress`: 8 MB with SQLite's default page size.
PAGES_PER_STEP = 2048


def snapshot(source: Path, target: Path, *, on_progress: Callable[[int, int], object] = lambda _done, _total: None) -> None:
    """Writes a copy of the database to `target`, checked and synced to disk, or nothing at all.

    Writers of `source` do not wait; the copy does not include what they commit meanwhile.

    Args:
        on_progress: Called with the number of copied pages and of all pages.
    Raises:
        StorageError: `target` exists or its folder does not, the disk is full, or `source` cannot be read or is damaged.
    """
    hidden = target.with_name(f".{target.name}.tmp")
    with storage_errors(target):
        try:
            hidden.unlink(missing_ok=True)  # left by a crash
            _copy(source, hidden, on_progress)
            with hidden.open("rb+") as file:
                os.fsync(file.fileno())
            move(hidden, target)
        except sqlite3.DatabaseError as error:
            advice = "Nothing was changed. Check the disk's space, and the database with: sqlite3 FILE 'PRAGMA integrity_check'"
            raise StorageError(f"{source} cannot be copied to {target} ({error}). {advice}") from error
        finally:
            hidden.unlink(missing_ok=True)


def _copy(source: Path, target: Path, on_progress: Callable[[int, int], object]) -> None:
    # mode=rw: a missing database is an error and is not created.
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as reader:
        # The open transaction keeps one snapshot: without it, each commit of another process restarts the copy.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is synced once, at the end
            reader.backup(copy, pages=PAGES_PER_STEP, progress=lambda _status, remaining, total: on_progress(total - remaining, total))
            copy.execute("PRAGMA journal_mode = DELETE")  # a single file, which can be opened on read-only volumes
            found = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise sqlite3.DatabaseError(f"it is damaged: {found[0]}")
