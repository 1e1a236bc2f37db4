"""The order of the steps: claimed jobs become stored records, and what is decided is filed. Knows every step; no step knows another."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from extractor.errors import ExtractorError, StorageError
from extractor.jobs import ExtractEach, Extracted, Job, JobState, Prefetch, Source, part_id
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.telemetry import Telemetry
from extractor.schemas.record import Record
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.database.receipts import ReceiptRepository
from extractor.storage.files.filing import Filing


@dataclass(frozen=True)
class JobResult:
    """How an attempt at a job ended: with records, with an error, or with neither where the file has left the inbox."""

    job: Job
    records: tuple[Record, ...] = ()
    error: ExtractorError | None = None


class Pipeline:
    """Takes jobs as far as they go. Every step may run twice.

    Args:
        announce: Hears which files will be read after the next ones.
    Attributes:
        reads_ahead: Whether there is somebody to tell.
    """

    def __init__(
        self,
        database: Database,
        job_queue: JobQueue,
        store: ReceiptRepository,
        filing: Filing,
        extract: ExtractEach,
        *,
        prefetch: Prefetch | None = None,
        at_checkpoint: AtCheckpoint = go_on,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._database = database
        self._job_queue = job_queue
        self._store = store
        self._filing = filing
        self._extract = extract
        self._prefetch = prefetch
        self.reads_ahead = prefetch is not None
        self._at_checkpoint = at_checkpoint
        self._telemetry = telemetry or Telemetry()

    def read(self, jobs: Sequence[Job]) -> Iterator[JobResult]:
        """Yields the result of each claimed job, in order, as soon as its file is read and its records are stored.

        An error of one file does not affect the others.
        """
        taken = [self._take(job) for job in jobs]
        sources = [source for source in taken if isinstance(source, Source)]
        results = self._telemetry.timed("read", self._read(sources)) if sources else iter(())
        for job, source in zip(jobs, taken, strict=True):
            result = next(results) if isinstance(source, Source) else source
            self._at_checkpoint(Checkpoint.READ)
            yield self._conclude(job, result)

    def prefetch(self, jobs: Sequence[Job]) -> None:
        """Tells the reader what is to be read after the next jobs; what cannot be taken now is looked at again when it is its turn."""
        if self._prefetch is not None:
            sources = []
            for job in jobs:
                with suppress(StorageError):
                    if copy := self._filing.claim_copy(job):
                        self._at_checkpoint(Checkpoint.COPIED)
                        sources.append(_source(job, copy))
            self._prefetch(sources)

    def file(self, job: Job) -> Job | None:
        """The closed job, everything being in place; `None` where its file has left the inbox before.

        Raises:
            StorageError: Something cannot be written now; run it again.
        """
        with self._telemetry.stage("file"):
            return self._file_record(job) if job.state is JobState.STORED else self._file_other(job)

    def _take(self, job: Job) -> Source | ExtractorError | None:
        try:
            copy = self._filing.claim_copy(job)
            if copy is None:
                self._job_queue.withdraw(job)
                self._at_checkpoint(Checkpoint.WITHDRAWN)
                return None
        except StorageError as error:
            return error
        self._at_checkpoint(Checkpoint.COPIED)
        return _source(job, copy)

    def _read(self, sources: Sequence[Source]) -> Iterator[Extracted]:
        yield from self._extract(sources)

    def _conclude(self, job: Job, result: Extracted | None) -> JobResult:
        if not isinstance(result, tuple):
            return JobResult(job, error=result)
        try:
            return JobResult(job, records=self._store_records(job, result))
        except StorageError as error:
            return JobResult(job, error=error)

    def _store_records(self, job: Job, records: Sequence[Record]) -> tuple[Record, ...]:
        """Saves the records of a file and marks its job in one transaction: all or nothing."""
        with self._telemetry.stage("store"), self._database.write(durable=True) as connection:  # its file leaves the inbox soon
            saved = tuple(self._store.save(connection, record) for record in records)
            self._job_queue.stored(connection, job, self._filing.outbox.layout.for_records(job, saved))
        self._at_checkpoint(Checkpoint.STORED)
        return saved

    def _file_record(self, job: Job) -> Job:
        count = max(1, self._store.counts_by_file([job.sha256 or ""]).get(job.sha256 or "", 0))
        found = [self._store.get(part_id(job.receipt_id, number)) for number in range(1, count + 1)]
        records = [record for record in found if record is not None]
        if len(records) < count:
            raise StorageError(f"{job.name} is marked as stored, but the database has no record of it. Restore the database from a backup.")
        self._filing.file_records(job, records)
        return self._close(job)

    def _file_other(self, job: Job) -> Job | None:
        first = self._job_queue.job(job.duplicate_of) if job.duplicate_of else None
        if job.filed_as is None or self._filing.outbox.is_occupied(job):
            job = self._job_queue.plan(job, self._filing.outbox.layout.for_other(job, first))
            self._at_checkpoint(Checkpoint.PLANNED)
        if self._filing.file_other(job, first):
            return self._close(job)
        self._job_queue.vanished(job)
        self._at_checkpoint(Checkpoint.WITHDRAWN)
        return None

    def _close(self, job: Job) -> Job:
        closed = self._job_queue.filed(job)
        self._at_checkpoint(Checkpoint.FILED)
        return closed


def _source(job: Job, copy: Path) -> Source:
    return Source(copy, job.name, job.sha256 or "", job.receipt_id, job.received_at, job.tags)
