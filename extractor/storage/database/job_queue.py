"""The legal moves of a file between its states, in job rows that survive any crash.

queued > reading > stored > done       `stored` is set in the transaction that saves the record; `done` when all files lie in the outbox
       > failed, duplicate             decided first, then the file is moved; open until `filed_at` is set
       > withdrawn                     the file was removed or replaced in the inbox before it was read: its new content is a new job

At most one open job has a path, and at most one living job has a content (SHA-256); the database enforces both.
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

LONGEST_STORAGE_WAIT = 60.0
"""Seconds between tries while a disk is full or a folder cannot be written: once that is cured, work goes on within a minute."""

SUSPECTS_TURN = 8
"""One claim in so many goes first to jobs that were interrupted: a steady stream of new files does not keep them waiting for ever."""

_UNDECIDED = (JobState.QUEUED, JobState.READING, JobState.STORED)
_TO_FILE = (JobState.STORED, JobState.FAILED, JobState.DUPLICATE)


class LeaseLost(StorageError):
    """The job is not ours any more: another worker took it over, or it was put back. What was done for it does not count."""


# Statements that every receipt needs are built once: building them costs several times what SQLite needs to run them. Those of arrivals
# and of every move come first, then those of claims and of filing, as in the class.
_IS_DUE = JOBS.c.next_attempt_at <= bindparam("now")

_INSERT = insert(JOBS).returning(*COLUMNS)
_OPEN_ID = select(JOBS.c.id).where(JOBS.c.path == bindparam("path"), IS_OPEN)
_LIVING_TWIN = select(JOBS.c.receipt_id).where(JOBS.c.sha256 == bindparam("sha256"), text(LIVING))

_MOVE = (
    update(JOBS)
    .where(
        JOBS.c.id == bindparam("job_id"),
        JOBS.c.state == bindparam("job_state"),
        JOBS.c.worker.is_not_distinct_from(bindparam("job_worker")),
    )
    .returning(*COLUMNS)
)
"""Changes one job, if it is still in the state, and in the hands, in which it was seen; the columns come with the parameters."""


def _claim_statement(which: ColumnElement[bool]) -> ReturningUpdate[Any]:
    due = select(JOBS.c.id).where(JOBS.c.state == JobState.QUEUED, _IS_DUE, IS_OPEN, which).order_by(*DUE_FIRST).limit(bindparam("count"))
    values = {"state": JobState.READING, "worker": bindparam("by"), "lease_until": bindparam("until")}
    return update(JOBS).where(JOBS.c.id.in_(due)).values(values).returning(*COLUMNS)


_CLAIM = _claim_statement(JOBS.c.interruptions == 0)
_CLAIM_SUSPECT = _claim_statement(JOBS.c.interruptions > 0)

_IS_READING = and_(IS_OPEN, JOBS.c.state == JobState.READING)
_HAS_LAPSED = and_(_IS_READING, JOBS.c.lease_until <= bindparam("lapsed"))
_FREED = {"worker": None, "lease_until": None, "interruptions": JOBS.c.interruptions + 1, "next_attempt_at": bindparam("now")}
_GIVE_UP = (
    update(JOBS)
    .where(_HAS_LAPSED, JOBS.c.interruptions + 1 >= bindparam("most"))
    .values(_FREED | {"state": JobState.FAILED, "error_kind": "Interrupted", "error_message": bindparam("message")})
)
_MEND = (
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
"""Makes due what has no reason to wait, or waits longer than any wait is: the clock went back since."""
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
    """The job rows of one database, to be moved. Every method is one transaction, unless it takes the caller's connection."""

    def __init__(self, database: Database, clock: Clock, work: WorkSettings) -> None:
        super().__init__(database)
        self._clock = clock
        self._work = work
        self._claims = 0

    @property
    def lease_seconds(self) -> float:
        """Time after which the jobs of a worker that is dead are taken from it."""
        return self._work.lease_seconds

    # Arrivals

    def enqueue(self, arrival: Arrival) -> Job | None:
        """The new job: `queued`, or `duplicate` where the same bytes are known. `None` where the path's job is still open."""
        return self._add(arrival, JobState.QUEUED, {})

    def reject(self, arrival: Arrival, error: ExtractorError) -> Job | None:
        """The new job, `failed` with this error. `None` where the path's job is still open."""
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
        """Up to `limit` jobs that are due, longest due first, now `reading` and leased to this worker; no two workers get the same.

        A job during which the program died is handed out alone, after all others, so that it can hurt no neighbour; where the others
        do not come to an end, it has every eighth turn.
        """
        self._claims += 1
        is_suspects_turn = self._claims % SUSPECTS_TURN == 0
        if not is_suspects_turn and (jobs := self._claim(_CLAIM, worker, limit)):
            return jobs
        self.reclaim()
        return self._claim(_CLAIM_SUSPECT, worker, 1) or (self._claim(_CLAIM, worker, limit) if is_suspects_turn else ())

    def _claim(self, statement: ReturningUpdate[Any], worker: str, limit: int) -> tuple[Job, ...]:
        now = self._clock.now().timestamp()
        values = {"now": now, "by": worker, "until": now + self._work.lease_seconds, "count": limit}
        with self._database.write() as connection:
            rows = connection.execute(statement, values).all()
        return tuple(sorted((job_of(row) for row in rows), key=lambda job: (job.next_attempt_at, job.id)))

    def reclaim(self, *, from_the_dead: bool = False) -> int:
        """How many jobs were taken from workers whose lease has ended; they are queued again, or fail when that happened too often.

        Where the clock has gone back, nothing waits for the time that it showed before.

        Args:
            from_the_dead: Take those of all workers, because it is known that none is alive.
        """
        now = self._clock.now().timestamp()
        message = "The program ended {} times while reading this file, perhaps for lack of memory. Make the file smaller and retry it."
        lapsed = {"now": now, "lapsed": math.inf if from_the_dead else now}
        hopeless = {"most": self._work.max_attempts, "message": message.format(self._work.max_attempts)}
        with self._database.write() as connection:
            connection.execute(_MEND, {"now": now, "latest": now + self._work.max_backoff_seconds})
            return connection.execute(_GIVE_UP, lapsed | hopeless).rowcount + connection.execute(_TAKE_BACK, lapsed).rowcount

    def renew(self, worker: str) -> int:
        """How many of the worker's jobs have their whole lease before them again."""
        until = self._clock.now().timestamp() + self._work.lease_seconds
        with self._database.write() as connection:
            return connection.execute(_RENEW, {"by": worker, "until": until}).rowcount

    def release(self, worker: str) -> int:
        """How many of the worker's jobs were put back into the queue, as if it had never had them."""
        with self._database.write() as connection:
            return connection.execute(_RELEASE, {"by": worker}).rowcount

    # Outcomes of reading

    def stored(self, connection: Connection, job: Job, filed_as: str) -> None:
        """Marks, in the caller's transaction, that the record is saved and its files go to `filed_as`.

        Raises:
            LeaseLost: The transaction must not be committed.
        """
        values = {"state": JobState.STORED, "filed_as": filed_as, "worker": None, "lease_until": None, "waits": 0}
        if not _moved(connection, job, values | {"error_kind": None, "error_message": None}):
            raise _lease_lost(job)

    def try_again(self, job: Job, error: ExtractorError) -> Job:
        """The job after an attempt that failed but may succeed later: queued with a longer wait each time, or failed after too many.

        Storage errors are not the file's fault: they are waited for without end and do not count as attempts.
        """
        is_waiting = isinstance(error, StorageError)
        attempts, waits = job.attempts + (not is_waiting), job.waits + is_waiting
        if attempts >= self._work.max_attempts:
            return self.fail(job, error)
        due = self._after_backoff(waits, LONGEST_STORAGE_WAIT) if is_waiting else self._after_backoff(attempts, math.inf)
        values = {"state": JobState.QUEUED, "attempts": attempts, "waits": waits, "next_attempt_at": due}
        return self._end_reading(job, values | _error_values(error))

    def fail(self, job: Job, error: ExtractorError) -> Job:
        """The job after an error that no later attempt will cure."""
        return self._end_reading(job, {"state": JobState.FAILED, "attempts": job.attempts + 1, "waits": 0} | _error_values(error))

    def withdraw(self, job: Job) -> Job:
        """The job of a file that is gone from the inbox, or has other bytes than it was queued with."""
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
        """Open jobs whose outcome is decided and whose files are due to be moved, longest due first.

        A duplicate waits until the first file is filed or failed: if that one is withdrawn, the duplicate takes its place.
        """
        with self._database.read() as connection:
            rows = connection.execute(_TO_FILE_DUE, {"now": self._clock.now().timestamp(), "count": limit})
            return tuple(job_of(row) for row in rows)

    def plan(self, job: Job, filed_as: str) -> Job:
        """The job with the place where its file is about to be moved; durably written down before it is moved."""
        return self._change(job, {"filed_as": filed_as}, durable=True)

    def filed(self, job: Job) -> Job:
        """The closed job: everything is in place. `stored` becomes `done`."""
        state = JobState.DONE if job.state is JobState.STORED else job.state
        return self._change(job, {"state": state, "filed_at": self._clock.now()})

    def postpone(self, job: Job) -> Job:
        """The job after its files could not be moved: tried again after a longer wait each time, without end."""
        return self._change(job, {"waits": job.waits + 1, "next_attempt_at": self._after_backoff(job.waits + 1, LONGEST_STORAGE_WAIT)})

    def vanished(self, job: Job) -> Job:
        """The closed job of a failed file or duplicate that left the inbox, or was replaced there, before it was moved."""
        return self._change(job, {"state": JobState.WITHDRAWN, "filed_at": self._clock.now()})

    def requeue(self, job: Job, path: Path) -> Job:
        """A failed job queued again from the start, its file being back in the inbox as `path`.

        Where the same bytes are known by now, it becomes a duplicate; where the inbox has taken the file already, it is left as it is.
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
            return job  # the inbox was quicker: the path has an open job

    def _change(self, job: Job, values: dict[str, object], *, durable: bool = False) -> Job:
        with self._database.write(durable=durable) as connection:
            return _moved(connection, job, values) or job

    def _after_backoff(self, times: int, longest: float) -> float:
        """Seconds since 1970 after a wait that doubles each time, up to the longest."""
        wait = min(self._work.backoff_seconds * 2.0 ** min(times - 1, 60), longest, self._work.max_backoff_seconds)
        return self._clock.now().timestamp() + wait


def _living_twin(connection: Connection, sha256: str | None) -> str | None:
    """`receipt_id` of the job that has these bytes and is not failed."""
    return connection.scalar(_LIVING_TWIN, {"sha256": sha256}) if sha256 else None


def _promote_duplicate(connection: Connection, withdrawn: Job) -> None:
    """Queues the oldest open duplicate of a withdrawn job in its place: its bytes may be the only ones left (a renamed file)."""
    copies = and_(JobRow.duplicate_of == withdrawn.receipt_id, JobRow.state == JobState.DUPLICATE, JobRow.filed_at.is_(None))
    heir = connection.execute(select(JobRow.id, JobRow.receipt_id).where(copies).order_by(JobRow.id).limit(1)).one_or_none()
    if heir:
        connection.execute(update(JobRow).where(JobRow.id == heir.id).values(state=JobState.QUEUED, duplicate_of=None))
        connection.execute(update(JobRow).where(copies).values(duplicate_of=heir.receipt_id))


def _moved(connection: Connection, job: Job, values: Mapping[str, object]) -> Job | None:
    """The job with new values; `None` where somebody else has moved it since."""
    seen = {"job_id": job.id, "job_state": job.state, "job_worker": job.worker}
    row = connection.execute(_MOVE, {**values, **seen}).one_or_none()
    return None if row is None else job_of(row)


def _lease_lost(job: Job) -> LeaseLost:
    return LeaseLost(f"{job.name} was taken over by another worker. Nothing is to be done.")


def _error_values(error: ExtractorError) -> dict[str, object]:
    return {"error_kind": type(error).__name__, "error_message": str(error)}
