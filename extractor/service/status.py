"""How the work stands, told from the database and the folders alone, whether or not a service runs."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from extractor.config.settings import Settings
from extractor.errors import StorageError
from extractor.jobs import Job, JobState
from extractor.runtime.clock import Clock
from extractor.schemas.record import RecordStatus
from extractor.service.lock import holder
from extractor.storage.archive import Archive
from extractor.storage.files.inbox import Inbox

FAILURES = 5
"""The last failed files that are named."""


@dataclass(frozen=True)
class Numbers:
    """What the database knows at one moment.

    Attributes:
        files: How many files are in each state.
        waiting: How many of them are not in their place yet, by state.
        oldest_seconds: How long the first of these has waited.
        records: How many records have each status.
        last: The file that was filed last as a receipt.
    """

    files: dict[JobState, int]
    waiting: dict[JobState, int]
    oldest_seconds: float | None
    records: dict[RecordStatus, int]
    last: Job | None


@dataclass(frozen=True)
class ServiceStatus:
    """How everything stands.

    Attributes:
        process: The process that works on the database; `None` where none does.
        numbers: What the database knows.
        failures: The last failed files.
        untaken: Files in the inbox that no service has seen yet; `None` where the inbox cannot be listed.
        oldest_untaken_seconds: How long the first of these has lain there.
        free_bytes: Space on the disks of inbox, outbox and database; `None` where a place is not there.
    """

    process: str | None
    numbers: Numbers
    failures: tuple[Job, ...]
    untaken: int | None
    oldest_untaken_seconds: float | None
    free_bytes: dict[str, int | None]


def count(archive: Archive, now: datetime) -> Numbers:
    """What the database knows.

    Raises:
        StorageError: It cannot be read.
    """
    job_queue = archive.job_queue
    oldest = job_queue.oldest_open()
    waited = None if oldest is None else max(0.0, (now - oldest).total_seconds())
    last = next(iter(job_queue.last_filed(JobState.DONE, limit=1)), None)
    return Numbers(job_queue.counts(), job_queue.open_counts(), waited, archive.receipts.counts(), last)


def look(archive: Archive, clock: Clock) -> ServiceStatus:
    """How everything stands now.

    Raises:
        StorageError: The database cannot be read.
    """
    now = clock.now()
    untaken = untaken_files(archive, clock)
    oldest = min((since for _, since in untaken or ()), default=None)
    return ServiceStatus(
        process=holder(archive.settings.database),
        numbers=count(archive, now),
        failures=archive.job_queue.last_filed(JobState.FAILED, limit=FAILURES),
        untaken=None if untaken is None else len(untaken),
        oldest_untaken_seconds=None if oldest is None else max(0.0, now.timestamp() - oldest),
        free_bytes=free_bytes(archive.settings),
    )


def free_bytes(settings: Settings) -> dict[str, int | None]:
    """Space that is left for inbox, outbox and database; `None` where a place is not there."""
    places = {"inbox": settings.inbox_dir, "outbox": settings.outbox_dir, "database": settings.database.parent}
    return {name: _free(path) for name, path in places.items()}


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def untaken_files(archive: Archive, clock: Clock) -> list[tuple[Path, float]] | None:
    """The files in the inbox that have no job, with the time since which each has lain there; `None` if the inbox cannot be listed."""
    settings, job_queue = archive.settings, archive.job_queue
    known = job_queue.open_paths() | job_queue.refused_paths()
    try:
        files = Inbox(settings.inbox_dir, settings.inbox, lambda _: None, clock).files()
        return [(path, since) for path, since in files if path not in known]
    except StorageError:
        return None
