"""Read-only queries on jobs."""

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select, text

from extractor.jobs import Job, JobState
from extractor.storage.database.connection import Database
from extractor.storage.database.tables import REFUSED, JobRow

JOBS = JobRow.metadata.tables[JobRow.__tablename__]
COLUMNS = tuple(JOBS.c[field.name] for field in dataclasses.fields(Job))
IS_OPEN = JOBS.c.filed_at.is_(None)
DUE_FIRST = (JOBS.c.next_attempt_at, JOBS.c.id)


class JobQueries:
    """Reads the jobs of a database. Each method is one query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def jobs(self, *states: JobState) -> tuple[Job, ...]:
        """Jobs in these states (by default all), in order of due time."""
        return self._select(*([JobRow.state.in_(states)] if states else []))

    def newest(self, *states: JobState, limit: int) -> tuple[Job, ...]:
        """Jobs in these states (by default all), newest first."""
        statement = select(*COLUMNS).where(*([JobRow.state.in_(states)] if states else [])).order_by(JobRow.receipt_id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(job_of(row) for row in connection.execute(statement))

    def job(self, receipt_id: str) -> Job | None:
        """The job with this identifier."""
        return next(iter(self._select(JobRow.receipt_id == receipt_id)), None)

    def with_bytes(self, sha256: str) -> tuple[Job, ...]:
        """All jobs whose file has this SHA-256."""
        return self._select(JobRow.sha256 == sha256)

    def open_ids(self) -> frozenset[str]:
        """`receipt_id` of every open job."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(JobRow.receipt_id).where(IS_OPEN)))

    def open_paths(self) -> frozenset[Path]:
        """Paths of open jobs."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(JobRow.path).where(IS_OPEN)))

    def refused_paths(self) -> frozenset[Path]:
        """Paths that were refused without being read; the files stay in the inbox until somebody removes them."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(JobRow.path).where(text(REFUSED))))

    def counts(self) -> dict[JobState, int]:
        """Number of jobs by state; states without jobs are missing."""
        with self._database.read() as connection:
            rows = connection.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all()
        return {JobState(state): count for state, count in rows}

    def next_due(self) -> float | None:
        """Time in seconds since 1970 at which the next open job is due or its lease ends; `None` if no job is open."""
        due = func.coalesce(JobRow.lease_until, JobRow.next_attempt_at)
        with self._database.read() as connection:
            return connection.scalar(select(func.min(due)).where(IS_OPEN))

    def open_counts(self) -> dict[JobState, int]:
        """Number of open jobs by state; states without jobs are missing."""
        each = JobRow.state.in_(list(JobState))  # lets SQLite use the index on states instead of counting all rows
        counted = select(JobRow.state, func.count()).where(each, IS_OPEN).group_by(JobRow.state)
        with self._database.read() as connection:
            rows = connection.execute(counted).all()
        return {JobState(state): count for state, count in rows}

    def oldest_open(self) -> datetime | None:
        """Arrival of the oldest open job."""
        with self._database.read() as connection:
            return connection.scalar(select(func.min(JobRow.received_at)).where(IS_OPEN))

    def last_filed(self, state: JobState, *, limit: int) -> tuple[Job, ...]:
        """Jobs in this state, latest first; those that are not filed yet precede."""
        of_state = select(*COLUMNS).where(JobRow.state == state).limit(limit)
        to_file = of_state.where(IS_OPEN).order_by(JobRow.id.desc())
        filed = of_state.where(JobRow.filed_at.is_not(None)).order_by(JobRow.filed_at.desc(), JobRow.id.desc())
        with self._database.read() as connection:  # two queries: a single one would have to sort all rows of the state
            rows = [*connection.execute(to_file), *connection.execute(filed)]
        return tuple(job_of(row) for row in rows[:limit])

    def by_place(self, *, after: tuple[str, int] = ("", 0), before: str | None = None, limit: int) -> tuple[Job, ...]:
        """Jobs with a path in the outbox, planned or reached, in order of path and id.

        Args:
            after: `filed_as` and `id` of the last job of the previous call.
            before: Only paths that sort before this text.
        """
        place, job_id = JobRow.filed_as, JobRow.id
        statement = select(*COLUMNS).where(place >= after[0], or_(place > after[0], job_id > after[1])).order_by(place, job_id).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(statement if before is None else statement.where(place < before)).all()
        return tuple(job_of(row) for row in rows)

    def _select(self, *conditions: ColumnElement[bool]) -> tuple[Job, ...]:
        statement = select(*COLUMNS).where(*conditions).order_by(*DUE_FIRST)
        with self._database.read() as connection:
            return tuple(job_of(row) for row in connection.execute(statement))


def job_of(row: Row[Any]) -> Job:
    """Converts a row with `COLUMNS` to a job."""
    values = row._asdict()
    return Job(**values | {"state": JobState(values["state"])})
