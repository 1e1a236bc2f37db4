"""Hashing, copying and moving files such that a crash leaves either the old state or the new one."""

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

_ADVICE = {
    errno.ENOSPC: "Free some space; the file is safe and will be retried.",
    errno.EDQUOT: "Free some space; the file is safe and will be retried.",
    errno.EROFS: "Make the folder writable; the file is safe and will be retried.",
    errno.EACCES: "Give this user permission to write there; the file is safe and will be retried.",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Converts an OSError raised in the block to a StorageError that names the path and says what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "The file is safe and will be retried.")
        raise StorageError(f"{printable(path)}: {error.strerror or error}. {advice}") from error


def open_regular(path: Path) -> BufferedReader:
    """Opens a file for reading. Never follows a symbolic link and never blocks on a FIFO.

    Raises:
        FileNotFoundError: No regular file has this name: there is nothing, or a link, folder, FIFO or device.
        OSError: The file cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not is_regular(path):
        raise FileNotFoundError(errno.ENOENT, "no regular file has this name", os.fspath(path))
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # replaced since the check above
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "no regular file has this name", os.fspath(path))
    return os.fdopen(descriptor, "rb")


def is_regular(path: Path) -> bool:
    """Whether a regular file, not a symbolic link to one, has this name."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def leads_away(root: Path, relative: Path) -> bool:
    """Whether a folder between `root` and the file is a symbolic link, so that the path names a file somewhere else."""
    return any((root / folder).is_symlink() for folder in relative.parents[:-1])


def mount_of(path: Path) -> Path:
    """Mount point of the volume that contains, or would contain, the path."""
    return next(folder for folder in (path, *path.parents) if os.path.ismount(folder) or folder == folder.parent)


def digest(path: Path) -> str:
    """SHA-256 of a regular file's content, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def holds(path: Path, sha256: str) -> bool:
    """Whether the path is a regular file with this SHA-256.

    Raises:
        OSError: The file exists but cannot be read.
    """
    try:
        return digest(path) == sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both names belong to one file; False if either does not exist."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def copy_hashed(source: Path, target: Path) -> str:
    """Copies `source` to `target`, replacing it and syncing it to disk, and returns the SHA-256 of the copied bytes."""
    sha256 = hashlib.sha256()
    with open_regular(source) as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            sha256.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return sha256.hexdigest()


def hidden_name(path: Path) -> Path:
    """Temporary name, in the same folder, of a file that is being written."""
    return path.with_name(f".{path.name}.tmp")


def write_whole(path: Path, data: bytes) -> None:
    """Writes `data` to `path` atomically and syncs it to disk."""
    hidden = hidden_name(path)
    with hidden.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    hidden.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Creates a folder and its parents and syncs their names to disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def move(source: Path, target: Path) -> None:
    """Moves a file, also to another volume, and syncs the change to disk. Never overwrites anything.

    A crash may leave the file under both names. Between volumes, the file is copied, synced and compared before the source is removed.

    Raises:
        FileExistsError: `target` exists.
    """
    if os.path.lexists(target):  # also before the copy to another volume, which may be large
        raise _exists(target)
    try:
        rename_to_free(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        hidden = hidden_name(target)
        hidden.unlink(missing_ok=True)  # after a crash, it may be a second name of a file that is complete
        if copy_hashed(source, hidden) != digest(source):
            raise OSError(errno.EAGAIN, "changes while it is copied", os.fspath(source)) from error
        rename_to_free(hidden, target)
        source.unlink()
        sync_folder(source.parent)


def rename_to_free(source: Path, target: Path) -> None:
    """Renames a file within its volume and syncs the change to disk. Never overwrites anything.

    A crash may leave the file under both names.

    Raises:
        FileExistsError: `target` exists.
        OSError: With `errno.EXDEV`, `target` is on another volume.
    """
    has_both_names = link_or_rename(source, target)
    sync_folder(target.parent)  # before the old name is removed: a power cut must not lose both
    if has_both_names:
        source.unlink()
    sync_folder(source.parent)


def link_or_rename(source: Path, target: Path) -> bool:
    """Gives a file the name `target`, and returns whether it keeps its old name as well. Never overwrites anything.

    A hard link cannot replace a file that appears at the same moment. Volumes without hard links (FAT, some network shares) need a
    rename, which can, so `target` is checked just before.

    Raises:
        FileExistsError: `target` exists.
        OSError: With `errno.EXDEV`, `target` is on another volume.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError) as error:
        if os.path.lexists(target):
            raise _exists(target) from error
        source.rename(target)
        return False
    return True


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "already exists", os.fspath(path))


def sync_folder(folder: Path) -> None:
    """Syncs the names in a folder to disk, if the system supports that."""
    if os.name == "nt":  # Windows cannot open folders; NTFS journals names
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EBADF}:  # some network shares cannot sync folders
            raise
    finally:
        os.close(descriptor)
