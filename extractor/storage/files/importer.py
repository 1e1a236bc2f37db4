"""Copies files into the inbox: each appears there whole or not at all, and replaces nothing."""

import itertools
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from extractor.errors import InputError, StorageError
from extractor.storage.files.atomic import copy_hashed, storage_errors, sync_folder

# Longest file name on ext4, XFS, APFS and NTFS. The stem is cut to make room for a number.
MAX_NAME_BYTES = 255


def drop_file(path: Path, inbox_dir: Path, *, is_ignored: Callable[[Path], bool]) -> Path:
    """Copies a file into the inbox and returns the copy's path. If the name is taken, it gets a number: `lunch-2.jpg`.

    The copy is written under a name that the inbox ignores, synced to disk, and then renamed.

    Args:
        is_ignored: Whether the inbox ignores a name; such a file is rejected.
    Raises:
        InputError: `path` does not exist, is not a regular file, cannot be read, or has a name that is ignored.
        StorageError: The inbox does not exist or cannot be written, or its disk is full.
    """
    try:
        if not path.is_file():
            fact = "is a folder. Name its files" if path.is_dir() else "does not exist or is not a file. Check the path"
            raise InputError(f"{path} {fact}.")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its name and its permissions.") from error
    if is_ignored(Path(path.name)):
        raise InputError(f"{path} has a name that the inbox ignores, like hidden and unfinished files. Rename it.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read. Give this user permission to read it.")
    if not inbox_dir.is_dir():
        raise StorageError(f"{inbox_dir} does not exist. Make it with: receipts init")
    hidden = inbox_dir / f".{uuid.uuid4().hex}.part"
    try:
        with storage_errors(inbox_dir):
            copy_hashed(path.resolve(), hidden)
            return _appear(hidden, inbox_dir, path.name)
    finally:
        hidden.unlink(missing_ok=True)


def _appear(hidden: Path, inbox_dir: Path, name: str) -> Path:
    for number in itertools.count(1):
        target = inbox_dir / _numbered(name, number)
        try:
            os.link(hidden, target)
        except FileExistsError:
            continue
        except OSError:
            # FAT and some network shares have no links: claim the name first, so that nothing is replaced.
            try:
                target.touch(exist_ok=False)
            except FileExistsError:
                continue
            hidden.replace(target)
        sync_folder(inbox_dir)
        return target
    raise AssertionError("counting never ends")


def _numbered(name: str, number: int) -> str:
    """The name with its number before the suffix, cut to the longest possible name."""
    path = Path(name)
    tail = (f"-{number}" if number > 1 else "") + path.suffix
    stem = path.stem
    while len(os.fsencode(stem + tail)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem + tail
