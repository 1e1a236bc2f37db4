"""Loads a receipt file: opens it safely, detects its format, checks that it is complete, and decodes its pages.

`load_pages` and `check_complete` are the only two ways in. Both run the same code: formats.detect_format, formats.find_truncation, then
the decoder in images.py or pdf.py.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image

from extractor.documents.formats import HEAD_BYTES, FileFormat, detect_format, find_truncation
from extractor.documents.pages import Page, PageLimits
from extractor.errors import ReaderUnavailable, TooLarge, Unreadable, UnsupportedFormat

CHECK_SIDE_PX = 500  # JPEG and PDF decode several times faster at this size, and are still decoded to the end
MAX_NAME = 100
FILE_TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link to another file",
}
# The process or the machine has run out of something; the file is not at fault.
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def load_pages(path: Path, limits: PageLimits) -> tuple[Page, ...]:
    """Decode every page of a receipt file, upright and no larger than the limits allow.

    Returns:
        Pages in print order, at least one.
    Raises:
        Unreadable: Empty, truncated, damaged or of unknown format; also a link, folder, pipe or device. A file that is still being
            copied fails in this way, too, until it is complete.
        UnsupportedFormat: A format that holds no pages, whatever the file's suffix says. Waiting does not help.
        Encrypted: A PDF that needs a password.
        TooLarge: More bytes, pages or pixels than `limits`; raised before the pixels are decoded.
        ReaderUnavailable: This process has no file descriptors or memory left.
    """
    return tuple(_decode_pages(path, limits))


def check_complete(path: Path, limits: PageLimits) -> None:
    """Raise the error that `load_pages` would raise. Faster, and holds only one small page at a time."""
    deque(_decode_pages(path, replace(limits, max_side_px=CHECK_SIDE_PX)), maxlen=0)


def display_name(path: Path) -> str:
    """Return a file's name as one short line that is safe to print: no control characters, no lone surrogates, at most 100 characters."""
    name = "".join(character if character.isprintable() else "?" for character in path.name or str(path))
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 20]}…{name[-19:]}"


def _decode_pages(path: Path, limits: PageLimits) -> Iterator[Page]:
    name = display_name(path)
    data = _read_bytes(path, limits)
    file_format = detect_format(data)
    if file_format.is_readable and (missing := find_truncation(file_format, data)):
        raise Unreadable(f"{name} is cut off: {missing}. Copy the whole file again.")
    for number, image in enumerate(_decode(name, file_format, data, limits)):
        yield Page(image, number)


def _decode(name: str, file_format: FileFormat, data: bytes, limits: PageLimits) -> Iterator[Image.Image]:
    match file_format.decoder:
        case "pdf":
            from extractor.documents import pdf  # noqa: PLC0415 -- most files need only one decoder, and most importers need none

            return pdf.pages(name, data, limits)
        case "pillow" | "heif":
            from extractor.documents import images  # noqa: PLC0415 -- as above

            return images.pages(name, file_format, data, limits)
        case _:
            _raise_if_unsupported(name, file_format)
            raise Unreadable(f"{name} is {file_format.label}, not an image or PDF. Drop a photo, a scan or a PDF of the receipt.")


def _read_bytes(path: Path, limits: PageLimits) -> bytes:
    """Read a regular file whole, without waiting on pipes and without following links; see `load_pages` for errors."""
    name = display_name(path)
    # O_NONBLOCK: opening a named pipe would wait for a writer forever. O_NOFOLLOW: a link could point outside the inbox.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise Unreadable(f"{name} is {FILE_TYPES.get(stat.S_IFMT(mode), 'not a regular file')}. Drop the file itself.")
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 -- pathlib cannot open a descriptor
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{name} is not a regular file any more. Drop the file itself.")
            is_too_large = status.st_size > limits.max_bytes
            data = file.read(HEAD_BYTES if is_too_large else limits.max_bytes + 1)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        if getattr(exc, "errno", None) in SHORTAGES:
            raise ReaderUnavailable(f"{name} cannot be opened now: {_reason(exc)}. It is tried again.") from exc
        raise Unreadable(f"{name} cannot be opened: {_reason(exc)}.") from exc
    if is_too_large or len(data) > limits.max_bytes:
        _raise_if_unsupported(name, detect_format(data))  # making a video smaller would not help
        size = max(status.st_size, len(data))
        raise TooLarge(f"{name} has {size:,} bytes; the limit is {limits.max_bytes:,}. Make it smaller, or raise limits.max_bytes.")
    if not data:
        raise Unreadable(f"{name} is empty (0 bytes). Copy the whole file again.")
    return data


def _raise_if_unsupported(name: str, file_format: FileFormat) -> None:
    if file_format.is_unsupported:
        raise UnsupportedFormat(f"{name} is {file_format.label}, not an image or PDF. {file_format.what_to_do}")


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
