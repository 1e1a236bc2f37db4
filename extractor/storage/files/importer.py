"""A file is copied into the inbox: it appears there whole or not at all, and replaces nothing."""

import itertools
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from extractor.errors import InputError, StorageError
from extractor.storage.files.atomic import copy_hashed, storage_errors, sync_folder

MAX_NAME_BYTES = 255
"""Longest file name that ext4, XFS, APFS and NTFS take; room for the number is cut from the stem."""


def drop_file(path: Path, inbox_dir: Path, *, is_ignored: Callable[[Path], bool]) -> Path:
    """Where the copy lies. A name that is taken in the inbox gets a number: `lunch.jpg`, `lunch-2.jpg`.

    The bytes are written under a name that the inbox ignores, brought to disk, and then appear under their own name in one step.

    Args:
        is_ignored: Whether the inbox leaves such a name alone; a file that nobody would take is refused.
    Raises:
        InputError: `path` is not there, is not a regular file, may not be read, or has a name that is ignored.
        StorageError: The inbox is not there, cannot be written, or its disk is full.
    """
    try:
        if not path.is_file():
            fact = "is a folder. Name its files" if path.is_dir() else "is not there or is not a file. Check the path"
            raise InputError(f"{path} {fact}.")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its name and its rights.") from error
    if is_ignored(Path(path.name)):
        raise InputError(f"{path} has a name that the inbox leaves alone, as it does hidden and unfinished files. Rename it.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read. Give this user the right to read it.")
    if not inbox_dir.is_dir():
        raise StorageError(f"{inbox_dir} is not there. Make it with: receipts init")
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
            # FAT and some network shares have no links: take the name first, so that nothing is replaced, then fill it.
            try:
                target.touch(exist_ok=False)
            except FileExistsError:
                continue
            hidden.replace(target)
        sync_folder(inbox_dir)
        return target
    raise AssertionError("counting never ends")


def _numbered(name: str, number: int) -> str:
    """The name with its number before the suffix, no longer than a name may be."""
    path = Path(name)
    tail = (f"-{number}" if number > 1 else "") + path.suffix
    stem = path.stem
    while len(os.fsencode(stem + tail)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem + tail
