"""Worker and pipeline on real folders and a real database: an error's remedy becomes the next state, and nothing is lost."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from extractor.config.settings import WorkSettings
from extractor.errors import Encrypted, ExtractorError, ReaderRefused, ReaderUnavailable, StorageError
from extractor.jobs import Arrival, Job, JobState, Refused, Source, part_id
from extractor.pipeline import Pipeline
from extractor.schemas.record import Record, RecordStatus, Region
from extractor.service.worker import Worker
from extractor.storage.archive import Archive
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.database.receipts import ReceiptRepository
from extractor.storage.files.atomic import digest
from extractor.storage.files.filing import Filing
from extractor.testing import ManualClock, ScriptedExtraction, make_record


@pytest.fixture
def extraction() -> ScriptedExtraction:
    return ScriptedExtraction()


@pytest.fixture
def worker(archive: Archive, extraction: ScriptedExtraction, clock: ManualClock) -> Worker:
    return make_worker(archive, extraction, clock)


def make_worker(archive: Archive, extraction: ScriptedExtraction, clock: ManualClock) -> Worker:
    pipeline = Pipeline(archive.database, archive.job_queue, archive.receipts, archive.filing, extraction)
    return Worker(archive.job_queue, pipeline, clock, batch_size=4)


def work(worker: Worker) -> int:
    return worker.run_once(threading.Event())


def states(archive: Archive) -> dict[str, JobState]:
    return {job.name: job.state for job in archive.job_queue.jobs()}


def inbox_files(archive: Archive) -> list[str]:
    return sorted(path.name for path in archive.settings.inbox_dir.rglob("*") if not path.is_dir())


def by_name(errors: dict[str, ExtractorError | Exception]) -> Callable[[Source], Record | ExtractorError | None]:
    """A script: an error of ours is returned, any other is raised."""

    def script(source: Source) -> Record | ExtractorError | None:
        error = errors.get(source.name)
        if error is None or isinstance(error, ExtractorError):
            return error
        raise error

    return script


def test_whoever_works_keeps_its_jobs(archive: Archive, clock: ManualClock, queued_job: Callable[..., Job]) -> None:
    """A batch that takes many times as long as a lease is not taken for that of a dead worker."""
    for name in ("slow.jpg", "neighbour.jpg"):
        queued_job(name)
    job_queue = JobQueue(archive.database, clock, WorkSettings(lease_seconds=0.2))
    taken: list[int] = []

    def script(source: Source) -> None:
        for _ in range(4 if source.name == "slow.jpg" else 0):
            clock.advance(0.15)
            deadline = time.monotonic() + 30
            while (job_queue.next_due() or 0) < clock.now().timestamp() + 0.2:
                assert time.monotonic() < deadline, "the leases were not renewed"
                time.sleep(0.01)
            taken.append(job_queue.reclaim())

    pipeline = Pipeline(archive.database, job_queue, archive.receipts, archive.filing, ScriptedExtraction(script))
    Worker(job_queue, pipeline, clock, batch_size=4).run_once(threading.Event())
    assert taken == [0, 0, 0, 0]
    assert {(job.state, job.interruptions) for job in archive.job_queue.jobs()} == {(JobState.DONE, 0)}


def test_long_work_tells_how_it_goes(
    archive: Archive,
    worker: Worker,
    extraction: ScriptedExtraction,
    clock: ManualClock,
    queued_job: Callable[..., Job],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once a minute the log says how many files were filed and how many wait; short work says nothing of the kind."""
    caplog.set_level(logging.INFO)
    extraction.script = lambda _: clock.advance(10)
    for number in range(20):
        queued_job(f"{number}.jpg")
    work(worker)
    told = [[vars(entry)[name] for name in ("filed", "seconds", "waiting")] for entry in caplog.records if entry.message == "progress"]
    assert told == [[8, 80, 12], [8, 80, 4]]
    clock.advance(3600)
    queued_job("later.jpg")
    work(worker)
    assert caplog.messages.count("progress") == 2


def test_files_become_records(archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job]) -> None:
    """From queue to outbox: the bytes that are read are those that were hashed, and the record is in database and JSON alike."""
    jobs = [queued_job(f"travel/{number}.jpg") for number in range(6)]
    work(worker)
    assert set(states(archive).values()) == {JobState.DONE}
    assert [(source.receipt_id, source.tags) for source, _ in extraction.read] == [(job.receipt_id, ("travel",)) for job in jobs]
    assert all(source.sha256 == sha256 for source, sha256 in extraction.read)
    for job in archive.job_queue.jobs():
        filed = archive.outbox.layout.record(job.filed_as or "").read_bytes()
        assert Record.model_validate_json(filed) == archive.receipts.get(job.receipt_id)
    assert inbox_files(archive) == []


def several(source: Source) -> tuple[Record, ...]:
    """Three receipts in one file."""
    regions = [Region(number=number, count=3, page=0, box=(number / 3 - 1 / 3, 0, number / 3, 1)) for number in (1, 2, 3)]
    return tuple(make_record(source, receipt_id=part_id(source.receipt_id, one.number), region=one) for one in regions)


def test_a_file_with_several_receipts_has_a_record_of_each(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job]
) -> None:
    """One original, one job, three records in the database and in JSON; dropped again, it is a duplicate, and nothing is there twice."""
    extraction.script = several
    job = queued_job("table.jpg", b"three")
    work(worker)
    [done] = archive.job_queue.jobs()
    ids = [part_id(job.receipt_id, number) for number in (1, 2, 3)]
    assert ids == sorted(ids)
    assert ids[0] == job.receipt_id
    assert sorted(record.receipt_id for record in archive.receipts.list()) == ids
    paths = [archive.outbox.layout.record(done.filed_as or "", number) for number in (1, 2, 3)]
    assert [Record.model_validate_json(path.read_bytes()) for path in paths] == [archive.receipts.get(one) for one in ids]
    assert {path.name for path in paths[0].parent.iterdir()} == {Path(done.filed_as or "").name, *(path.name for path in paths)}
    with archive.database.read() as connection:
        assert connection.scalars(text("SELECT DISTINCT file FROM v_receipts")).all() == [done.filed_as]
    queued_job("again.jpg", b"three")
    work(worker)
    assert states(archive) == {"table.jpg": JobState.DONE, "again.jpg": JobState.DUPLICATE}
    assert len(list(archive.receipts.list())) == 3


def test_several_receipts_that_cannot_all_be_saved_are_all_read_again(
    archive: Archive, extraction: ScriptedExtraction, clock: ManualClock, queued_job: Callable[..., Job]
) -> None:
    """All records of a file are there, or none."""

    class FullStore(ReceiptRepository):
        left = 2

        def save(self, connection: Connection, record: Record) -> Record:
            self.left -= 1
            if self.left == 0:
                raise StorageError("The disk is full. Free some space.")
            return super().save(connection, record)

    extraction.script = several
    archive = replace(
        archive, receipts=FullStore(archive.database), job_queue=JobQueue(archive.database, clock, WorkSettings(backoff_seconds=10))
    )
    worker = make_worker(archive, extraction, clock)
    queued_job("table.jpg", b"three")
    work(worker)
    assert list(archive.receipts.list()) == []
    clock.advance(60)
    work(worker)
    assert states(archive) == {"table.jpg": JobState.DONE}
    assert len(list(archive.receipts.list())) == 3


@pytest.mark.parametrize(
    "error", [Encrypted("secret.pdf is encrypted. Remove the password."), ReaderRefused("The key is wrong. Set another one.")]
)
def test_what_no_attempt_can_cure_is_reported(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job], error: ExtractorError
) -> None:
    """One attempt, then the file lies in failed/ with the reason; its neighbours in the batch are filed."""
    queued_job("secret.pdf")
    queued_job("fine.jpg")
    extraction.script = by_name({"secret.pdf": error})
    work(worker)
    assert states(archive) == {"secret.pdf": JobState.FAILED, "fine.jpg": JobState.DONE}
    notice = json.loads((archive.outbox.root / "failed/secret.pdf.error.json").read_text())
    assert (notice["why"], notice["attempts"]) == (str(error), 1)


def test_a_reader_that_is_away_is_asked_again(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job]
) -> None:
    """Attempts end in a record as soon as one succeeds."""
    queued_job("lunch.jpg")
    busy = iter([ReaderUnavailable("Timed out. It is asked again."), None])
    extraction.script = lambda _: next(busy)
    work(worker)
    assert states(archive) == {"lunch.jpg": JobState.DONE}
    assert archive.job_queue.jobs()[0].attempts == 1


def test_an_odd_exception_harms_one_file_only(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    """A bug that one file triggers is logged with its traceback and counted; the rest of its batch is read, and the service lives."""
    for name in ("a.jpg", "bug.jpg", "c.jpg"):
        queued_job(name)
    extraction.script = by_name({"bug.jpg": ZeroDivisionError("somewhere deep")})
    work(worker)
    assert states(archive) == {"a.jpg": JobState.DONE, "bug.jpg": JobState.FAILED, "c.jpg": JobState.DONE}
    failed = next(job for job in archive.job_queue.jobs(JobState.FAILED))
    assert failed.attempts == archive.settings.work.max_attempts
    assert "ZeroDivisionError" in (failed.error_message or "")
    assert any(entry.message == "reading_crashed" and entry.exc_info for entry in caplog.records)


def test_duplicates_are_recorded_and_moved_but_not_read(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job]
) -> None:
    """The notice beside the duplicate names the receipt that has the same bytes."""
    first = queued_job("first.jpg", b"same")
    queued_job("again.jpg", b"same")
    work(worker)
    assert len(extraction.read) == 1
    assert states(archive) == {"first.jpg": JobState.DONE, "again.jpg": JobState.DUPLICATE}
    notice = json.loads((archive.outbox.root / "duplicates/again.jpg.duplicate.json").read_text())
    assert notice["duplicate_of"] == first.receipt_id
    assert (archive.outbox.root / notice["filed_as"]).read_bytes() == b"same"


def test_a_file_renamed_while_it_waits_is_read(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job]
) -> None:
    """It looks like a duplicate of a file that is gone; it is read under its new name."""
    queued_job("before.jpg", b"same")
    queued_job("after.jpg", b"same")
    (archive.settings.inbox_dir / "before.jpg").unlink()
    work(worker)
    assert states(archive) == {"before.jpg": JobState.WITHDRAWN, "after.jpg": JobState.DONE}
    assert [source.name for source, _ in extraction.read] == ["after.jpg"]


def test_a_file_that_is_replaced_during_reading_is_not_lost(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job]
) -> None:
    """The first bytes are filed under their hash; the second stay in the inbox."""
    job = queued_job("lunch.jpg", b"first")

    def overwrite(_: Source) -> None:
        (archive.settings.inbox_dir / "lunch.jpg").write_bytes(b"second")

    extraction.script = overwrite
    work(worker)
    done = archive.job_queue.job(job.receipt_id)
    assert done is not None
    assert (archive.outbox.root / (done.filed_as or "")).read_bytes() == b"first"
    assert (archive.settings.inbox_dir / "lunch.jpg").read_bytes() == b"second"
    assert archive.job_queue.open_paths() == frozenset()


def test_refused_things_stay_and_are_reported(archive: Archive, worker: Worker, tmp_path: Path) -> None:
    """A link is left alone; failed/ says why."""
    (tmp_path / "private.jpg").write_bytes(b"private")
    (archive.settings.inbox_dir / "link.jpg").symlink_to(tmp_path / "private.jpg")
    archive.job_queue.reject(Arrival(Path("link.jpg"), 0, None), Refused("link.jpg is a link."))
    work(worker)
    assert inbox_files(archive) == ["link.jpg"]
    assert json.loads((archive.outbox.root / "failed/link.jpg.error.json").read_text())["why"] == "link.jpg is a link."
    assert not archive.job_queue.open_paths()


def test_an_outbox_that_cannot_be_written_is_waited_for(
    archive: Archive, extraction: ScriptedExtraction, clock: ManualClock, queued_job: Callable[..., Job]
) -> None:
    """Read-only, unmounted or in the way: the file stays in the inbox, no attempt counts, and all goes on when the folder is there."""
    away = archive.settings.outbox_dir.rename(archive.settings.outbox_dir.with_name("away"))
    archive.settings.outbox_dir.write_text("a file where the folder should be")
    queued_job("lunch.jpg", b"bytes")
    archive = replace(archive, job_queue=JobQueue(archive.database, clock, WorkSettings(backoff_seconds=10)))
    worker = make_worker(archive, extraction, clock)
    for _ in range(10):
        work(worker)
        clock.advance(60)
    [job] = archive.job_queue.jobs()
    assert (job.state, job.attempts, job.waits, job.error_kind) == (JobState.QUEUED, 0, 10, "StorageError")
    assert inbox_files(archive) == ["lunch.jpg"]
    archive.settings.outbox_dir.unlink()
    away.rename(archive.settings.outbox_dir)
    work(worker)
    assert states(archive) == {"lunch.jpg": JobState.DONE}


def test_a_disk_that_fills_up_after_the_record_is_saved(
    archive: Archive, extraction: ScriptedExtraction, clock: ManualClock, queued_job: Callable[..., Job]
) -> None:
    """The record is not read again; its files follow when there is space."""

    class FullDisk(Filing):
        is_full = True

        def file_records(self, job: Job, records: Sequence[Record]) -> None:
            if self.is_full:
                raise StorageError("No space left on device. Free some space.")
            super().file_records(job, records)

    filing = FullDisk(archive.settings.inbox_dir, archive.settings.outbox_dir)
    archive = replace(archive, job_queue=JobQueue(archive.database, clock, WorkSettings(backoff_seconds=10)), filing=filing)
    worker = make_worker(archive, extraction, clock)
    queued_job("lunch.jpg")
    for _ in range(10):
        work(worker)
        clock.advance(60)
    assert states(archive) == {"lunch.jpg": JobState.STORED}
    assert inbox_files(archive) == ["lunch.jpg"]
    filing.is_full = False
    work(worker)
    assert states(archive) == {"lunch.jpg": JobState.DONE}
    assert len(extraction.read) == 1


def test_a_database_that_is_locked_is_waited_for(
    archive: Archive, extraction: ScriptedExtraction, clock: ManualClock, queued_job: Callable[..., Job]
) -> None:
    """A lock that is taken while the receipt is read delays it; it is neither failed nor left behind."""
    queued_job("lunch.jpg")
    holder = sqlite3.connect(archive.settings.database, isolation_level=None, check_same_thread=False)
    database = Database(archive.settings.database, busy_seconds=0.01)
    archive = replace(
        archive, database=database, job_queue=JobQueue(database, clock, archive.settings.work), receipts=ReceiptRepository(database)
    )
    worker = make_worker(archive, extraction, clock)

    def lock(_: Source) -> None:
        holder.execute("BEGIN IMMEDIATE")

    extraction.script = lock
    with pytest.raises(StorageError, match="locked"):
        work(worker)
    holder.execute("ROLLBACK")
    holder.close()
    extraction.script = lambda _: None
    work(worker)
    [job] = archive.job_queue.jobs()
    assert (job.state, job.attempts, job.interruptions) == (JobState.DONE, 0, 0)
    database.close()


def test_a_receipt_that_needs_review_is_filed_like_any_other(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    """Review never blocks: the record is stored and filed, and the log says its status."""
    caplog.set_level(logging.INFO, "extractor")
    queued_job("lunch.jpg")
    extraction.script = lambda source: make_record(source, status=RecordStatus.NEEDS_REVIEW)
    work(worker)
    assert states(archive) == {"lunch.jpg": JobState.DONE}
    assert [record.status for record in archive.receipts.list()] == [RecordStatus.NEEDS_REVIEW]
    assert [vars(entry)["status"] for entry in caplog.records if entry.message == "receipt_stored"] == ["needs_review"]


def test_stopping_leaves_the_rest_in_the_queue(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job]
) -> None:
    """The batch in hand is finished and filed, the next one is not begun."""
    for number in range(8):
        queued_job(f"{number}.jpg")
    stop = threading.Event()

    def order(_: Source) -> None:
        stop.set()

    extraction.script = order
    worker.run_once(stop)
    counts = archive.job_queue.counts()
    assert counts == {JobState.DONE: 4, JobState.QUEUED: 4}


def test_a_failed_file_that_left_the_inbox_is_withdrawn(archive: Archive, worker: Worker, drop: Callable[..., Path]) -> None:
    """Nothing is reported about a file that its owner has taken away."""
    path = drop("lunch.jpg", b"half")
    archive.job_queue.reject(Arrival(Path("lunch.jpg"), 4, digest(path)), Encrypted("lunch.jpg is encrypted."))
    path.unlink()
    work(worker)
    assert states(archive) == {"lunch.jpg": JobState.WITHDRAWN}


def test_a_crash_while_filing_delays_one_receipt_only(
    archive: Archive, extraction: ScriptedExtraction, clock: ManualClock, queued_job: Callable[..., Job]
) -> None:
    """An odd exception in filing keeps the receipt stored, to be filed later; the others are filed now."""

    class OddFiling(Filing):
        is_odd = True

        def file_records(self, job: Job, records: Sequence[Record]) -> None:
            if self.is_odd and job.name == "odd.jpg":
                raise ZeroDivisionError
            super().file_records(job, records)

    filing = OddFiling(archive.settings.inbox_dir, archive.settings.outbox_dir)
    archive = replace(archive, job_queue=JobQueue(archive.database, clock, WorkSettings(backoff_seconds=10)), filing=filing)
    worker = make_worker(archive, extraction, clock)
    queued_job("odd.jpg")
    queued_job("even.jpg")
    work(worker)
    assert states(archive) == {"odd.jpg": JobState.STORED, "even.jpg": JobState.DONE}
    filing.is_odd = False
    clock.advance(10)
    work(worker)
    assert set(states(archive).values()) == {JobState.DONE}


def test_a_failure_that_comes_after_the_lease_has_ended_counts_for_nothing(
    archive: Archive, worker: Worker, extraction: ScriptedExtraction, queued_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    """Who has taken the file over decides about it; the neighbours of the batch are not held up."""
    for name in ("taken.jpg", "other.jpg"):
        queued_job(name)

    def script(source: Source) -> ExtractorError | None:
        if source.name != "taken.jpg":
            return None
        archive.job_queue.reclaim(ignore_leases=True)
        archive.job_queue.claim("another worker", 2)
        return ReaderUnavailable("The reader is away. It is asked again.")

    extraction.script = script
    work(worker)
    assert caplog.messages.count("lease_lost") == 2
    assert {job.worker for job in archive.job_queue.jobs(JobState.READING)} == {"another worker"}
