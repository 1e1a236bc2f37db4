"""Writes and restores backups. A backup is one tar file, which appears complete and checked or not at all.

receipts.db       a consistent copy of the database
outbox/...        all originals and JSON files, if requested
manifest.jsonl    path, SHA-256 and size of each file, also if the files themselves are not in the backup
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
JOBS_PER_QUERY = 500

# Called with the name of the current step, the amount that is done, and the total.
OnProgress = Callable[[str, int, int], object]


def _ignore(_step: str, _done: int, _total: int) -> None:
    """Default of `on_progress`."""


class ManifestEntry(NamedTuple):
    """One line of the manifest."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Report:
    """Result of a backup or a restoration.

    Attributes:
        files: Number of files of the outbox that are listed, or were restored.
        problems: A sentence for each file that is missing or has changed; all others were processed.
    """

    files: int
    problems: tuple[str, ...]


def back_up(database: Path, outbox: Outbox, target: Path, *, with_files: bool = False, on_progress: OnProgress = _ignore) -> Report:
    """Writes a backup to `target`. A service may work meanwhile.

    Raises:
        InputError: `target` exists, or its folder does not.
        StorageError: The disk is full, the outbox is not available, or the database cannot be read or is damaged. `target` is not
            created.
    """
    if os.path.lexists(target):
        raise InputError(f"{printable(target)} exists already. Name another file, or move it away.")
    if not target.parent.is_dir():
        raise InputError(f"The folder {printable(target.parent)} does not exist. Make it, or name a file in another folder.")
    outbox.require_available()
    hidden, copy = (target.with_name(f".{target.name}{end}") for end in (".tmp", ".db"))
    try:
        with storage_errors(target):
            copy.unlink(missing_ok=True)  # left by a crash
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


def restore(backup: Path, database: Path, outbox: Outbox, *, on_progress: OnProgress = _ignore) -> Report:
    """Restores the database, and the files of the outbox that are in the backup and missing.

    Replaces nothing: an existing file that differs from the backup is kept and reported.

    Raises:
        ConfigError: The database exists.
        InputError: `backup` is not a backup or is damaged; nothing was changed.
        StorageError: The disk is full, or a folder cannot be written. The restoration can be repeated.
    """
    for path in (database, database.with_name(database.name + "-wal"), database.with_name(database.name + "-shm")):
        if os.path.lexists(path):
            raise ConfigError(f"{path} exists. Stop the service and move that file away first; nothing is replaced.")
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
                    problems.append(f"{printable(target)} differs from the backup and was not replaced.")
                on_progress("putting files back", member.offset, backup.stat().st_size)
        if saved_database:
            _put_back(tar, saved_database, database)  # last, so that an interrupted restoration can be repeated
    return Report(files, tuple(problems))


def _write(hidden: Path, copy: Path, outbox: Outbox, *, with_files: bool, on_progress: OnProgress) -> Report:
    """Writes the tar file."""
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
                    problems.append(f"{printable(outbox.root / filed.place)} has other content than was filed.")
            on_progress("listing the files", number, total)
        member = tarfile.TarInfo(MANIFEST)
        member.size = lines.tell()
        lines.seek(0)
        tar.addfile(member, lines)
    return Report(listed, tuple(problems))


def _closed_jobs(copy: Path) -> Iterator[tuple[int, int, Job, int]]:
    """Yields each job whose files are in the outbox, with its number, the number of all jobs, and the number of its records."""
    database = Database(copy)  # the one in the tar file is not affected
    try:
        jobs, receipts, number, after = JobQueries(database), ReceiptRepository(database), 0, ("", 0)
        total = sum(jobs.counts().values())
        while some := jobs.by_place(after=after, limit=JOBS_PER_QUERY):
            records = receipts.counts_by_file([job.sha256 or "" for job in some])
            for job in some:
                number += 1
                if job.filed_at is not None:
                    yield number, total, job, max(1, records.get(job.sha256 or "", 0))
            after = (some[-1].filed_as or "", some[-1].id)
    finally:
        database.close()


def _entry(path: Path, filed: Filed, tar: tarfile.TarFile | None) -> ManifestEntry:
    """The file's line in the manifest. An original that is not in the backup is listed with the SHA-256 that it was filed with."""
    name = OUTBOX + filed.place
    if tar is not None:
        return _add(tar, name, path)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        return ManifestEntry(name, filed.sha256 or hashlib.file_digest(file, "sha256").hexdigest(), size)


def _add(tar: tarfile.TarFile, name: str, path: Path) -> ManifestEntry:
    """Adds the file to the tar file and returns its line in the manifest."""
    with open_regular(path) as file:
        status, reader = os.fstat(file.fileno()), _Hashing(file)
        member = tarfile.TarInfo(name)
        member.size, member.mtime = status.st_size, int(status.st_mtime)
        tar.addfile(member, reader)
        tar.members = []  # type: ignore[attr-defined]  # tarfile would keep all members in memory
    return ManifestEntry(name, reader.sha256.hexdigest(), status.st_size)


class _Hashing:
    """A file that is hashed while it is read."""

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
    """Compares the whole backup with its manifest.

    Raises:
        InputError: It is not a backup, or has changed.
    """
    try:
        size = backup.stat().st_size
        with tarfile.open(backup, "r:") as headers, tarfile.open(backup, "r:") as tar:
            listed = _manifest(headers)
            for member in _members(tar):
                if member.name == MANIFEST:
                    return
                entry = next((entry for entry in listed if entry.path == member.name), None)  # in the same order as the members
                if entry is None or _sha256(tar, member) != entry.sha256:
                    raise InputError(f"{printable(backup)} is damaged: {member.name} has changed. Use another backup.")
                on_progress("checking the backup", member.offset, size)
    except FileNotFoundError as error:
        raise InputError(f"{printable(backup)} does not exist. Check the path.") from error
    except (tarfile.TarError, TypeError, ValueError, EOFError) as error:
        raise InputError(f"{printable(backup)} is not a backup, or is incomplete ({error}). Use another one.") from error
    raise InputError(f"{printable(backup)} is not a backup, or is incomplete: it has no {MANIFEST}. Use another one.")


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yields the members of the tar file without keeping them in memory."""
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # tarfile would keep all members in memory
        yield member


def _manifest(tar: tarfile.TarFile) -> Iterator[ManifestEntry]:
    """The lines of the manifest, the database first."""
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
        raise ValueError(f"{member.name} is not a file")
    return file


def _safe(name: str) -> PurePosixPath:
    """The path of a member, relative to the outbox.

    Raises:
        InputError: It leads out of the outbox.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
        raise InputError(f"The backup names a file outside the outbox ({name}). Use another backup.")
    return path


def _put_back(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Extracts a member, whole or not at all."""
    make_folder(target.parent)
    hidden = target.with_name(f".{target.name}.tmp")
    file = _content(tar, member)
    with hidden.open("wb") as writer:
        while chunk := file.read(CHUNK_BYTES):
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    move(hidden, target)
