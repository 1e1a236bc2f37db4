"""Database and outbox are compared, both ways: every record has its files as they were filed, and every file is known.

It may run while the service works: what does not fit is looked at a second time, and a file whose job is still open is no finding.
One folder of the outbox is held in memory at a time.
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
from extractor.storage.database.job_queries import JobQueries
from extractor.storage.database.receipts import ReceiptRepository
from extractor.storage.files.atomic import digest, is_regular
from extractor.storage.files.naming import DUPLICATES, Filed
from extractor.storage.files.outbox import WORK, Outbox

JOBS_AT_ONCE = 200
PAUSE_SECONDS = 0.2
"""Between the first look and the second one: what a service is just doing is done by then."""
STALE_SECONDS = 3600.0
"""A copy into the inbox that has not grown for so long was cut off."""
LEFT_BY_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})

_OF_SEVERAL = re.compile(r"-\d+\.$")
"""Ends the name of a record's JSON, where it is about one of several receipts in a file; the suffix is cut off."""

_SET_ASIDE, _PART, _HIDDEN_END = ".receipts-", ".part", ".tmp"


class What(StrEnum):
    """What is wrong with a file."""

    MISSING = "missing"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    LEFTOVER = "leftover"
    NO_RECORD = "no_record"
    NO_FILE = "no_file"


@dataclass(frozen=True)
class Discrepancy:
    """One thing that does not fit.

    Attributes:
        path: The file, or the database for a record that no file belongs to.
        fact: What was found, in words.
        way_out: What to do about it.
    """

    path: Path
    what: What
    fact: str
    way_out: str


Known = tuple[str | None, ...]
"""What the database has of a job's records: JSON text by number, `None` where it has none."""


class Verifier:
    """Compares what the database says with what lies in the folders.

    Args:
        pause: Waits before the second look.
        on_progress: Called after each file that the database knows of.
    """

    def __init__(
        self,
        jobs: JobQueries,
        store: ReceiptRepository,
        outbox: Outbox,
        database: Path,
        *,
        pause: Callable[[], object] = lambda: time.sleep(PAUSE_SECONDS),
        on_progress: Callable[[], object] = lambda: None,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._outbox = outbox
        self._database = database
        self._pause = pause
        self._on_progress = on_progress

    def findings(self) -> Iterator[Discrepancy]:
        """Everything that does not fit, as it is found, in order of folders.

        Raises:
            StorageError: The outbox is away, or the database cannot be read.
        """
        self._outbox.require_here()
        visited = set()
        for folder, jobs in itertools.groupby(self._filed_jobs(), key=lambda job: str(PurePosixPath(job.filed_as or "").parent)):
            visited.add(folder)
            yield from self._look_at_folder(folder, jobs)
        for path, folders, _ in os.walk(self._outbox.root):
            folders.sort()
            folder = Path(path).relative_to(self._outbox.root).as_posix()
            if folder == ".":
                folders[:] = [name for name in folders if name != WORK]
            if folder not in visited:
                yield from self._look_at_folder(folder, ())
        yield from self._leftovers()
        for receipt_id in self._store.without_file():
            fact = f"record {receipt_id} belongs to no file"
            yield Discrepancy(self._database, What.NO_FILE, fact, "Restore the database from a backup.")
        for receipt_id, columns in self._store.altered():
            fact = f"record {receipt_id} has other values in {', '.join(columns)} than its JSON, from which it is read"
            yield Discrepancy(self._database, What.CHANGED, fact, f"Set them back to those of: receipts show {receipt_id}")

    def _filed_jobs(self) -> Iterator[Job]:
        """Every job with a place in the outbox, in order of place."""
        after = ("", 0)
        while jobs := self._jobs.places(after=after, limit=JOBS_AT_ONCE):
            yield from jobs
            after = (jobs[-1].filed_as or "", jobs[-1].id)

    # Every job has its files

    def _look_at_folder(self, folder: str, jobs: Iterable[Job]) -> Iterator[Discrepancy]:
        names = _names(self._outbox.root / folder)
        suspects = []
        for batch in _batches(jobs):
            known = self._known(batch)
            for job in batch:
                names -= {PurePosixPath(filed.place).name for filed in self._outbox.places.files_of(job, len(known[job.id]))}
                if job.filed_at is not None and any(self._look(job, known[job.id])):
                    suspects.append(job)
                self._on_progress()
        if suspects or names:
            self._pause()
        for job in suspects:
            yield from self._second_look(job)
        for name in sorted(names - LEFT_BY_SYSTEMS):
            yield from self._look_for_owner(folder, name)

    def _second_look(self, suspect: Job) -> Iterator[Discrepancy]:
        job = self._jobs.job(suspect.receipt_id)
        if job is None or job.filed_at is None:
            return  # it is on its way
        found = list(self._look(job, self._known([job])[job.id]))
        if self._jobs.job(job.receipt_id) == job:
            yield from found

    def _known(self, jobs: Sequence[Job]) -> dict[int, Known]:
        """What the database has of each job's records, by the job's number."""
        read = [job for job in jobs if job.state in {JobState.STORED, JobState.DONE}]
        counts = self._store.counts_by_file([job.sha256 or "" for job in read])
        numbers = {job.id: range(1, 1 + max(1, counts.get(job.sha256 or "", 0))) for job in read}
        ids = {job.id: [part_id(job.receipt_id, number) for number in numbers.get(job.id, ())] for job in jobs}
        records = self._store.json_of([receipt_id for own in ids.values() for receipt_id in own])
        return {job.id: tuple(records.get(receipt_id) for receipt_id in ids[job.id]) or (None,) for job in jobs}

    def _look(self, job: Job, known: Known) -> Iterator[Discrepancy]:
        """What does not fit with a closed job."""
        for filed in self._outbox.places.files_of(job, len(known)):
            path, record_json = self._outbox.root / filed.place, known[filed.number - 1]
            if job.state is JobState.DONE and filed.sha256 is None and record_json is None:
                yield Discrepancy(path, What.NO_RECORD, "the database has no record of it", "Restore the database from a backup.")
            elif not os.path.lexists(path):
                if not filed.may_be_gone:
                    yield Discrepancy(path, What.MISSING, "is not there", _way_back(job, filed))
            elif not is_regular(path):
                yield Discrepancy(path, What.CHANGED, "is not a file any more", _way_back(job, filed))
            else:
                yield from _compare(path, job, filed, record_json)

    # Every file has its job

    def _look_for_owner(self, folder: str, name: str) -> Iterator[Discrepancy]:
        path = self._outbox.root / folder / name
        if not os.path.lexists(path):
            return
        is_hidden = name.startswith(".") and name.endswith(_HIDDEN_END)
        place = (PurePosixPath(folder) / (name[1:].removesuffix(_HIDDEN_END) if is_hidden else name)).as_posix()
        for owner in self._owners(place):
            if owner.filed_at is None or not is_hidden:
                return
        if is_hidden:
            yield Discrepancy(path, What.LEFTOVER, "was left behind when writing was cut off", "Nothing needs it; it may be deleted.")
        else:
            way_out = "If it is a receipt, put it into the inbox; else move it out of the outbox."
            yield Discrepancy(path, What.UNKNOWN, "is not in the database", way_out)

    def _owners(self, place: str) -> Iterator[Job]:
        """The jobs to which a file at this place belongs now."""
        first = place.removesuffix(".error.json").removesuffix(".duplicate.json")
        first = first.removesuffix("json") if first == place and place.endswith(".json") else first
        for start in dict.fromkeys((first, _OF_SEVERAL.sub(".", first))):
            try:
                jobs = self._jobs.places(after=(start, 0), before=start + "\U0010ffff", limit=JOBS_AT_ONCE)
            except UnicodeEncodeError:  # the name is not UTF-8: no place of ours
                return
            known = self._known(jobs)
            for job in jobs:
                if place in {filed.place for filed in self._outbox.places.files_of(job, len(known[job.id]))}:
                    yield job

    # What a crash may have left behind

    def _leftovers(self) -> Iterator[Discrepancy]:
        work = self._outbox.root / WORK
        for name in sorted(_names(work, folders=True)):
            if self._is_closed(name) and (work / name).exists():
                yield Discrepancy(
                    work / name, What.LEFTOVER, "is a private copy that nobody reads", "The next start of the service removes it."
                )
        for path, folders, names in os.walk(self._outbox.inbox_dir):
            folders.sort()
            for name in sorted(names):
                yield from self._look_at_hidden(Path(path) / name)

    def _look_at_hidden(self, path: Path) -> Iterator[Discrepancy]:
        if path.name.startswith(_SET_ASIDE):
            if self._is_closed(path.name.removeprefix(_SET_ASIDE)) and path.exists():
                way_out = "The next start of the service puts it in order."
                yield Discrepancy(path, What.LEFTOVER, "is hidden from the service, which does not need it", way_out)
        elif path.name.startswith(".") and path.name.endswith(_PART) and _age_seconds(path) > STALE_SECONDS:
            yield Discrepancy(path, What.LEFTOVER, "is a copy that was cut off", "Delete it, and add the file again.")

    def _is_closed(self, receipt_id: str) -> bool:
        job = self._jobs.job(receipt_id)
        return job is None or job.filed_at is not None


def _compare(path: Path, job: Job, filed: Filed, record_json: str | None) -> Iterator[Discrepancy]:
    """What is wrong with the content of a file that is there."""
    try:
        if filed.sha256 is not None:
            is_right = digest(path) == filed.sha256
        elif record_json is not None:
            is_right = _equal_json(path, record_json)
        else:
            is_right = _is_notice_of(path, job)
    except OSError as error:
        way_out = "Give this user the right to read it, or check the disk."
        yield Discrepancy(path, What.UNREADABLE, f"cannot be read ({error.strerror or error})", way_out)
    else:
        if not is_right:
            fact = "has other bytes than were filed" if filed.sha256 else "does not say what the database says"
            yield Discrepancy(path, What.CHANGED, fact, _way_back(job, filed))


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


def _way_back(job: Job, filed: Filed) -> str:
    if filed.sha256 is not None:
        return "Put the file back from a backup or from where it came from."
    if job.state is JobState.DONE:
        own = part_id(job.receipt_id, filed.number)
        return f"Write it anew: receipts show {own} --format jsonl > {printable(PurePosixPath(filed.place).name)}"
    return "Nothing is lost; `receipts list --files` says the same." if DUPLICATES in filed.place else _RETRY.format(job.receipt_id)


_RETRY = "It only said why; `receipts list --files` says the same. To try again: receipts retry {}"


def _names(folder: Path, *, folders: bool = False) -> set[str]:
    """Names of what lies in the folder: all but folders, or `folders` alone."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False) == folders}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StorageError(f"{printable(folder)} cannot be listed ({error.strerror}). Give this user the right to read it.") from error


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    remaining = iter(jobs)
    while batch := list(itertools.islice(remaining, JOBS_AT_ONCE)):
        yield batch


def _age_seconds(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
