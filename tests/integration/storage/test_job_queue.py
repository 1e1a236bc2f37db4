"""The ledger on a real SQLite file: legal moves, leases, retries, and any sequence of them."""

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
from extractor.storage.database.job_queue import SUSPECTS_TURN, LeaseLost, Ledger
from extractor.testing import ManualClock

LEASE, BACKOFF, CAP, ATTEMPTS = 300.0, 10.0, 60.0, 4
WORK = WorkSettings(lease_seconds=LEASE, backoff_seconds=BACKOFF, max_backoff_seconds=CAP, max_attempts=ATTEMPTS)
BUSY = ReaderUnavailable("The reader timed out. It is asked again.")
FULL = StorageError("The disk is full. Free some space.")
ENCRYPTED = Encrypted("lunch.pdf is encrypted. Remove the password.")


@pytest.fixture
def ledger(archive: Archive, clock: ManualClock) -> Ledger:
    """With leases and back-off, on the archive's database."""
    return Ledger(archive.database, clock, WORK)


def arrival(name: str = "lunch.jpg", content: str | None = None) -> Arrival:
    return Arrival(Path(name), 5, hashlib.sha256((content or name).encode()).hexdigest())


def enqueue(ledger: Ledger, name: str = "lunch.jpg", content: str | None = None) -> Job:
    job = ledger.enqueue(arrival(name, content))
    assert job is not None
    return job


def test_a_job_goes_from_queued_to_done(ledger: Ledger, archive: Archive) -> None:
    """The ordinary way, with its times and its place."""
    queued = enqueue(ledger, "travel/lunch.jpg")
    assert (queued.state, queued.name, queued.tags, queued.filed_at) == (JobState.QUEUED, "lunch.jpg", ("travel",), None)
    [reading] = ledger.claim("w", 5)
    assert (reading.state, reading.worker) == (JobState.READING, "w")
    with archive.database.write() as connection:
        ledger.stored(connection, reading, "2026/03/lunch-X.jpg")
    [stored] = ledger.to_file(5)
    done = ledger.filed(stored)
    assert (done.state, done.filed_as, done.filed_at) == (JobState.DONE, "2026/03/lunch-X.jpg", queued.received_at)
    assert ledger.open_paths() == frozenset()
    assert ledger.next_due() is None


def test_the_same_bytes_are_a_duplicate_in_flight_and_when_done(ledger: Ledger, archive: Archive) -> None:
    """A file whose bytes are known is recorded with the first one's id, whatever its name."""
    first = enqueue(ledger, "a.jpg", "same")
    second = enqueue(ledger, "b.jpg", "same")
    assert (second.state, second.duplicate_of) == (JobState.DUPLICATE, first.receipt_id)
    [reading] = ledger.claim("w", 5)
    with archive.database.write() as connection:
        ledger.stored(connection, reading, "x")
    ledger.filed(ledger.to_file(1)[0])
    assert enqueue(ledger, "c.jpg", "same").duplicate_of == first.receipt_id


def test_an_open_path_is_taken_once(ledger: Ledger) -> None:
    """However often the inbox reports a path, it has one open job; other bytes under the same name wait until that one is closed."""
    enqueue(ledger)
    assert ledger.enqueue(arrival()) is None
    assert ledger.enqueue(arrival(content="other bytes")) is None
    assert ledger.reject(arrival(), ENCRYPTED) is None


def test_a_duplicate_takes_the_place_of_a_first_file_that_is_withdrawn(ledger: Ledger) -> None:
    """A file that is renamed in the inbox while it waits is read under its new name, not put aside as a duplicate of nothing."""
    enqueue(ledger, "before.jpg", "same")
    renamed = enqueue(ledger, "after.jpg", "same")
    third = enqueue(ledger, "third.jpg", "same")
    assert ledger.to_file(5) == ()
    [reading] = ledger.claim("w", 5)
    assert ledger.withdraw(reading).state is JobState.WITHDRAWN
    [promoted] = ledger.claim("w", 5)
    assert (promoted.id, promoted.duplicate_of) == (renamed.id, None)
    assert [job.duplicate_of for job in ledger.jobs(JobState.DUPLICATE) if job.id == third.id] == [renamed.receipt_id]


def test_attempts_back_off_twice_as_long_each_time_and_end(ledger: Ledger, clock: ManualClock) -> None:
    """A reader that is not there is asked again after 10, 20, 40 seconds; then the job fails with the last error."""
    enqueue(ledger)
    waits = []
    while reading := ledger.claim("w", 5):
        job = ledger.try_again(reading[0], BUSY)
        if job.state is JobState.FAILED:
            break
        waits.append(job.next_attempt_at - clock.now().timestamp())
        assert ledger.claim("w", 5) == ()
        clock.advance(waits[-1])
    assert waits == [10, 20, 40]
    assert (job.state, job.attempts, job.error_kind, job.error_message) == (JobState.FAILED, ATTEMPTS, "ReaderUnavailable", str(BUSY))


def test_storage_is_waited_for_without_end(ledger: Ledger, clock: ManualClock) -> None:
    """A full disk never fails a file: it waits, at most a minute at a time, and no attempt is counted."""
    enqueue(ledger)
    for _ in range(20):
        [reading] = ledger.claim("w", 5)
        job = ledger.try_again(reading, FULL)
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        assert job.next_attempt_at - clock.now().timestamp() <= 60
        clock.advance(60)


def test_an_answer_that_stayed_bad_is_tried_again_later(ledger: Ledger) -> None:
    """The remedy REASK at the level of jobs is another attempt."""
    enqueue(ledger)
    [reading] = ledger.claim("w", 5)
    assert ledger.try_again(reading, BadAnswer("not JSON", text="{")).attempts == 1


def test_retries_do_not_starve_new_files(ledger: Ledger, clock: ManualClock) -> None:
    """Files that fail again and again stand behind files that came while they waited."""
    for number in range(5):
        enqueue(ledger, f"bad{number}.jpg")
    for reading in ledger.claim("w", 5):
        ledger.try_again(reading, BUSY)
    clock.advance(BACKOFF - 1)
    enqueue(ledger, "new.jpg")
    clock.advance(BACKOFF)
    assert [job.name for job in ledger.claim("w", 1)] == ["new.jpg"]


def test_a_dead_workers_job_is_taken_over_after_its_lease_and_alone(ledger: Ledger, clock: ManualClock) -> None:
    """What may have killed a worker is read after all others and in no one's company."""
    enqueue(ledger, "killer.jpg")
    ledger.claim("dead", 5)
    for name in ("a.jpg", "b.jpg"):
        enqueue(ledger, name)
    assert [job.name for job in ledger.claim("w", 5)] == ["a.jpg", "b.jpg"]
    clock.advance(LEASE - 1)
    assert ledger.claim("w", 5) == ()
    clock.advance(1)
    assert [job.name for job in ledger.claim("w2", 5)] != []
    assert ledger.counts() == {JobState.READING: 1, JobState.QUEUED: 2}


def test_new_files_do_not_starve_what_was_interrupted(ledger: Ledger) -> None:
    """A file during which the program died is read soon, and alone, also while new files come faster than they are read."""
    enqueue(ledger, "interrupted.jpg")
    ledger.claim("dead", 5)
    ledger.reclaim(from_the_dead=True)
    claims = []
    for number in range(SUSPECTS_TURN):
        for copy in "abc":
            enqueue(ledger, f"{number}{copy}.jpg")
        claims.append([job.name for job in ledger.claim("w", 2)])
    assert [claim for claim in claims if "interrupted.jpg" in claim] == [["interrupted.jpg"]]
    assert [name for claim in claims for name in claim if name != "interrupted.jpg"][:4] == ["0a.jpg", "0b.jpg", "0c.jpg", "1a.jpg"]


def test_new_files_do_not_starve_retries(ledger: Ledger, clock: ManualClock) -> None:
    """A file that is to be tried again has its turn among those that came while it waited, by the time that it was due."""
    enqueue(ledger, "again.jpg")
    [reading] = ledger.claim("w", 1)
    ledger.try_again(reading, BUSY)
    order = []
    for number in range(20):
        enqueue(ledger, f"{number}.jpg")
        enqueue(ledger, f"{number} more.jpg")
        clock.advance(BACKOFF / 5)
        order += [job.name for job in ledger.claim("w", 1)]
    assert order.index("again.jpg") == 10  # two came before it was due for each one that was read: 10 of them


def test_a_file_that_kills_every_worker_fails(ledger: Ledger) -> None:
    """A file that ends the program again and again does not do so for ever; it fails with that reason."""
    enqueue(ledger)
    for _ in range(ATTEMPTS):
        assert len(ledger.claim("w", 5)) == 1
        ledger.reclaim(from_the_dead=True)
    [failed] = ledger.to_file(5)
    assert (failed.state, failed.error_kind, failed.interruptions) == (JobState.FAILED, "Interrupted", ATTEMPTS)


def test_a_released_job_is_as_if_never_claimed(ledger: Ledger) -> None:
    """A clean stop counts neither as an attempt nor as an interruption."""
    queued = enqueue(ledger)
    ledger.claim("w", 5)
    assert ledger.release("other") == 0
    assert ledger.release("w") == 1
    assert ledger.job(queued.receipt_id) == queued


@pytest.mark.parametrize(
    "move",
    [
        lambda ledger, job: ledger.try_again(job, BUSY),
        lambda ledger, job: ledger.fail(job, ENCRYPTED),
        lambda ledger, job: ledger.withdraw(job),
    ],
)
def test_a_worker_that_lost_its_lease_changes_nothing(ledger: Ledger, clock: ManualClock, move: Callable[[Ledger, Job], Job]) -> None:
    """What a worker does too late does not count: another has the job."""
    enqueue(ledger)
    [late] = ledger.claim("late", 5)
    clock.advance(LEASE)
    [now] = ledger.claim("now", 5)
    with pytest.raises(LeaseLost):
        move(ledger, late)
    assert ledger.job(now.receipt_id) == now


def test_a_record_is_not_saved_by_a_worker_that_lost_its_lease(ledger: Ledger, archive: Archive, clock: ManualClock) -> None:
    """The late worker's transaction ends without effect."""
    enqueue(ledger)
    [late] = ledger.claim("late", 5)
    clock.advance(LEASE)
    ledger.claim("now", 5)
    with pytest.raises(LeaseLost), archive.database.write() as connection:
        ledger.stored(connection, late, "x")
    assert ledger.counts() == {JobState.READING: 1}


def test_refused_things_are_known(ledger: Ledger) -> None:
    """What is no file is reported once, although it stays in the inbox; its name may still become a file's."""
    job = ledger.reject(Arrival(Path("pipe"), 0, None), Refused("pipe is a FIFO."))
    assert job is not None
    ledger.filed(job)
    assert ledger.refused_paths() == {Path("pipe")}
    assert ledger.open_paths() == frozenset()
    assert enqueue(ledger, "pipe").state is JobState.QUEUED


def test_a_retried_job_starts_from_the_beginning(ledger: Ledger) -> None:
    """Retry clears attempts and error; where the bytes are known by then, the file is a duplicate."""
    enqueue(ledger)
    [reading] = ledger.claim("w", 5)
    failed = ledger.filed(ledger.plan(ledger.fail(reading, ENCRYPTED), "failed/lunch.jpg"))
    queued = ledger.requeue(failed, Path("lunch.jpg"))
    assert (queued.state, queued.attempts, queued.error_kind, queued.filed_as) == (JobState.QUEUED, 0, None, None)
    [reading] = ledger.claim("w", 5)
    failed = ledger.filed(ledger.fail(reading, ENCRYPTED))
    again = enqueue(ledger, "again.jpg", "lunch.jpg")
    assert again.state is JobState.QUEUED
    assert ledger.requeue(failed, Path("lunch.jpg")).duplicate_of == again.receipt_id


def test_a_retry_that_the_inbox_has_overtaken_changes_nothing(ledger: Ledger) -> None:
    """Where the returned file has its job already, the failed one stays as it is."""
    job = ledger.reject(arrival(), ENCRYPTED)
    assert job is not None
    failed = ledger.filed(job)
    enqueue(ledger, content="other bytes under the same name")
    assert ledger.requeue(failed, Path("lunch.jpg")).state is JobState.FAILED


def test_files_are_listed_newest_first(ledger: Ledger, clock: ManualClock) -> None:
    """However many there are, only the last ones are looked at; states narrow them."""
    for number in range(5):
        enqueue(ledger, f"{number}.jpg")
        clock.advance(1)
    ledger.reject(arrival("broken.jpg"), ENCRYPTED)
    assert [job.name for job in ledger.newest(limit=3)] == ["broken.jpg", "4.jpg", "3.jpg"]
    assert [job.name for job in ledger.newest(JobState.QUEUED, limit=2)] == ["4.jpg", "3.jpg"]


def test_names_that_are_not_utf8_come_back_as_they_were(ledger: Ledger) -> None:
    """The path is the file system's bytes; the name is printable."""
    job = enqueue(ledger, "caf\udce9.jpg", "bytes")
    assert (job.path, job.name) == (Path("caf\udce9.jpg"), r"caf\xe9.jpg")


def test_eight_processes_never_share_a_job(tmp_path: Path) -> None:
    """200 jobs are handed out to 8 processes on one database, each exactly once."""
    database = Database(tmp_path / "receipts.db")
    ledger = Ledger(database, SystemClock(), WORK)
    for number in range(200):
        enqueue(ledger, f"{number}.jpg")
    context = multiprocessing.get_context("forkserver")
    imported_once = ["extractor.storage.database.job_queue", "extractor.testing", "hypothesis.stateful", "pytest"]
    context.set_forkserver_preload(imported_once)
    with context.Pool(8) as pool:
        claimed = list(itertools.chain(*pool.map(_claim_all, [tmp_path / "receipts.db"] * 8)))
    database.close()
    assert Counter(claimed) == dict.fromkeys(range(1, 201), 1)


def _claim_all(path: Path) -> list[int]:
    database = Database(path, busy_seconds=60)
    ledger = Ledger(database, SystemClock(), WORK)
    claimed: list[int] = []
    while jobs := ledger.claim(multiprocessing.current_process().name, 3):
        claimed += [job.id for job in jobs]
    database.close()
    return claimed


@functools.cache
def empty_database() -> Path:
    """A database with its schema and nothing in it, made once for all examples."""
    path = Path(tempfile.mkdtemp()) / "empty.db"
    Database(path).close()
    return path


class LedgerMachine(RuleBasedStateMachine):
    """Any order of arrivals, claims, outcomes, crashes and waits, against the promises that hold in every state."""

    claimed = Bundle("claimed")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        shutil.copy(empty_database(), Path(self.folder.name) / "receipts.db")
        self.database = Database(Path(self.folder.name) / "receipts.db")
        self.ledger = Ledger(self.database, self.clock, WORK)
        self.arrived: dict[int, Arrival] = {}
        self.holders: dict[int, str] = {}

    @rule(name=st.sampled_from("abcd"), content=st.sampled_from("123"))
    def arrive(self, name: str, content: str) -> None:
        arrived = arrival(name, content)
        was_open = Path(name) in self.ledger.open_paths()
        job = self.ledger.enqueue(arrived)
        assert (job is None) == was_open
        if job:
            self.arrived[job.id] = arrived

    @rule(name=st.sampled_from("abcd"), content=st.sampled_from("123"))
    def arrive_broken(self, name: str, content: str) -> None:
        if job := self.ledger.reject(arrival(name, content), ENCRYPTED):
            assert job.state is JobState.FAILED
            self.arrived[job.id] = arrival(name, content)

    @rule(target=claimed, worker=st.sampled_from("vw"), limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> tuple[Job, ...]:
        jobs = self.ledger.claim(worker, limit)
        assert len(jobs) <= limit
        assert all(job.next_attempt_at <= self.clock.now().timestamp() for job in jobs)
        assert len(jobs) <= 1 or all(job.interruptions == 0 for job in jobs)
        return jobs

    @rule(jobs=consumes(claimed), outcome=st.sampled_from(["stored", "later", "wait", "fail", "withdraw"]))
    def conclude(self, jobs: tuple[Job, ...], outcome: str) -> None:
        for job in jobs:
            now = self.ledger.job(job.receipt_id)
            assert now is not None
            is_held = now.state is JobState.READING and now.worker == job.worker
            try:
                self._conclude(job, outcome)
            except LeaseLost:
                assert not is_held
                assert self.ledger.job(job.receipt_id) == now
            else:
                assert is_held

    def _conclude(self, job: Job, outcome: str) -> None:
        match outcome:
            case "stored":
                with self.database.write() as connection:
                    self.ledger.stored(connection, job, "place")
            case "later":
                self.ledger.try_again(job, BUSY)
            case "wait":
                assert self.ledger.try_again(job, FULL).state is JobState.QUEUED
            case "fail":
                self.ledger.fail(job, ENCRYPTED)
            case _:
                self.ledger.withdraw(job)

    @rule(outcome=st.sampled_from(["filed", "postpone", "vanished"]))
    def file(self, outcome: str) -> None:
        for job in self.ledger.to_file(2):
            if outcome == "filed":
                assert self.ledger.filed(job).filed_at is not None
            elif outcome == "postpone":
                assert self.ledger.postpone(job).filed_at is None
            elif job.state is not JobState.STORED:
                self.ledger.vanished(job)

    @rule()
    def retry(self) -> None:
        for job in self.ledger.jobs(JobState.FAILED):
            if job.filed_at:
                self.ledger.requeue(job, job.path)

    @rule(worker=st.sampled_from("vw"))
    def stop_cleanly(self, worker: str) -> None:
        self.ledger.release(worker)

    @rule()
    def crash(self) -> None:
        self.database.close()
        self.database = Database(Path(self.folder.name) / "receipts.db")
        self.ledger = Ledger(self.database, self.clock, WORK)
        self.ledger.reclaim(from_the_dead=True)
        assert not self.ledger.jobs(JobState.READING)

    @rule(seconds=st.sampled_from([1.0, BACKOFF, CAP, LEASE]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def promises_hold(self) -> None:
        """Every arrival is in one state; no content lives twice, no path is open twice; closed means decided; attempts are bounded."""
        jobs = self.ledger.jobs()
        assert {job.id: (job.path, job.sha256) for job in jobs} == {id_: (one.path, one.sha256) for id_, one in self.arrived.items()}
        living = [job.sha256 for job in jobs if job.state in {JobState.QUEUED, JobState.READING, JobState.STORED, JobState.DONE}]
        assert len(set(living)) == len(living)
        open_paths = [job.path for job in jobs if job.filed_at is None]
        assert len(set(open_paths)) == len(open_paths)
        assert all(job.filed_at is None for job in jobs if job.state in {JobState.QUEUED, JobState.READING, JobState.STORED})
        assert all(job.attempts <= ATTEMPTS and job.interruptions <= ATTEMPTS for job in jobs)

    def teardown(self) -> None:
        """Whatever happened, waiting and working brings every job to an end."""
        if not hasattr(self, "ledger"):
            return
        self.ledger.reclaim(from_the_dead=True)
        for _ in range(100):
            if all(job.filed_at for job in self.ledger.jobs()):
                break
            self.clock.advance(CAP)
            for job in self.ledger.claim("last", 10):
                self._conclude(job, "stored")
            for job in self.ledger.to_file(10):
                self.ledger.filed(job)
        assert all(job.filed_at for job in self.ledger.jobs())
        self.database.close()
        self.folder.cleanup()


LedgerMachine.TestCase.settings = hypothesis_settings(max_examples=20, stateful_step_count=30)
TestLedgerMachine: Any = LedgerMachine.TestCase
