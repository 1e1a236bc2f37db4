"""How the work stands, from a real database and real folders."""

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from extractor.cli.display import status_page
from extractor.config.settings import Settings
from extractor.errors import ConfigError, Unreadable
from extractor.jobs import Job, JobState
from extractor.schemas.record import RecordStatus
from extractor.service.lock import InstanceLock, holder
from extractor.service.status import FAILURES, ServiceStatus, look
from extractor.storage.archive import Archive, prepare
from extractor.testing import ManualClock, make_record, make_source


def test_status_counts_the_queue_and_files_in_the_inbox(
    archive: Archive, clock: ManualClock, queued_job: Callable[..., Job], drop: Callable[..., Path]
) -> None:
    """What waits and since when; files that no service has seen count too, ignored ones do not."""
    queued_job()
    clock.advance(60)
    queued_job("later.jpg")
    drop("untaken.jpg")
    drop("half.part")
    seen = look(archive, clock)
    assert seen.numbers.waiting == {JobState.QUEUED: 2}
    assert seen.numbers.oldest_seconds == 60
    assert seen.untaken == 1
    assert seen.oldest_untaken_seconds is not None
    assert seen.numbers.last is None
    assert all(size for size in seen.free_bytes.values())


def test_status_lists_the_last_failures_first(archive: Archive, clock: ManualClock, leased_job: Callable[..., Job]) -> None:
    """The newest failures with their reasons, not all of a long history."""
    for number in range(FAILURES + 2):
        failed = archive.job_queue.fail(leased_job(f"{number}.jpg"), Unreadable(f"{number}.jpg is empty."))
        archive.job_queue.filed(archive.job_queue.plan(failed, f"failed/{number}.jpg"))
        clock.advance(1)
    assert [job.name for job in look(archive, clock).failures] == [f"{number}.jpg" for number in range(FAILURES + 1, 1, -1)]


def test_status_names_the_process_of_the_service(settings: Settings, archive: Archive, clock: ManualClock) -> None:
    """The id of the process that holds the lock; a lock file of a dead process does not count."""
    assert look(archive, clock).process is None
    with InstanceLock(settings.database):
        assert look(archive, clock).process == str(os.getpid())
    assert settings.database.with_name("receipts.db.lock").exists()
    assert look(archive, clock).process is None


def test_looking_never_keeps_a_service_from_starting(settings: Settings) -> None:
    """A service gets its lock however often the holder is queried meanwhile, and two queries at once do not see each other."""
    prepare(settings)
    settings.database.with_name("receipts.db.lock").touch()
    enough = threading.Event()

    def look_on() -> None:
        while not enough.is_set():
            holder(settings.database)

    threads = [threading.Thread(target=look_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            try:
                with InstanceLock(settings.database):
                    pass
            except ConfigError as error:
                pytest.fail(str(error))
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def test_missing_folders_are_reported(settings: Settings, archive: Archive, clock: ManualClock) -> None:
    """An unmounted inbox is reported and is not an error of the command."""
    settings.inbox_dir.rmdir()
    seen = look(archive, clock)
    assert (seen.untaken, seen.free_bytes["inbox"]) == (None, None)
    assert "cannot be listed" in _page(seen)
    assert "inbox missing" in _page(seen)


def test_the_page_names_everything(
    archive: Archive, clock: ManualClock, leased_job: Callable[..., Job], queued_job: Callable[..., Job]
) -> None:
    """Queue, records, the last file filed, and the failures with their reasons."""
    job = leased_job("lunch.jpg")
    record = make_record(make_source("lunch.jpg"), receipt_id=job.receipt_id, status=RecordStatus.NEEDS_REVIEW)
    with archive.database.write() as connection:
        archive.receipts.save(connection, record)
        archive.job_queue.stored(connection, job, "2026/03/lunch.jpg")
    [stored] = archive.job_queue.jobs(JobState.STORED)
    archive.job_queue.filed(stored)
    archive.job_queue.fail(leased_job("bad.jpg"), Unreadable("bad.jpg is empty. Copy it again."))
    queued_job("next.jpg")
    clock.advance(7200)
    page = _page(look(archive, clock))
    for part in ("not running", "1 failed, 1 queued, the oldest for 2 h", "1 needs_review", "2026/03/lunch.jpg", "bad.jpg is empty"):
        assert part in page


def _page(seen: ServiceStatus) -> str:
    console = Console(width=200, file=(stream := io.StringIO()))
    console.print(status_page(seen))
    return stream.getvalue()
