"""Where every file is on its way, in job rows that survive any crash, and the legal moves between states.

queued > reading > stored > done       `stored` is set in the transaction that saves the record; `done` when all files lie in the outbox
       > failed, duplicate             decided first, then the file is moved; open until `filed_at` is set
       > withdrawn                     the file was removed or replaced in the inbox before it was read: its new content is a new job

At most one open job has a path, and at most one living job has a content (SHA-256); the database enforces both.
"""

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate

from extractor.clock import Clock
from extractor.database.sqlite import Database
from extractor.database.tables import LIVING, REFUSED, JobRow
from extractor.errors import ExtractorError, StorageError
from extractor.job import Arrival, Job, JobState
from extractor.settings import WorkSettings
from extractor.source import new_receipt_id

LONGEST_STORAGE_WAIT = 60.0
"""Seconds between tries while a disk is full or a folder cannot be written: once that is cured, work goes on within a minute."""

SUSPECTS_TURN = 8
"""One claim in so many goes first to jobs that were interrupted: a steady stream of new files does not keep them waiting for ever."""

_UNDECIDED = (JobState.QUEUED, JobState.READING, JobState.STORED)
_TO_FILE = (JobState.STORED, JobState.FAILED, JobState.DUPLICATE)


class LeaseLost(StorageError):
    """The job is not ours any more: another worker took it over, or it was put back. What was done for it does not count."""


# Statements that every receipt needs are built once: building them costs several times what SQLite needs to run them.
_JOBS = JobRow.metadata.tables[JobRow.__tablename__]
_COLUMNS = tuple(_JOBS.c[field.name] for field in dataclasses.fields(Job))
_IS_OPEN = _JOBS.c.filed_at.is_(None)
_IS_DUE = _JOBS.c.next_attempt_at <= bindparam("now")
_ORDER = (_JOBS.c.next_attempt_at, _JOBS.c.id)

_INSERT = insert(_JOBS).returning(*_COLUMNS)
_OPEN_ID = select(_JOBS.c.id).where(_JOBS.c.path == bindparam("path"), _IS_OPEN)
_LIVING_TWIN = select(_JOBS.c.receipt_id).where(_JOBS.c.sha256 == bindparam("sha256"), text(LIVING))

_MOVE = (
    update(_JOBS)
    .where(
        _JOBS.c.id == bindparam("job_id"),
        _JOBS.c.state == bindparam("job_state"),
        _JOBS.c.worker.is_not_distinct_from(bindparam("job_worker")),
    )
    .returning(*_COLUMNS)
)
"""Changes one job, if it is still in the state, and in the hands, in which it was seen; the columns come with the parameters."""


def _claim_statement(which: ColumnElement[bool]) -> ReturningUpdate[Any]:
    due = select(_JOBS.c.id).where(_JOBS.c.state == JobState.QUEUED, _IS_DUE, _IS_OPEN, which).order_by(*_ORDER).limit(bindparam("count"))
    values = {"state": JobState.READING, "worker": bindparam("by"), "lease_until": bindparam("until")}
    return update(_JOBS).where(_JOBS.c.id.in_(due)).values(values).returning(*_COLUMNS)


_CLAIM = _claim_statement(_JOBS.c.interruptions == 0)
_CLAIM_SUSPECT = _claim_statement(_JOBS.c.interruptions > 0)

_IS_READING = and_(_IS_OPEN, _JOBS.c.state == JobState.READING)
_HAS_LAPSED = and_(_IS_READING, _JOBS.c.lease_until <= bindparam("lapsed"))
_FREED = {"worker": None, "lease_until": None, "interruptions": _JOBS.c.interruptions + 1, "next_attempt_at": bindparam("now")}
_GIVE_UP = (
    update(_JOBS)
    .where(_HAS_LAPSED, _JOBS.c.interruptions + 1 >= bindparam("most"))
    .values(_FREED | {"state": JobState.FAILED, "error_kind": "Interrupted", "error_message": bindparam("message")})
)
_MEND = (
    update(_JOBS)
    .where(
        _IS_OPEN,
        _JOBS.c.state != JobState.READING,
        _JOBS.c.next_attempt_at > bindparam("now"),
        or_(
            _JOBS.c.next_attempt_at > bindparam("latest"),
            and_(_JOBS.c.waits == 0, or_(_JOBS.c.state != JobState.QUEUED, _JOBS.c.attempts == 0)),
        ),
    )
    .values(next_attempt_at=bindparam("now"))
)
"""Makes due what has no reason to wait, or waits longer than any wait is: the clock went back since."""
_TAKE_BACK = update(_JOBS).where(_HAS_LAPSED).values(_FREED | {"state": JobState.QUEUED})
_RENEW = update(_JOBS).where(_IS_READING, _JOBS.c.worker == bindparam("by")).values(lease_until=bindparam("until"))
_RELEASE = update(_JOBS).where(_IS_READING, _JOBS.c.worker == bindparam("by")).values(state=JobState.QUEUED, worker=None, lease_until=None)

_FIRST = _JOBS.alias("first_job")
_FIRST_IS_UNDECIDED = exists().where(_FIRST.c.receipt_id == _JOBS.c.duplicate_of, _FIRST.c.state.in_(_UNDECIDED))
_TO_FILE_DUE = (
    select(*_COLUMNS)
    .where(_JOBS.c.state.in_(_TO_FILE), _IS_OPEN, _IS_DUE, or_(_JOBS.c.state != JobState.DUPLICATE, ~_FIRST_IS_UNDECIDED))
    .order_by(*_ORDER)
    .limit(bindparam("count"))
)


class Ledger:
    """The job rows of one database. Every method is one transaction, unless it takes the caller's connection."""

    def __init__(self, database: Database, clock: Clock, work: WorkSettings) -> None:
        self._database = database
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
            return _from_row(connection.execute(_INSERT, row | values).one())

    def open_paths(self) -> frozenset[Path]:
        """Paths of open jobs."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(JobRow.path).where(JobRow.filed_at.is_(None))))

    def refused_paths(self) -> frozenset[Path]:
        """Paths that were refused by name; what has them is still in the inbox unless somebody removed it."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(JobRow.path).where(text(REFUSED))))

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
        return tuple(sorted((_from_row(row) for row in rows), key=lambda job: (job.next_attempt_at, job.id)))

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
            return tuple(_from_row(row) for row in rows)

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

    # Looking

    def jobs(self, *states: JobState, limit: int | None = None) -> tuple[Job, ...]:
        """Jobs in these states (all without any), oldest first."""
        return self._select(*([JobRow.state.in_(states)] if states else []), limit=limit)

    def newest(self, *states: JobState, limit: int) -> tuple[Job, ...]:
        """Jobs in these states (all without any), the last that arrived first."""
        statement = select(*_COLUMNS).where(*([JobRow.state.in_(states)] if states else [])).order_by(JobRow.receipt_id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(_from_row(row) for row in connection.execute(statement))

    def job(self, receipt_id: str) -> Job | None:
        """The job with this identifier."""
        return next(iter(self._select(JobRow.receipt_id == receipt_id, limit=1)), None)

    def with_bytes(self, sha256: str) -> tuple[Job, ...]:
        """Every job whose file has these bytes, oldest first."""
        return self._select(JobRow.sha256 == sha256, limit=None)

    def open_ids(self) -> frozenset[str]:
        """`receipt_id` of every open job."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(JobRow.receipt_id).where(JobRow.filed_at.is_(None))))

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state that has any."""
        with self._database.read() as connection:
            return {
                JobState(state): count for state, count in connection.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
            }

    def next_due(self) -> float | None:
        """When the next open job is due, in seconds since 1970; `None` where nothing is open. Leases count with their end."""
        due = func.coalesce(JobRow.lease_until, JobRow.next_attempt_at)
        with self._database.read() as connection:
            return connection.scalar(select(func.min(due)).where(JobRow.filed_at.is_(None)))

    def open_counts(self) -> dict[JobState, int]:
        """How many open jobs are in each state that has any."""
        each = JobRow.state.in_(list(JobState))  # so that SQLite looks up each state instead of counting all rows
        counted = select(JobRow.state, func.count()).where(each, JobRow.filed_at.is_(None)).group_by(JobRow.state)
        with self._database.read() as connection:
            rows = connection.execute(counted).all()
        return {JobState(state): count for state, count in rows}

    def oldest_open(self) -> datetime | None:
        """When the open job that waits longest was received."""
        with self._database.read() as connection:
            return connection.scalar(select(func.min(JobRow.received_at)).where(JobRow.filed_at.is_(None)))

    def last_filed(self, state: JobState, *, limit: int) -> tuple[Job, ...]:
        """Jobs in this state, the last filed one first; those still to be filed go before."""
        of_state = select(*_COLUMNS).where(JobRow.state == state).limit(limit)
        to_file = of_state.where(JobRow.filed_at.is_(None)).order_by(JobRow.id.desc())
        filed = of_state.where(JobRow.filed_at.is_not(None)).order_by(JobRow.filed_at.desc(), JobRow.id.desc())
        with self._database.read() as connection:  # two questions: together they would have to sort all rows of the state
            rows = [*connection.execute(to_file), *connection.execute(filed)]
        return tuple(_from_row(row) for row in rows[:limit])

    def places(self, *, after: tuple[str, int] = ("", 0), before: str | None = None, limit: int) -> tuple[Job, ...]:
        """Jobs that have a place in the outbox, whether they are there already or not, in order of place and id.

        Args:
            after: `filed_as` and `id` of the last job that is known already.
            before: Only places that sort before this text.
        """
        place, job_id = JobRow.filed_as, JobRow.id
        statement = (
            select(*_COLUMNS).where(place >= after[0], or_(place > after[0], job_id > after[1])).order_by(place, job_id).limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(statement if before is None else statement.where(place < before)).all()
        return tuple(_from_row(row) for row in rows)

    def _select(self, *conditions: ColumnElement[bool], limit: int | None) -> tuple[Job, ...]:
        statement = select(*_COLUMNS).where(*conditions).order_by(*_ORDER).limit(limit)
        with self._database.read() as connection:
            return tuple(_from_row(row) for row in connection.execute(statement))

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
    return None if row is None else _from_row(row)


def _lease_lost(job: Job) -> LeaseLost:
    return LeaseLost(f"{job.name} was taken over by another worker. Nothing is to be done.")


def _from_row(row: Row[Any]) -> Job:
    values = row._asdict()
    return Job(**values | {"state": JobState(values["state"])})


def _error_values(error: ExtractorError) -> dict[str, object]:
    return {"error_kind": type(error).__name__, "error_message": str(error)}
