"""A path becomes the bytes of a regular file, without waiting on pipes and without following links."""

import errno
import os
import stat
from pathlib import Path

from extractor.documents.pages import PageLimits
from extractor.errors import TooLarge, Unreadable

MAX_NAME = 100
SPECIAL = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link to another file",
}


def display_name(path: Path) -> str:
    """A file's name as one short line that is safe to print: no control characters, no lone surrogates, at most 100 characters."""
    name = "".join(character if character.isprintable() else "?" for character in path.name or str(path))
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 20]}…{name[-19:]}"


def read_bytes(path: Path, limits: PageLimits) -> bytes:
    """All bytes of a regular file.

    Raises:
        Unreadable: Missing, empty, not permitted, or not a regular file.
        TooLarge: More than `limits.max_bytes`; nothing is read then.
    """
    name = display_name(path)
    # Not blocking: opening a named pipe would wait for a writer forever. Not following: a link could lead out of the inbox.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise Unreadable(f"{name} is {SPECIAL.get(stat.S_IFMT(mode), 'not a regular file')}. Drop the file itself.")
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 -- pathlib cannot open a descriptor
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{name} is not a regular file any more. Drop the file itself.")
            _check_size(name, status.st_size, limits)
            data = file.read(limits.max_bytes + 1)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        raise Unreadable(f"{name} cannot be opened: {_reason(exc)}.") from exc
    _check_size(name, len(data), limits)
    if not data:
        raise Unreadable(f"{name} is empty (0 bytes). Copy the whole file again.")
    return data


def _check_size(name: str, size_bytes: int, limits: PageLimits) -> None:
    if size_bytes > limits.max_bytes:
        raise TooLarge(f"{name} has {size_bytes:,} bytes; the limit is {limits.max_bytes:,}. Make it smaller, or raise limits.max_bytes.")


def _reason(exc: OSError | ValueError) -> str:
    match getattr(exc, "errno", None):
        case errno.ENOENT | errno.ENOTDIR:
            return "it is not there (any more)"
        case errno.EACCES | errno.EPERM:
            return "reading it is not permitted; give this user the right to read it"
        case errno.ELOOP:
            return "it is a link to another file; drop the file itself"
        case _:
            return str(getattr(exc, "strerror", None) or exc)
