"""A backup is one tar file, written whole and checked or not at all, from which everything filed can be put back.

receipts.db       the database as it was at one moment; a SQLite file like any other
outbox/...        every original and every JSON file, where that was asked for
manifest.jsonl    path, SHA-256 and size of each of them, also where the files themselves are not in the backup
"""

import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from extractor.errors import ConfigError, InputError
from extractor.jobs import Job
from extractor.runtime.filenames import printable
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queries import JobQueries
from extractor.storage.database.receipts import ReceiptRepository
from extractor.storage.database.snapshot import snapshot
from extractor.storage.files.atomic import CHUNK_BYTES, holds, make_folder, move, open_regular, storage_errors
from extractor.storage.files.naming import Filed
from extractor.storage.files.outbox import Outbox

DATABASE, OUTBOX, MANIFEST = "receipts.db", "outbox/", "manifest.jsonl"
JOBS_AT_ONCE = 500

OnProgress = Callable[[str, int, int], object]
"""Called with what is being done, how much of it is done, and how much there is."""


def _silent(_what: str, _done: int, _total: int) -> None:
    """Tells nobody."""


class ManifestEntry(NamedTuple):
    """One line of the manifest."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Report:
    """What a backup or a restoration came to.

    Attributes:
        files: Files of the outbox that are listed, or were put back.
        problems: Files that are not as they should be, and how; everything else was done.
    """

    files: int
    problems: tuple[str, ...]


def back_up(database: Path, outbox: Outbox, target: Path, *, with_files: bool = False, on_progress: OnProgress = _silent) -> Report:
    """What `target` lists now. A service may go on working meanwhile.

    Raises:
        InputError: Something lies at `target`.
        StorageError: The disk is full, the outbox is away, or the database cannot be read or is damaged. Nothing is left at `target`.
    """
    if os.path.lexists(target):
        raise InputError(f"{printable(target)} is there already. Name another file, or move it away.")
    outbox.require_available()
    hidden, copy = (target.with_name(f".{target.name}{end}") for end in (".tmp", ".db"))
    try:
        with storage_errors(target):
            copy.unlink(missing_ok=True)  # what a crash has left
            snapshot(database, copy, on_progress=lambda done, total: on_progress("copying the database", done, total))
            report = _write(hidden, copy, outbox, with_files=with_files, on_progress=on_progress)
            _check(hidden, on_progress)
            with hidden.open("rb+") as file:
                os.fsync(file.fileno())
            move(hidden, target)
    finally:
        for path in (hidden, *(copy.with_name(copy.name + end) for end in ("", "-wal", "-shm"))):
            path.unlink(missing_ok=True)
    return report


def restore(backup: Path, database: Path, outbox: Outbox, *, on_progress: OnProgress = _silent) -> Report:
    """What was put back: the database, and those files of the outbox that are in the backup and not in their places.

    Nothing is replaced: a file of the outbox that is there and differs from the backup is left and told of.

    Raises:
        ConfigError: There is a database already.
        InputError: `backup` is no backup, or damaged; nothing was changed.
        StorageError: The disk is full, or a folder cannot be written. It may be run again.
    """
    for path in (database, database.with_name(database.name + "-wal"), database.with_name(database.name + "-shm")):
        if os.path.lexists(path):
            raise ConfigError(f"{path} is there. Stop the service, and move that file away first; nothing is replaced.")
    _check(backup, on_progress)
    problems, files = [], 0
    with storage_errors(database), tarfile.open(backup, "r:") as tar:
        make_folder(database.parent)
        saved_database = None
        for member in _members(tar):
            if member.name == DATABASE:
                saved_database = member
            elif member.name.startswith(OUTBOX):
                target = outbox.root / _safe(member.name.removeprefix(OUTBOX))
                if not os.path.lexists(target):
                    _put_back(tar, member, target)
                    files += 1
                elif not holds(target, _sha256(tar, member)):
                    problems.append(f"{printable(target)} differs from the backup and was left as it is.")
                on_progress("putting files back", member.offset, backup.stat().st_size)
        if saved_database:
            _put_back(tar, saved_database, database)  # last: a restoration that was cut off can be run again
    return Report(files, tuple(problems))


def _write(hidden: Path, copy: Path, outbox: Outbox, *, with_files: bool, on_progress: OnProgress) -> Report:
    """Writes the tar file; gives what it lists."""
    problems: list[str] = []
    with tarfile.open(hidden, "w", format=tarfile.PAX_FORMAT) as tar, tempfile.TemporaryFile(dir=hidden.parent) as lines:
        _list(lines, _add(tar, DATABASE, copy))
        listed = 0
        for number, total, job, records in _closed_jobs(copy):
            for filed in outbox.layout.files_of(job, records):
                try:
                    entry = _entry(outbox.root / filed.place, filed, tar if with_files else None)
                except OSError as error:
                    if not filed.may_be_gone:
                        problems.append(f"{printable(outbox.root / filed.place)} cannot be read ({error.strerror or error}).")
                    continue
                _list(lines, entry)
                listed += 1
                if filed.sha256 and (entry.sha256, entry.size_bytes) != (filed.sha256, job.size_bytes):
                    problems.append(f"{printable(outbox.root / filed.place)} has other bytes than were filed.")
            on_progress("listing the files", number, total)
        member = tarfile.TarInfo(MANIFEST)
        member.size = lines.tell()
        lines.seek(0)
        tar.addfile(member, lines)
    return Report(listed, tuple(problems))


def _closed_jobs(copy: Path) -> Iterator[tuple[int, int, Job, int]]:
    """Every job of the copied database whose files are in the outbox: its number, how many there may be, and how many records it has."""
    database = Database(copy)  # the one in the tar file is not touched by this
    try:
        jobs, receipts, number, after = JobQueries(database), ReceiptRepository(database), 0, ("", 0)
        total = sum(jobs.counts().values())
        while some := jobs.by_place(after=after, limit=JOBS_AT_ONCE):
            records = receipts.counts_by_file([job.sha256 or "" for job in some])
            for job in some:
                number += 1
                if job.filed_at is not None:
                    yield number, total, job, max(1, records.get(job.sha256 or "", 0))
            after = (some[-1].filed_as or "", some[-1].id)
    finally:
        database.close()


def _entry(path: Path, filed: Filed, tar: tarfile.TarFile | None) -> ManifestEntry:
    """The file's line in the manifest. An original that is not in the backup is listed with the hash that it was filed with."""
    name = OUTBOX + filed.place
    if tar is not None:
        return _add(tar, name, path)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        return ManifestEntry(name, filed.sha256 or hashlib.file_digest(file, "sha256").hexdigest(), size)


def _add(tar: tarfile.TarFile, name: str, path: Path) -> ManifestEntry:
    """The manifest's line of a file that is in the tar file now."""
    with open_regular(path) as file:
        status, reader = os.fstat(file.fileno()), _Hashing(file)
        member = tarfile.TarInfo(name)
        member.size, member.mtime = status.st_size, int(status.st_mtime)
        tar.addfile(member, reader)
        tar.members = []  # type: ignore[attr-defined]  # it would remember each of a hundred thousand
    return ManifestEntry(name, reader.sha256.hexdigest(), status.st_size)


class _Hashing:
    """A file whose bytes are hashed while they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.sha256 = hashlib.sha256()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def _list(lines: IO[bytes], entry: ManifestEntry) -> None:
    lines.write(json.dumps(entry._asdict(), ensure_ascii=False).encode() + b"\n")


def _check(backup: Path, on_progress: OnProgress) -> None:
    """Reads the whole backup and compares it with its manifest.

    Raises:
        InputError: It is no backup, or not what was written.
    """
    try:
        size = backup.stat().st_size
        with tarfile.open(backup, "r:") as headers, tarfile.open(backup, "r:") as tar:
            listed = _manifest(headers)
            for member in _members(tar):
                if member.name == MANIFEST:
                    return
                entry = next((entry for entry in listed if entry.path == member.name), None)  # the same order as in the file
                if entry is None or _sha256(tar, member) != entry.sha256:
                    raise InputError(f"{printable(backup)} is damaged: {member.name} is not what was written. Take another backup.")
                on_progress("checking the backup", member.offset, size)
    except FileNotFoundError as error:
        raise InputError(f"{printable(backup)} is not there. Check the path.") from error
    except (tarfile.TarError, TypeError, ValueError, EOFError) as error:
        raise InputError(f"{printable(backup)} is no backup, or it is cut off ({error}). Take another one.") from error
    raise InputError(f"{printable(backup)} is no backup, or it is cut off: it has no {MANIFEST}. Take another one.")


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Everything in the tar file, one after the other; nothing is remembered."""
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # it would remember all of them
        yield member


def _manifest(tar: tarfile.TarFile) -> Iterator[ManifestEntry]:
    """Its lines, which begin with the database."""
    for member in _members(tar):
        if member.name == MANIFEST:
            for line in tar.extractfile(member) or ():
                values: dict[str, Any] = json.loads(line)
                yield ManifestEntry(**values)


def _sha256(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    sha256, file = hashlib.sha256(), _content(tar, member)
    while chunk := file.read(CHUNK_BYTES):
        sha256.update(chunk)
    return sha256.hexdigest()


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        raise ValueError(f"{member.name} is no file")
    return file


def _safe(name: str) -> PurePosixPath:
    """A path below the outbox.

    Raises:
        InputError: It leads out of it: no backup of ours.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
        raise InputError(f"The backup names a file outside the outbox ({name}). Take another backup.")
    return path


def _put_back(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Puts the file in its place, whole or not at all."""
    make_folder(target.parent)
    hidden = target.with_name(f".{target.name}.tmp")
    file = _content(tar, member)
    with hidden.open("wb") as writer:
        while chunk := file.read(CHUNK_BYTES):
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    move(hidden, target)
