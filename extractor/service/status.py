"""The state of an installation, from the database and the folders, whether or not a service runs."""

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

# Number of failed files that are listed.
FAILURES = 5


@dataclass(frozen=True)
class Numbers:
    """Numbers from the database.

    Attributes:
        files: Number of files by state.
        waiting: Number of open jobs by state.
        oldest_seconds: Age of the oldest open job.
        records: Number of records by status.
        last: The receipt that was filed last.
    """

    files: dict[JobState, int]
    waiting: dict[JobState, int]
    oldest_seconds: float | None
    records: dict[RecordStatus, int]
    last: Job | None


@dataclass(frozen=True)
class ServiceStatus:
    """State of an installation.

    Attributes:
        process: Id of the service's process; `None` if none runs.
        numbers: Numbers from the database.
        failures: The last failed files.
        untaken: Number of files in the inbox without a job; `None` if the inbox cannot be listed.
        oldest_untaken_seconds: Age of the oldest of these.
        free_bytes: Free space for inbox, outbox and database; `None` for a folder that does not exist.
    """

    process: str | None
    numbers: Numbers
    failures: tuple[Job, ...]
    untaken: int | None
    oldest_untaken_seconds: float | None
    free_bytes: dict[str, int | None]


def count(archive: Archive, now: datetime) -> Numbers:
    """Queries the numbers.

    Raises:
        StorageError: The database cannot be read.
    """
    job_queue = archive.job_queue
    oldest = job_queue.oldest_open()
    waited = None if oldest is None else max(0.0, (now - oldest).total_seconds())
    last = next(iter(job_queue.last_filed(JobState.DONE, limit=1)), None)
    return Numbers(job_queue.counts(), job_queue.open_counts(), waited, archive.receipts.counts(), last)


def look(archive: Archive, clock: Clock) -> ServiceStatus:
    """Returns the current state.

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
    """Free space for inbox, outbox and database; `None` for a folder that does not exist."""
    places = {"inbox": settings.inbox_dir, "outbox": settings.outbox_dir, "database": settings.database.parent}
    return {name: _free(path) for name, path in places.items()}


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def untaken_files(archive: Archive, clock: Clock) -> list[tuple[Path, float]] | None:
    """Files in the inbox without a job, each with the time (seconds since 1970) of its arrival; `None` if the inbox cannot be listed."""
    settings, job_queue = archive.settings, archive.job_queue
    known = job_queue.open_paths() | job_queue.refused_paths()
    try:
        files = Inbox(settings.inbox_dir, settings.inbox, lambda _: None, clock).files()
        return [(path, since) for path, since in files if path not in known]
    except StorageError:
        return None
