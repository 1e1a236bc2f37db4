"""The job queue on a real SQLite file: legal moves, leases, retries, and any sequence of them."""

import functools
import hashlib
import itertools
import multiprocessing
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from extractor.config.settings import WorkSettings
from extractor.errors import BadAnswer, Encrypted, ReaderUnavailable, StorageError
from extractor.jobs import Arrival, Job, JobState, Refused
from extractor.runtime.clock import SystemClock
from extractor.storage.archive import Archive
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queue import INTERRUPTED_FIRST_EVERY, JobQueue, LeaseLost
from extractor.testing import ManualClock

LEASE, BACKOFF, CAP, ATTEMPTS = 300.0, 10.0, 60.0, 4
WORK = WorkSettings(lease_seconds=LEASE, backoff_seconds=BACKOFF, max_backoff_seconds=CAP, max_attempts=ATTEMPTS)
BUSY = ReaderUnavailable("The reader timed out. It is asked again.")
FULL = StorageError("The disk is full. Free some space.")
ENCRYPTED = Encrypted("lunch.pdf is encrypted. Remove the password.")


@pytest.fixture
def job_queue(archive: Archive, clock: ManualClock) -> JobQueue:
    """With leases and back-off, on the archive's database."""
    return JobQueue(archive.database, clock, WORK)


def arrival(name: str = "lunch.jpg", content: str | None = None) -> Arrival:
    return Arrival(Path(name), 5, hashlib.sha256((content or name).encode()).hexdigest())


def enqueue(job_queue: JobQueue, name: str = "lunch.jpg", content: str | None = None) -> Job:
    job = job_queue.enqueue(arrival(name, content))
    assert job is not None
    return job


def test_a_job_goes_from_queued_to_done(job_queue: JobQueue, archive: Archive) -> None:
    """The ordinary way, with its times and its place."""
    queued = enqueue(job_queue, "travel/lunch.jpg")
    assert (queued.state, queued.name, queued.tags, queued.filed_at) == (JobState.QUEUED, "lunch.jpg", ("travel",), None)
    [reading] = job_queue.claim("w", 5)
    assert (reading.state, reading.worker) == (JobState.READING, "w")
    with archive.database.write() as connection:
        job_queue.stored(connection, reading, "2026/03/lunch-X.jpg")
    [stored] = job_queue.to_file(5)
    done = job_queue.filed(stored)
    assert (done.state, done.filed_as, done.filed_at) == (JobState.DONE, "2026/03/lunch-X.jpg", queued.received_at)
    assert job_queue.open_paths() == frozenset()
    assert job_queue.next_due() is None


def test_the_same_bytes_are_a_duplicate_in_flight_and_when_done(job_queue: JobQueue, archive: Archive) -> None:
    """A file whose bytes are known is recorded with the first one's id, whatever its name."""
    first = enqueue(job_queue, "a.jpg", "same")
    second = enqueue(job_queue, "b.jpg", "same")
    assert (second.state, second.duplicate_of) == (JobState.DUPLICATE, first.receipt_id)
    [reading] = job_queue.claim("w", 5)
    with archive.database.write() as connection:
        job_queue.stored(connection, reading, "x")
    job_queue.filed(job_queue.to_file(1)[0])
    assert enqueue(job_queue, "c.jpg", "same").duplicate_of == first.receipt_id


def test_an_open_path_is_taken_once(job_queue: JobQueue) -> None:
    """However often the inbox reports a path, it has one open job; other bytes under the same name wait until that one is closed."""
    enqueue(job_queue)
    assert job_queue.enqueue(arrival()) is None
    assert job_queue.enqueue(arrival(content="other bytes")) is None
    assert job_queue.reject(arrival(), ENCRYPTED) is None


def test_a_duplicate_takes_the_place_of_a_first_file_that_is_withdrawn(job_queue: JobQueue) -> None:
    """A file that is renamed in the inbox while it waits is read under its new name, not put aside as a duplicate of nothing."""
    enqueue(job_queue, "before.jpg", "same")
    renamed = enqueue(job_queue, "after.jpg", "same")
    third = enqueue(job_queue, "third.jpg", "same")
    assert job_queue.to_file(5) == ()
    [reading] = job_queue.claim("w", 5)
    assert job_queue.withdraw(reading).state is JobState.WITHDRAWN
    [promoted] = job_queue.claim("w", 5)
    assert (promoted.id, promoted.duplicate_of) == (renamed.id, None)
    assert [job.duplicate_of for job in job_queue.jobs(JobState.DUPLICATE) if job.id == third.id] == [renamed.receipt_id]


def test_attempts_back_off_twice_as_long_each_time_and_end(job_queue: JobQueue, clock: ManualClock) -> None:
    """A reader that is not there is asked again after 10, 20, 40 seconds; then the job fails with the last error."""
    enqueue(job_queue)
    waits = []
    while reading := job_queue.claim("w", 5):
        job = job_queue.try_again(reading[0], BUSY)
        if job.state is JobState.FAILED:
            break
        waits.append(job.next_attempt_at - clock.now().timestamp())
        assert job_queue.claim("w", 5) == ()
        clock.advance(waits[-1])
    assert waits == [10, 20, 40]
    assert (job.state, job.attempts, job.error_kind, job.error_message) == (JobState.FAILED, ATTEMPTS, "ReaderUnavailable", str(BUSY))


def test_storage_is_waited_for_without_end(job_queue: JobQueue, clock: ManualClock) -> None:
    """A full disk never fails a file: it waits, at most a minute at a time, and no attempt is counted."""
    enqueue(job_queue)
    for _ in range(20):
        [reading] = job_queue.claim("w", 5)
        job = job_queue.try_again(reading, FULL)
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        assert job.next_attempt_at - clock.now().timestamp() <= 60
        clock.advance(60)


def test_an_answer_that_stayed_bad_is_tried_again_later(job_queue: JobQueue) -> None:
    """The remedy REASK at the level of jobs is another attempt."""
    enqueue(job_queue)
    [reading] = job_queue.claim("w", 5)
    assert job_queue.try_again(reading, BadAnswer("not JSON", text="{")).attempts == 1


def test_retries_do_not_starve_new_files(job_queue: JobQueue, clock: ManualClock) -> None:
    """Files that fail again and again stand behind files that came while they waited."""
    for number in range(5):
        enqueue(job_queue, f"bad{number}.jpg")
    for reading in job_queue.claim("w", 5):
        job_queue.try_again(reading, BUSY)
    clock.advance(BACKOFF - 1)
    enqueue(job_queue, "new.jpg")
    clock.advance(BACKOFF)
    assert [job.name for job in job_queue.claim("w", 1)] == ["new.jpg"]


def test_a_dead_workers_job_is_taken_over_after_its_lease_and_alone(job_queue: JobQueue, clock: ManualClock) -> None:
    """What may have killed a worker is read after all others and in no one's company."""
    enqueue(job_queue, "killer.jpg")
    job_queue.claim("dead", 5)
    for name in ("a.jpg", "b.jpg"):
        enqueue(job_queue, name)
    assert [job.name for job in job_queue.claim("w", 5)] == ["a.jpg", "b.jpg"]
    clock.advance(LEASE - 1)
    assert job_queue.claim("w", 5) == ()
    clock.advance(1)
    assert [job.name for job in job_queue.claim("w2", 5)] != []
    assert job_queue.counts() == {JobState.READING: 1, JobState.QUEUED: 2}


def test_new_files_do_not_starve_what_was_interrupted(job_queue: JobQueue) -> None:
    """A file during which the program died is read soon, and alone, also while new files come faster than they are read."""
    enqueue(job_queue, "interrupted.jpg")
    job_queue.claim("dead", 5)
    job_queue.reclaim(ignore_leases=True)
    claims = []
    for number in range(INTERRUPTED_FIRST_EVERY):
        for copy in "abc":
            enqueue(job_queue, f"{number}{copy}.jpg")
        claims.append([job.name for job in job_queue.claim("w", 2)])
    assert [claim for claim in claims if "interrupted.jpg" in claim] == [["interrupted.jpg"]]
    assert [name for claim in claims for name in claim if name != "interrupted.jpg"][:4] == ["0a.jpg", "0b.jpg", "0c.jpg", "1a.jpg"]


def test_new_files_do_not_starve_retries(job_queue: JobQueue, clock: ManualClock) -> None:
    """A file that is to be tried again has its turn among those that came while it waited, by the time that it was due."""
    enqueue(job_queue, "again.jpg")
    [reading] = job_queue.claim("w", 1)
    job_queue.try_again(reading, BUSY)
    order = []
    for number in range(20):
        enqueue(job_queue, f"{number}.jpg")
        enqueue(job_queue, f"{number} more.jpg")
        clock.advance(BACKOFF / 5)
        order += [job.name for job in job_queue.claim("w", 1)]
    assert order.index("again.jpg") == 10  # two came before it was due for each one that was read: 10 of them


def test_a_file_that_kills_every_worker_fails(job_queue: JobQueue) -> None:
    """A file that ends the program again and again does not do so for ever; it fails with that reason."""
    enqueue(job_queue)
    for _ in range(ATTEMPTS):
        assert len(job_queue.claim("w", 5)) == 1
        job_queue.reclaim(ignore_leases=True)
    [failed] = job_queue.to_file(5)
    assert (failed.state, failed.error_kind, failed.interruptions) == (JobState.FAILED, "Interrupted", ATTEMPTS)


def test_a_released_job_is_as_if_never_claimed(job_queue: JobQueue) -> None:
    """A clean stop counts neither as an attempt nor as an interruption."""
    queued = enqueue(job_queue)
    job_queue.claim("w", 5)
    assert job_queue.release("other") == 0
    assert job_queue.release("w") == 1
    assert job_queue.job(queued.receipt_id) == queued


@pytest.mark.parametrize(
    "move",
    [
        lambda job_queue, job: job_queue.try_again(job, BUSY),
        lambda job_queue, job: job_queue.fail(job, ENCRYPTED),
        lambda job_queue, job: job_queue.withdraw(job),
    ],
)
def test_a_worker_that_lost_its_lease_changes_nothing(
    job_queue: JobQueue, clock: ManualClock, move: Callable[[JobQueue, Job], Job]
) -> None:
    """What a worker does too late does not count: another has the job."""
    enqueue(job_queue)
    [late] = job_queue.claim("late", 5)
    clock.advance(LEASE)
    [now] = job_queue.claim("now", 5)
    with pytest.raises(LeaseLost):
        move(job_queue, late)
    assert job_queue.job(now.receipt_id) == now


def test_a_record_is_not_saved_by_a_worker_that_lost_its_lease(job_queue: JobQueue, archive: Archive, clock: ManualClock) -> None:
    """The late worker's transaction ends without effect."""
    enqueue(job_queue)
    [late] = job_queue.claim("late", 5)
    clock.advance(LEASE)
    job_queue.claim("now", 5)
    with pytest.raises(LeaseLost), archive.database.write() as connection:
        job_queue.stored(connection, late, "x")
    assert job_queue.counts() == {JobState.READING: 1}


def test_refused_things_are_known(job_queue: JobQueue) -> None:
    """What is no file is reported once, although it stays in the inbox; its name may still become a file's."""
    job = job_queue.reject(Arrival(Path("pipe"), 0, None), Refused("pipe is a FIFO."))
    assert job is not None
    job_queue.filed(job)
    assert job_queue.refused_paths() == {Path("pipe")}
    assert job_queue.open_paths() == frozenset()
    assert enqueue(job_queue, "pipe").state is JobState.QUEUED


def test_a_retried_job_starts_from_the_beginning(job_queue: JobQueue) -> None:
    """Retry clears attempts and error; where the bytes are known by then, the file is a duplicate."""
    enqueue(job_queue)
    [reading] = job_queue.claim("w", 5)
    failed = job_queue.filed(job_queue.plan(job_queue.fail(reading, ENCRYPTED), "failed/lunch.jpg"))
    queued = job_queue.requeue(failed, Path("lunch.jpg"))
    assert (queued.state, queued.attempts, queued.error_kind, queued.filed_as) == (JobState.QUEUED, 0, None, None)
    [reading] = job_queue.claim("w", 5)
    failed = job_queue.filed(job_queue.fail(reading, ENCRYPTED))
    again = enqueue(job_queue, "again.jpg", "lunch.jpg")
    assert again.state is JobState.QUEUED
    assert job_queue.requeue(failed, Path("lunch.jpg")).duplicate_of == again.receipt_id


def test_a_retry_that_the_inbox_has_overtaken_changes_nothing(job_queue: JobQueue) -> None:
    """Where the returned file has its job already, the failed one stays as it is."""
    job = job_queue.reject(arrival(), ENCRYPTED)
    assert job is not None
    failed = job_queue.filed(job)
    enqueue(job_queue, content="other bytes under the same name")
    assert job_queue.requeue(failed, Path("lunch.jpg")).state is JobState.FAILED


def test_files_are_listed_newest_first(job_queue: JobQueue, clock: ManualClock) -> None:
    """Only the latest jobs are returned, filtered by state."""
    for number in range(5):
        enqueue(job_queue, f"{number}.jpg")
        clock.advance(1)
    job_queue.reject(arrival("broken.jpg"), ENCRYPTED)
    assert [job.name for job in job_queue.newest(limit=3)] == ["broken.jpg", "4.jpg", "3.jpg"]
    assert [job.name for job in job_queue.newest(JobState.QUEUED, limit=2)] == ["4.jpg", "3.jpg"]


def test_names_that_are_not_utf8_come_back_as_they_were(job_queue: JobQueue) -> None:
    """The path is the file system's bytes; the name is printable."""
    job = enqueue(job_queue, "caf\udce9.jpg", "bytes")
    assert (job.path, job.name) == (Path("caf\udce9.jpg"), r"caf\xe9.jpg")


def test_eight_processes_never_share_a_job(tmp_path: Path) -> None:
    """200 jobs are handed out to 8 processes on one database, each exactly once."""
    database = Database(tmp_path / "receipts.db")
    job_queue = JobQueue(database, SystemClock(), WORK)
    for number in range(200):
        enqueue(job_queue, f"{number}.jpg")
    context = multiprocessing.get_context("forkserver")
    imported_once = ["extractor.storage.database.job_queue", "extractor.testing", "hypothesis.stateful", "pytest"]
    context.set_forkserver_preload(imported_once)
    with context.Pool(8) as pool:
        claimed = list(itertools.chain(*pool.map(_claim_all, [tmp_path / "receipts.db"] * 8)))
    database.close()
    assert Counter(claimed) == dict.fromkeys(range(1, 201), 1)


def _claim_all(path: Path) -> list[int]:
    database = Database(path, busy_seconds=60)
    job_queue = JobQueue(database, SystemClock(), WORK)
    claimed: list[int] = []
    while jobs := job_queue.claim(multiprocessing.current_process().name, 3):
        claimed += [job.id for job in jobs]
    database.close()
    return claimed


@functools.cache
def empty_database() -> Path:
    """A database with its schema and nothing in it, made once for all examples."""
    path = Path(tempfile.mkdtemp()) / "empty.db"
    Database(path).close()
    return path


class JobQueueMachine(RuleBasedStateMachine):
    """Any order of arrivals, claims, outcomes, crashes and waits, against the promises that hold in every state."""

    claimed = Bundle("claimed")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        shutil.copy(empty_database(), Path(self.folder.name) / "receipts.db")
        self.database = Database(Path(self.folder.name) / "receipts.db")
        self.job_queue = JobQueue(self.database, self.clock, WORK)
        self.arrived: dict[int, Arrival] = {}
        self.holders: dict[int, str] = {}

    @rule(name=st.sampled_from("abcd"), content=st.sampled_from("123"))
    def arrive(self, name: str, content: str) -> None:
        arrived = arrival(name, content)
        was_open = Path(name) in self.job_queue.open_paths()
        job = self.job_queue.enqueue(arrived)
        assert (job is None) == was_open
        if job:
            self.arrived[job.id] = arrived

    @rule(name=st.sampled_from("abcd"), content=st.sampled_from("123"))
    def arrive_broken(self, name: str, content: str) -> None:
        if job := self.job_queue.reject(arrival(name, content), ENCRYPTED):
            assert job.state is JobState.FAILED
            self.arrived[job.id] = arrival(name, content)

    @rule(target=claimed, worker=st.sampled_from("vw"), limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> tuple[Job, ...]:
        jobs = self.job_queue.claim(worker, limit)
        assert len(jobs) <= limit
        assert all(job.next_attempt_at <= self.clock.now().timestamp() for job in jobs)
        assert len(jobs) <= 1 or all(job.interruptions == 0 for job in jobs)
        return jobs

    @rule(jobs=consumes(claimed), outcome=st.sampled_from(["stored", "later", "wait", "fail", "withdraw"]))
    def conclude(self, jobs: tuple[Job, ...], outcome: str) -> None:
        for job in jobs:
            now = self.job_queue.job(job.receipt_id)
            assert now is not None
            is_held = now.state is JobState.READING and now.worker == job.worker
            try:
                self._conclude(job, outcome)
            except LeaseLost:
                assert not is_held
                assert self.job_queue.job(job.receipt_id) == now
            else:
                assert is_held

    def _conclude(self, job: Job, outcome: str) -> None:
        match outcome:
            case "stored":
                with self.database.write() as connection:
                    self.job_queue.stored(connection, job, "place")
            case "later":
                self.job_queue.try_again(job, BUSY)
            case "wait":
                assert self.job_queue.try_again(job, FULL).state is JobState.QUEUED
            case "fail":
                self.job_queue.fail(job, ENCRYPTED)
            case _:
                self.job_queue.withdraw(job)

    @rule(outcome=st.sampled_from(["filed", "postpone", "vanished"]))
    def file(self, outcome: str) -> None:
        for job in self.job_queue.to_file(2):
            if outcome == "filed":
                assert self.job_queue.filed(job).filed_at is not None
            elif outcome == "postpone":
                assert self.job_queue.postpone(job).filed_at is None
            elif job.state is not JobState.STORED:
                self.job_queue.vanished(job)

    @rule()
    def retry(self) -> None:
        for job in self.job_queue.jobs(JobState.FAILED):
            if job.filed_at:
                self.job_queue.requeue(job, job.path)

    @rule(worker=st.sampled_from("vw"))
    def stop_cleanly(self, worker: str) -> None:
        self.job_queue.release(worker)

    @rule()
    def crash(self) -> None:
        self.database.close()
        self.database = Database(Path(self.folder.name) / "receipts.db")
        self.job_queue = JobQueue(self.database, self.clock, WORK)
        self.job_queue.reclaim(ignore_leases=True)
        assert not self.job_queue.jobs(JobState.READING)

    @rule(seconds=st.sampled_from([1.0, BACKOFF, CAP, LEASE]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def promises_hold(self) -> None:
        """Every arrival is in one state; no content lives twice, no path is open twice; closed means decided; attempts are bounded."""
        jobs = self.job_queue.jobs()
        assert {job.id: (job.path, job.sha256) for job in jobs} == {id_: (one.path, one.sha256) for id_, one in self.arrived.items()}
        living = [job.sha256 for job in jobs if job.state in {JobState.QUEUED, JobState.READING, JobState.STORED, JobState.DONE}]
        assert len(set(living)) == len(living)
        open_paths = [job.path for job in jobs if job.filed_at is None]
        assert len(set(open_paths)) == len(open_paths)
        assert all(job.filed_at is None for job in jobs if job.state in {JobState.QUEUED, JobState.READING, JobState.STORED})
        assert all(job.attempts <= ATTEMPTS and job.interruptions <= ATTEMPTS for job in jobs)

    def teardown(self) -> None:
        """Whatever happened, waiting and working brings every job to an end."""
        if not hasattr(self, "job_queue"):
            return
        self.job_queue.reclaim(ignore_leases=True)
        for _ in range(100):
            if all(job.filed_at for job in self.job_queue.jobs()):
                break
            self.clock.advance(CAP)
            for job in self.job_queue.claim("last", 10):
                self._conclude(job, "stored")
            for job in self.job_queue.to_file(10):
                self.job_queue.filed(job)
        assert all(job.filed_at for job in self.job_queue.jobs())
        self.database.close()
        self.folder.cleanup()


JobQueueMachine.TestCase.settings = hypothesis_settings(max_examples=20, stateful_step_count=30)
TestJobQueueMachine: Any = JobQueueMachine.TestCase
