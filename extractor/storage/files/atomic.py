"""Bytes on disk: hashed, copied and moved so that a crash leaves the old state or the new one, never half of one."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from extractor.errors import StorageError
from extractor.runtime.filenames import printable

CHUNK_BYTES = 1 << 20


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Operating system errors inside come out as StorageError, naming the path and the way out."""
    try:
        yield
    except OSError as error:
        way_out = {
            errno.ENOSPC: "Free some space; the file is safe and is tried again.",
            errno.EDQUOT: "Free some space; the file is safe and is tried again.",
            errno.EROFS: "Make the folder writable; the file is safe and is tried again.",
            errno.EACCES: "Give this user the right to write there; the file is safe and is tried again.",
        }.get(error.errno or 0, "The file is safe and is tried again.")
        raise StorageError(f"{printable(path)}: {error.strerror or error}. {way_out}") from error


def open_regular(path: Path) -> BufferedReader:
    """The file, open for reading. Never follows a link and never waits for a FIFO.

    Raises:
        FileNotFoundError: No regular file has this name: nothing, or a link, folder, FIFO or device.
        OSError: It may not be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not is_regular(path):
        raise FileNotFoundError(errno.ENOENT, "no regular file has this name", os.fspath(path))
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # replaced since the first look
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "no regular file has this name", os.fspath(path))
    return os.fdopen(descriptor, "rb")


def is_regular(path: Path) -> bool:
    """Whether a regular file, not a link to one, has this name."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def leads_away(root: Path, relative: Path) -> bool:
    """Whether a folder between `root` and the file is a link by now: the file then is another one, somewhere else."""
    return any((root / folder).is_symlink() for folder in relative.parents[:-1])


def mount_of(path: Path) -> Path:
    """Where the volume is mounted that the path lies on, or would lie on."""
    return next(folder for folder in (path, *path.parents) if os.path.ismount(folder) or folder == folder.parent)


def digest(path: Path) -> str:
    """SHA-256 of a regular file's bytes, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def holds(path: Path, sha256: str) -> bool:
    """Whether a regular file with exactly these bytes lies there.

    Raises:
        OSError: Something lies there, but cannot be read now.
    """
    try:
        return digest(path) == sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both names are of one file; False where one of them is not there."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def copy_hashed(source: Path, target: Path) -> str:
    """SHA-256 of the bytes that were copied to `target`, which are on disk when this returns. Replaces `target`."""
    sha256 = hashlib.sha256()
    with open_regular(source) as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            sha256.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return sha256.hexdigest()


def hidden_name(path: Path) -> Path:
    """What a file is called beside its place until it is whole."""
    return path.with_name(f".{path.name}.tmp")


def write_whole(path: Path, data: bytes) -> None:
    """Makes `path` hold `data`: it appears whole or not at all, and is on disk when this returns."""
    hidden = hidden_name(path)
    with hidden.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    hidden.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it; their names are on disk when this returns."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def move(source: Path, target: Path) -> None:
    """Moves a file, also to another volume: there it is copied, brought to disk and compared before the source is removed.

    Raises:
        FileExistsError: Something has the target's name; nothing is overwritten.
    """
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "already there", os.fspath(target))
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        hidden = hidden_name(target)
        if copy_hashed(source, hidden) != digest(source):
            raise OSError(errno.EAGAIN, "changes while it is copied", os.fspath(source)) from error
        hidden.rename(target)
        sync_folder(target.parent)
        source.unlink()
        sync_folder(source.parent)
    else:
        sync_folder(target.parent)


def rename_to_free(source: Path, target: Path) -> None:
    """Gives a file another name on its volume; nothing is overwritten, not even what comes in the same moment.

    A crash, or an error at the last moment, may leave both names: whether the old one is gone then is not sure on every share.

    Raises:
        FileExistsError: Something has the target's name.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError) as error:  # FAT and some network shares have no links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "already there", os.fspath(target)) from error
        source.rename(target)
    else:
        source.unlink()


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to disk, where the system can do so."""
    if os.name == "nt":  # Windows cannot open folders; NTFS journals names itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EBADF}:  # some network shares have no such thing for folders
            raise
    finally:
        os.close(descriptor)
