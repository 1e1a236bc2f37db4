"""The job queue: transitions of files between their states, stored so that they survive a crash.

queued > reading > stored > done       `stored` is set in the transaction that saves the record, `done` when all files are in the outbox
       > failed, duplicate             decided first, then the file is moved; the job is open until `filed_at` is set
       > withdrawn                     the file was removed from the inbox or replaced before it was read; new content is a new job

At most one open job has a path, and at most one job that has not failed has a content (SHA-256); the database enforces both.

Jobs are leased to a worker and taken back when the lease ends. Several workers could share the queue. Today one service holds the
database's lock and has one worker, so that leases matter only after a crash.
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate

from extractor.config.settings import WorkSettings
from extractor.errors import ExtractorError, StorageError
from extractor.jobs import Arrival, Job, JobState, new_receipt_id
from extractor.runtime.clock import Clock
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queries import COLUMNS, DUE_FIRST, IS_OPEN, JOBS, JobQueries, job_of
from extractor.storage.database.tables import LIVING, JobRow

# Longest wait, in seconds, between attempts while a disk is full or a folder cannot be written: work resumes within a minute.
LONGEST_STORAGE_WAIT = 60.0

# Every so many claims, interrupted jobs come first, so that a steady stream of new files does not delay them for ever.
INTERRUPTED_FIRST_EVERY = 8

_UNDECIDED = (JobState.QUEUED, JobState.READING, JobState.STORED)
_TO_FILE = (JobState.STORED, JobState.FAILED, JobState.DUPLICATE)


class LeaseLost(StorageError):
    """The job was taken over by another worker or returned to the queue; the result of this attempt is discarded."""


# Statements that every receipt needs are built once: building one takes several times as long as running it. They are in the order of the
# class: arrivals and transitions, claims, filing.
_IS_DUE = JOBS.c.next_attempt_at <= bindparam("now")

_INSERT = insert(JOBS).returning(*COLUMNS)
_OPEN_ID = select(JOBS.c.id).where(JOBS.c.path == bindparam("path"), IS_OPEN)
_LIVING_TWIN = select(JOBS.c.receipt_id).where(JOBS.c.sha256 == bindparam("sha256"), text(LIVING))

# Changes a job if it still has the state and the worker with which it was read. The columns come with the parameters.
_MOVE = (
    update(JOBS)
    .where(
        JOBS.c.id == bindparam("job_id"),
        JOBS.c.state == bindparam("job_state"),
        JOBS.c.worker.is_not_distinct_from(bindparam("job_worker")),
    )
    .returning(*COLUMNS)
)


def _claim_statement(which: ColumnElement[bool]) -> ReturningUpdate[Any]:
    due = select(JOBS.c.id).where(JOBS.c.state == JobState.QUEUED, _IS_DUE, IS_OPEN, which).order_by(*DUE_FIRST).limit(bindparam("count"))
    values = {"state": JobState.READING, "worker": bindparam("by"), "lease_until": bindparam("until")}
    return update(JOBS).where(JOBS.c.id.in_(due)).values(values).returning(*COLUMNS)


_CLAIM = _claim_statement(JOBS.c.interruptions == 0)
_CLAIM_INTERRUPTED = _claim_statement(JOBS.c.interruptions > 0)

_IS_READING = and_(IS_OPEN, JOBS.c.state == JobState.READING)
_HAS_LAPSED = and_(_IS_READING, JOBS.c.lease_until <= bindparam("lapsed"))
_FREED = {"worker": None, "lease_until": None, "interruptions": JOBS.c.interruptions + 1, "next_attempt_at": bindparam("now")}
_GIVE_UP = (
    update(JOBS)
    .where(_HAS_LAPSED, JOBS.c.interruptions + 1 >= bindparam("most"))
    .values(_FREED | {"state": JobState.FAILED, "error_kind": "Interrupted", "error_message": bindparam("message")})
)
# Makes jobs due that have no reason to wait, or wait longer than the longest backoff: the clock was set back.
_MAKE_DUE = (
    update(JOBS)
    .where(
        IS_OPEN,
        JOBS.c.state != JobState.READING,
        JOBS.c.next_attempt_at > bindparam("now"),
        or_(
            JOBS.c.next_attempt_at > bindparam("latest"),
            and_(JOBS.c.waits == 0, or_(JOBS.c.state != JobState.QUEUED, JOBS.c.attempts == 0)),
        ),
    )
    .values(next_attempt_at=bindparam("now"))
)
_TAKE_BACK = update(JOBS).where(_HAS_LAPSED).values(_FREED | {"state": JobState.QUEUED})
_RENEW = update(JOBS).where(_IS_READING, JOBS.c.worker == bindparam("by")).values(lease_until=bindparam("until"))
_RELEASE = update(JOBS).where(_IS_READING, JOBS.c.worker == bindparam("by")).values(state=JobState.QUEUED, worker=None, lease_until=None)

_FIRST = JOBS.alias("first_job")
_FIRST_IS_UNDECIDED = exists().where(_FIRST.c.receipt_id == JOBS.c.duplicate_of, _FIRST.c.state.in_(_UNDECIDED))
_TO_FILE_DUE = (
    select(*COLUMNS)
    .where(JOBS.c.state.in_(_TO_FILE), IS_OPEN, _IS_DUE, or_(JOBS.c.state != JobState.DUPLICATE, ~_FIRST_IS_UNDECIDED))
    .order_by(*DUE_FIRST)
    .limit(bindparam("count"))
)


class JobQueue(JobQueries):
    """Reads and changes the jobs of a database. Each method is one transaction, unless it takes the caller's connection."""

    def __init__(self, database: Database, clock: Clock, work: WorkSettings) -> None:
        super().__init__(database)
        self._clock = clock
        self._work = work
        self._claims = 0

    @property
    def lease_seconds(self) -> float:
        """Duration of a lease, after which the jobs of a dead worker are taken back."""
        return self._work.lease_seconds

    # Arrivals

    def enqueue(self, arrival: Arrival) -> Job | None:
        """Adds a job, `queued` or, if the content is known, `duplicate`; `None` if the path has an open job."""
        return self._add(arrival, JobState.QUEUED, {})

    def reject(self, arrival: Arrival, error: ExtractorError) -> Job | None:
        """Adds a job that has `failed` with this error; `None` if the path has an open job."""
        return self._add(arrival, JobState.FAILED, _error_values(error))

    def _add(self, arrival: Arrival, state: JobState, values: dict[str, object]) -> Job | None:
        now = self._clock.now()
        row = dataclasses.asdict(arrival) | {
            "receipt_id": new_receipt_id(now), "name": arrival.name, "tags": arrival.tags, "received_at": now,
            "next_attempt_at": now.timestamp(), "state": state, "attempts": 0, "interruptions": 0, "waits": 0,
        }  # fmt: skip
        with self._database.write() as connection:
            if connection.scalar(_OPEN_ID, {"path": arrival.path}):
                return None
            if state is JobState.QUEUED and (twin := _living_twin(connection, arrival.sha256)):
                row |= {"state": JobState.DUPLICATE, "duplicate_of": twin}
            return job_of(connection.execute(_INSERT, row | values).one())

    # Claims

    def claim(self, worker: str, limit: int) -> tuple[Job, ...]:
        """Leases up to `limit` due jobs to the worker and returns them in order of due time.

        A job during which the program died is claimed alone and after all others, so that it cannot harm them; every eighth claim
        prefers it.
        """
        self._claims += 1
        interrupted_first = self._claims % INTERRUPTED_FIRST_EVERY == 0
        if not interrupted_first and (jobs := self._claim(_CLAIM, worker, limit)):
            return jobs
        self.reclaim()
        return self._claim(_CLAIM_INTERRUPTED, worker, 1) or (self._claim(_CLAIM, worker, limit) if interrupted_first else ())

    def _claim(self, statement: ReturningUpdate[Any], worker: str, limit: int) -> tuple[Job, ...]:
        now = self._clock.now().timestamp()
        values = {"now": now, "by": worker, "until": now + self._work.lease_seconds, "count": limit}
        with self._database.write() as connection:
            rows = connection.execute(statement, values).all()
        return tuple(sorted((job_of(row) for row in rows), key=lambda job: (job.next_attempt_at, job.id)))

    def reclaim(self, *, ignore_leases: bool = False) -> int:
        """Takes back jobs whose lease has ended, and returns how many. They are queued again, or fail after too many interruptions.

        Also makes jobs due that would wait too long because the clock was set back.

        Args:
            ignore_leases: Take back the jobs of all workers, because none is alive.
        """
        now = self._clock.now().timestamp()
        message = "The program ended {} times while reading this file, perhaps for lack of memory. Make the file smaller and retry it."
        lapsed = {"now": now, "lapsed": math.inf if ignore_leases else now}
        hopeless = {"most": self._work.max_attempts, "message": message.format(self._work.max_attempts)}
        with self._database.write() as connection:
            connection.execute(_MAKE_DUE, {"now": now, "latest": now + self._work.max_backoff_seconds})
            return connection.execute(_GIVE_UP, lapsed | hopeless).rowcount + connection.execute(_TAKE_BACK, lapsed).rowcount

    def renew(self, worker: str) -> int:
        """Renews the leases of the worker's jobs, and returns how many."""
        until = self._clock.now().timestamp() + self._work.lease_seconds
        with self._database.write() as connection:
            return connection.execute(_RENEW, {"by": worker, "until": until}).rowcount

    def release(self, worker: str) -> int:
        """Returns the worker's jobs to the queue, without counting an attempt, and returns how many."""
        with self._database.write() as connection:
            return connection.execute(_RELEASE, {"by": worker}).rowcount

    # Outcomes of reading

    def stored(self, connection: Connection, job: Job, filed_as: str) -> None:
        """Marks the job as stored in the caller's transaction, which saves the record; its file goes to `filed_as`.

        Raises:
            LeaseLost: The transaction must not be committed.
        """
        values = {"state": JobState.STORED, "filed_as": filed_as, "worker": None, "lease_until": None, "waits": 0}
        if not _moved(connection, job, values | {"error_kind": None, "error_message": None}):
            raise _lease_lost(job)

    def try_again(self, job: Job, error: ExtractorError) -> Job:
        """Queues the job again after a failed attempt, with a wait that doubles each time; after too many attempts, it fails.

        Storage errors do not count as attempts: the file is not to blame.
        """
        is_waiting = isinstance(error, StorageError)
        attempts, waits = job.attempts + (not is_waiting), job.waits + is_waiting
        if attempts >= self._work.max_attempts:
            return self.fail(job, error)
        due = self._after_backoff(waits, LONGEST_STORAGE_WAIT) if is_waiting else self._after_backoff(attempts, math.inf)
        values = {"state": JobState.QUEUED, "attempts": attempts, "waits": waits, "next_attempt_at": due}
        return self._end_reading(job, values | _error_values(error))

    def fail(self, job: Job, error: ExtractorError) -> Job:
        """Marks the job as failed."""
        return self._end_reading(job, {"state": JobState.FAILED, "attempts": job.attempts + 1, "waits": 0} | _error_values(error))

    def withdraw(self, job: Job) -> Job:
        """Closes the job of a file that was removed from the inbox or replaced before it was read."""
        return self._end_reading(job, {"state": JobState.WITHDRAWN, "filed_at": self._clock.now()})

    def _end_reading(self, job: Job, values: dict[str, object]) -> Job:
        with self._database.write() as connection:
            after = _moved(connection, job, {"worker": None, "lease_until": None} | values)
            if after is None:
                raise _lease_lost(job)
            if after.state is JobState.WITHDRAWN:
                _promote_duplicate(connection, job)
            return after

    # Filing

    def to_file(self, limit: int) -> tuple[Job, ...]:
        """Open jobs whose files are due to be moved to the outbox, in order of due time.

        A duplicate waits until the first file is filed or has failed: if that one is withdrawn, the duplicate is read instead.
        """
        with self._database.read() as connection:
            rows = connection.execute(_TO_FILE_DUE, {"now": self._clock.now().timestamp(), "count": limit})
            return tuple(job_of(row) for row in rows)

    def plan(self, job: Job, filed_as: str) -> Job:
        """Saves, durably, the path to which the job's file will be moved."""
        return self._change(job, {"filed_as": filed_as}, durable=True)

    def filed(self, job: Job) -> Job:
        """Closes the job, whose files are all in place; `stored` becomes `done`."""
        state = JobState.DONE if job.state is JobState.STORED else job.state
        return self._change(job, {"state": state, "filed_at": self._clock.now()})

    def postpone(self, job: Job) -> Job:
        """Delays filing after an error, with a wait that doubles each time; it is retried without end."""
        return self._change(job, {"waits": job.waits + 1, "next_attempt_at": self._after_backoff(job.waits + 1, LONGEST_STORAGE_WAIT)})

    def vanished(self, job: Job) -> Job:
        """Closes the job of a failed file or a duplicate that was removed from the inbox or replaced before it was moved."""
        return self._change(job, {"state": JobState.WITHDRAWN, "filed_at": self._clock.now()})

    def requeue(self, job: Job, path: Path) -> Job:
        """Queues a failed job again, as if it were new, with its file back in the inbox at `path`.

        It becomes a duplicate if the same content was filed meanwhile, and is not changed if the inbox has already taken the file.
        """
        fresh = {
            "path": path, "state": JobState.QUEUED, "attempts": 0, "interruptions": 0, "waits": 0, "error_kind": None,
            "error_message": None, "filed_as": None, "filed_at": None, "next_attempt_at": self._clock.now().timestamp(),
        }  # fmt: skip
        try:
            with self._database.write() as connection:
                if twin := _living_twin(connection, job.sha256):
                    fresh |= {"state": JobState.DUPLICATE, "duplicate_of": twin}
                return _moved(connection, job, fresh) or job
        except IntegrityError:
            return job  # the inbox was faster: the path has an open job

    def _change(self, job: Job, values: dict[str, object], *, durable: bool = False) -> Job:
        with self._database.write(durable=durable) as connection:
            return _moved(connection, job, values) or job

    def _after_backoff(self, times: int, longest: float) -> float:
        """Time in seconds since 1970, after a wait that doubles each time."""
        wait = min(self._work.backoff_seconds * 2.0 ** min(times - 1, 60), longest, self._work.max_backoff_seconds)
        return self._clock.now().timestamp() + wait


def _living_twin(connection: Connection, sha256: str | None) -> str | None:
    """`receipt_id` of the job that has this content and has not failed."""
    return connection.scalar(_LIVING_TWIN, {"sha256": sha256}) if sha256 else None


def _promote_duplicate(connection: Connection, withdrawn: Job) -> None:
    """Queues the oldest open duplicate of a withdrawn job: it may be the only copy left (of a renamed file)."""
    copies = and_(JobRow.duplicate_of == withdrawn.receipt_id, JobRow.state == JobState.DUPLICATE, JobRow.filed_at.is_(None))
    heir = connection.execute(select(JobRow.id, JobRow.receipt_id).where(copies).order_by(JobRow.id).limit(1)).one_or_none()
    if heir:
        connection.execute(update(JobRow).where(JobRow.id == heir.id).values(state=JobState.QUEUED, duplicate_of=None))
        connection.execute(update(JobRow).where(copies).values(duplicate_of=heir.receipt_id))


def _moved(connection: Connection, job: Job, values: Mapping[str, object]) -> Job | None:
    """Changes the job and returns it; `None` if its state or worker has changed since it was read."""
    seen = {"job_id": job.id, "job_state": job.state, "job_worker": job.worker}
    row = connection.execute(_MOVE, {**values, **seen}).one_or_none()
    return None if row is None else job_of(row)


def _lease_lost(job: Job) -> LeaseLost:
    return LeaseLost(f"{job.name} was taken over by another worker. Nothing has to be done.")


def _error_values(error: ExtractorError) -> dict[str, object]:
    return {"error_kind": type(error).__name__, "error_message": str(error)}
