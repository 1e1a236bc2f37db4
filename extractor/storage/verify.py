"""Compares the database with the outbox, both ways: every record has its files as they were filed, and every file is known.

A service may work meanwhile: each discrepancy is checked a second time, and files of open jobs are skipped. Memory holds the names of one
folder at a time.
"""

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from extractor.errors import StorageError
from extractor.jobs import Job, JobState, part_id
from extractor.runtime.filenames import printable
from extractor.storage.archive import Archive
from extractor.storage.files.atomic import digest, is_regular
from extractor.storage.files.intake import HIDDEN_PREFIX
from extractor.storage.files.naming import Filed
from extractor.storage.files.outbox import WORK

JOBS_PER_QUERY = 200

# Pause before a discrepancy is checked again: a service has finished filing that file by then.
PAUSE_SECONDS = 0.2

# A copy into the inbox that has not grown for this long was interrupted.
STALE_SECONDS = 3600.0

FILES_OF_THE_SYSTEM = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})

# End of the name, without `json`, of the JSON of a second or later receipt in a file.
_RECEIPT_NUMBER = re.compile(r"-\d+\.$")

_PART, _TEMPORARY = ".part", ".tmp"

_RETRY_FAILED = "It only said why the file failed; `receipts list --files` says the same. To try again: receipts retry {}"


class What(StrEnum):
    """Kinds of discrepancies."""

    MISSING = "missing"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    LEFTOVER = "leftover"
    NO_RECORD = "no_record"
    NO_FILE = "no_file"


@dataclass(frozen=True)
class Discrepancy:
    """A file that differs from what the database says.

    Attributes:
        path: The file, or the database for a record without a file.
        fact: What was found, as a sentence without subject and full stop.
        what_to_do: Advice, in full sentences.
    """

    path: Path
    what: What
    fact: str
    what_to_do: str


# JSON text of each record of a job, by number; `None` for a record that the database does not have.
RecordTexts = tuple[str | None, ...]


class Verifier:
    """Compares the database of an installation with its folders.

    Args:
        pause: Waits before a discrepancy is checked again.
        on_progress: Called after each file in the database.
    """

    def __init__(
        self,
        archive: Archive,
        *,
        pause: Callable[[], object] = lambda: time.sleep(PAUSE_SECONDS),
        on_progress: Callable[[], object] = lambda: None,
    ) -> None:
        self._jobs = archive.job_queue
        self._receipts = archive.receipts
        self._outbox = archive.outbox
        self._inbox_dir = archive.settings.inbox_dir
        self._database = archive.settings.database
        self._pause = pause
        self._on_progress = on_progress

    def findings(self) -> Iterator[Discrepancy]:
        """Yields every discrepancy as it is found, folder by folder.

        Raises:
            StorageError: The outbox is not available, or the database cannot be read.
        """
        self._outbox.require_available()
        visited = set()
        for folder, jobs in itertools.groupby(self._filed_jobs(), key=lambda job: str(PurePosixPath(job.filed_as or "").parent)):
            visited.add(folder)
            yield from self._compare_folder(folder, jobs)
        for path, folders, _ in os.walk(self._outbox.root):
            folders.sort()
            folder = Path(path).relative_to(self._outbox.root).as_posix()
            if folder == ".":
                folders[:] = [name for name in folders if name != WORK]
            if folder not in visited:
                yield from self._compare_folder(folder, ())
        yield from self._leftovers()
        for receipt_id in self._receipts.without_file():
            fact = f"record {receipt_id} has no file"
            yield Discrepancy(self._database, What.NO_FILE, fact, "Restore the database from a backup.")

    def _filed_jobs(self) -> Iterator[Job]:
        """Every job with a path in the outbox, in order of path."""
        after = ("", 0)
        while jobs := self._jobs.by_place(after=after, limit=JOBS_PER_QUERY):
            yield from jobs
            after = (jobs[-1].filed_as or "", jobs[-1].id)

    # Jobs without their files

    def _compare_folder(self, folder: str, jobs: Iterable[Job]) -> Iterator[Discrepancy]:
        names = _names(self._outbox.root / folder)
        suspects = []
        for batch in _batches(jobs):
            texts = self._record_texts(batch)
            for job in batch:
                names -= {PurePosixPath(filed.place).name for filed in self._outbox.layout.files_of(job, len(texts[job.id]))}
                if job.filed_at is not None and any(self._compare_job(job, texts[job.id])):
                    suspects.append(job)
                self._on_progress()
        if suspects or names:
            self._pause()
        for job in suspects:
            yield from self._compare_again(job)
        for name in sorted(names - FILES_OF_THE_SYSTEM):
            yield from self._find_owner(folder, name)

    def _compare_again(self, suspect: Job) -> Iterator[Discrepancy]:
        job = self._jobs.job(suspect.receipt_id)
        if job is None or job.filed_at is None:
            return  # the service is working on it
        found = list(self._compare_job(job, self._record_texts([job])[job.id]))
        if self._jobs.job(job.receipt_id) == job:
            yield from found

    def _record_texts(self, jobs: Sequence[Job]) -> dict[int, RecordTexts]:
        """The records of each job in the database, by the job's id."""
        with_records = [job for job in jobs if job.state in {JobState.STORED, JobState.DONE}]
        counts = self._receipts.counts_by_file([job.sha256 or "" for job in with_records])
        numbers = {job.id: range(1, 1 + max(1, counts.get(job.sha256 or "", 0))) for job in with_records}
        ids = {job.id: [part_id(job.receipt_id, number) for number in numbers.get(job.id, ())] for job in jobs}
        records = self._receipts.json_of([receipt_id for own in ids.values() for receipt_id in own])
        return {job.id: tuple(records.get(receipt_id) for receipt_id in ids[job.id]) or (None,) for job in jobs}

    def _compare_job(self, job: Job, texts: RecordTexts) -> Iterator[Discrepancy]:
        """Discrepancies of a closed job."""
        for filed in self._outbox.layout.files_of(job, len(texts)):
            path, record_json = self._outbox.root / filed.place, texts[filed.number - 1]
            if job.state is JobState.DONE and filed.sha256 is None and record_json is None:
                yield Discrepancy(path, What.NO_RECORD, "the database has no record of it", "Restore the database from a backup.")
            elif not os.path.lexists(path):
                if not filed.may_be_gone:
                    yield Discrepancy(path, What.MISSING, "does not exist", _how_to_recover(job, filed, is_missing=True))
            elif not is_regular(path):
                yield Discrepancy(path, What.CHANGED, "is no longer a regular file", _how_to_recover(job, filed))
            else:
                yield from _compare(path, job, filed, record_json)

    # Files without a job

    def _find_owner(self, folder: str, name: str) -> Iterator[Discrepancy]:
        path = self._outbox.root / folder / name
        if not os.path.lexists(path):
            return
        is_hidden = name.startswith(".") and name.endswith(_TEMPORARY)
        place = (PurePosixPath(folder) / (name[1:].removesuffix(_TEMPORARY) if is_hidden else name)).as_posix()
        for owner in self._owners(place):
            if owner.filed_at is None or not is_hidden:
                return
        if is_hidden:
            yield Discrepancy(path, What.LEFTOVER, "is a temporary file of an interrupted write", "You can delete it.")
        else:
            advice = "If it is a receipt, put it in the inbox; otherwise move it out of the outbox."
            yield Discrepancy(path, What.UNKNOWN, "is not in the database", advice)

    def _owners(self, place: str) -> Iterator[Job]:
        """The jobs that a file at this path belongs to."""
        first = place.removesuffix(".error.json").removesuffix(".duplicate.json")
        first = first.removesuffix("json") if first == place and place.endswith(".json") else first
        for start in dict.fromkeys((first, _RECEIPT_NUMBER.sub(".", first))):
            try:
                jobs = self._jobs.by_place(after=(start, 0), before=start + "\U0010ffff", limit=JOBS_PER_QUERY)
            except UnicodeEncodeError:  # not UTF-8: no name that we choose
                return
            texts = self._record_texts(jobs)
            for job in jobs:
                if place in {filed.place for filed in self._outbox.layout.files_of(job, len(texts[job.id]))}:
                    yield job

    # Leftovers of a crash

    def _leftovers(self) -> Iterator[Discrepancy]:
        work = self._outbox.root / WORK
        for name in sorted(_names(work, folders=True)):
            if self._is_closed(name) and (work / name).exists():
                advice = "The next start of the service removes it."
                yield Discrepancy(work / name, What.LEFTOVER, "is a private copy that is not needed", advice)
        for path, folders, names in os.walk(self._inbox_dir):
            folders.sort()
            for name in sorted(names):
                yield from self._check_hidden(Path(path) / name)

    def _check_hidden(self, path: Path) -> Iterator[Discrepancy]:
        if path.name.startswith(HIDDEN_PREFIX):
            if self._is_closed(path.name.removeprefix(HIDDEN_PREFIX)) and path.exists():
                advice = "The next start of the service removes it, or gives it a visible name if it was not filed."
                yield Discrepancy(path, What.LEFTOVER, "has a hidden name but no open job", advice)
        elif path.name.startswith(".") and path.name.endswith(_PART) and _age_seconds(path) > STALE_SECONDS:
            yield Discrepancy(path, What.LEFTOVER, "is an interrupted copy", "Delete it and add the file again.")

    def _is_closed(self, receipt_id: str) -> bool:
        job = self._jobs.job(receipt_id)
        return job is None or job.filed_at is not None


def _compare(path: Path, job: Job, filed: Filed, record_json: str | None) -> Iterator[Discrepancy]:
    """Discrepancies in the content of a file that exists."""
    try:
        if filed.sha256 is not None:
            is_right = digest(path) == filed.sha256
        elif record_json is not None:
            is_right = _equal_json(path, record_json)
        else:
            is_right = _is_notice_of(path, job)
    except OSError as error:
        advice = "Give this user permission to read it, or check the disk."
        yield Discrepancy(path, What.UNREADABLE, f"cannot be read ({error.strerror or error})", advice)
    else:
        if not is_right:
            fact = "has other content than was filed" if filed.sha256 else "differs from the database"
            yield Discrepancy(path, What.CHANGED, fact, _how_to_recover(job, filed))


def _equal_json(path: Path, record_json: str) -> bool:
    try:
        return bool(json.loads(path.read_bytes()) == json.loads(record_json))
    except (ValueError, RecursionError):
        return False


def _is_notice_of(path: Path, job: Job) -> bool:
    try:
        notice = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(notice, dict) and notice.get("receipt_id") == job.receipt_id


def _how_to_recover(job: Job, filed: Filed, *, is_missing: bool = False) -> str:
    if filed.sha256 is not None:
        if is_missing and job.state is JobState.DONE:
            return "Drop the same file in the inbox again, or restore it from a backup."
        return "Restore it from a backup or from where it came from."
    if job.state is JobState.DONE:
        own = part_id(job.receipt_id, filed.number)
        return f"Write it again: receipts show {own} --format jsonl > {printable(PurePosixPath(filed.place).name)}"
    if job.state is JobState.DUPLICATE:
        return "Nothing is lost; `receipts list --files` says the same."
    return _RETRY_FAILED.format(job.receipt_id)


def _names(folder: Path, *, folders: bool = False) -> set[str]:
    """Names in the folder: of everything but folders, or of folders only."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False) == folders}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StorageError(f"{printable(folder)} cannot be listed ({error.strerror}). Give this user permission to read it.") from error


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    remaining = iter(jobs)
    while batch := list(itertools.islice(remaining, JOBS_PER_QUERY)):
        yield batch


def _age_seconds(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
