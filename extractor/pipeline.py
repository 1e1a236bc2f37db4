"""The way of a receipt from the inbox to the outbox, step by step.

    check     the file is complete and decodes            Pipeline.check     extractor.documents
    queue     it becomes a job, or a duplicate            Pipeline.queue     extractor.storage.database.job_queue
    extract   its receipts are found and read             Pipeline.read      extractor.extraction.runner
    validate  their values are accepted, or reasons kept  (with extract)     extractor.validation.decision
    store     records and job, in one transaction         Pipeline.read      extractor.storage.database.receipts
    file      JSON and original move to the outbox        Pipeline.file      extractor.storage.files.filing

Validating is a part of extracting, because the decision says what a reader is asked again. Every step may run twice: each finds what an
earlier run of it has done, whenever the program was stopped. Threads meet in the job queue alone: `service.scanner` checks and queues,
`service.worker` claims jobs and runs the remaining steps. No step imports another one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from extractor.errors import ExtractorError, InputError, StorageError
from extractor.jobs import Arrival, ExtractAhead, Extracted, Job, JobState, Source, part_id
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.telemetry import Telemetry
from extractor.schemas.record import Record
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.database.receipts import ReceiptRepository
from extractor.storage.files.filing import Filing


@dataclass(frozen=True)
class JobResult:
    """The end of an attempt at a job: records, an error, or neither where the file has left the inbox."""

    job: Job
    records: tuple[Record, ...] = ()
    error: ExtractorError | None = None


def accept_all(_: Path) -> None:
    """The check of a pipeline whose files have been checked before."""


class Pipeline:
    """The steps that a file goes through, in order.

    Args:
        extract: Reads and validates files.
        check: Raises `InputError` for a file that does not decode to its end.
        reads_ahead: `extract` prepares upcoming files while it reads.
    """

    def __init__(  # noqa: PLR0913 -- every step is passed in
        self,
        database: Database,
        job_queue: JobQueue,
        store: ReceiptRepository,
        filing: Filing,
        extract: ExtractAhead,
        *,
        check: Callable[[Path], None] = accept_all,
        reads_ahead: bool = False,
        at_checkpoint: AtCheckpoint = go_on,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._database = database
        self._job_queue = job_queue
        self._store = store
        self._filing = filing
        self._extract = extract
        self._check = check
        self.reads_ahead = reads_ahead
        self._at_checkpoint = at_checkpoint
        self._telemetry = telemetry or Telemetry()

    # Check

    def check(self, path: Path) -> None:
        """Decode a file to its end.

        Raises:
            InputError: It cannot be decoded.
        """
        with self._telemetry.stage("check"):
            self._check(path)

    # Queue

    def queue(self, arrival: Arrival, error: InputError | None = None) -> Job | None:
        """The job of a file that has settled in the inbox; `None` where it has one already.

        Args:
            error: Why it will not be read; the job then only reports this.
        """
        job = self._job_queue.enqueue(arrival) if error is None else self._job_queue.reject(arrival, error)
        if job is not None:
            self._at_checkpoint(Checkpoint.TAKEN)
        return job

    # Extract, validate, store

    def read(self, jobs: Sequence[Job], upcoming: Sequence[Job] = ()) -> Iterator[JobResult]:
        """Yield the result of each claimed job, in order, as soon as its file is read and its records are stored.

        An error concerns its job alone.

        Args:
            upcoming: Claimed jobs of the next call, which may be prepared while these are read.
        """
        copies = [self._copy(job) for job in jobs]
        sources = [copy for copy in copies if isinstance(copy, Source)]
        results = self._telemetry.timed("read", self._extracted(sources, upcoming)) if sources else iter(())
        for job, copy in zip(jobs, copies, strict=True):
            extracted = next(results) if isinstance(copy, Source) else copy
            self._at_checkpoint(Checkpoint.READ)
            yield self._stored(job, extracted)

    def _copy(self, job: Job) -> Source | ExtractorError | None:
        """A private copy of the job's file; `None`, and the job is withdrawn, where the file has left the inbox."""
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

    def _extracted(self, sources: Sequence[Source], upcoming: Sequence[Job]) -> Iterator[Extracted]:
        following = [source for job in upcoming if (source := self._copy_ahead(job))]
        yield from self._extract(sources, following)

    def _copy_ahead(self, job: Job) -> Source | None:
        """A private copy of an upcoming job's file; where there is none, the job's own turn shows why."""
        with suppress(StorageError):
            if copy := self._filing.claim_copy(job):
                self._at_checkpoint(Checkpoint.COPIED)
                return _source(job, copy)
        return None

    def _stored(self, job: Job, extracted: Extracted | None) -> JobResult:
        if not isinstance(extracted, tuple):
            return JobResult(job, error=extracted)
        try:
            return JobResult(job, records=self._store_records(job, extracted))
        except StorageError as error:
            return JobResult(job, error=error)

    def _store_records(self, job: Job, records: Sequence[Record]) -> tuple[Record, ...]:
        """Save the records of a file and mark its job, in one transaction: all or nothing."""
        with self._telemetry.stage("store"), self._database.write(durable=True) as connection:  # its file leaves the inbox soon
            saved = tuple(self._store.save(connection, record) for record in records)
            self._job_queue.stored(connection, job, self._filing.outbox.layout.for_records(job, saved))
        self._at_checkpoint(Checkpoint.STORED)
        return saved

    # File

    def file(self, job: Job) -> Job | None:
        """The closed job, with all its files in the outbox; `None` where its file has left the inbox.

        Raises:
            StorageError: Something cannot be written now; run it again.
        """
        with self._telemetry.stage("file"):
            return self._file_records(job) if job.state is JobState.STORED else self._file_other(job)

    def _file_records(self, job: Job) -> Job:
        count = max(1, self._store.counts_by_file([job.sha256 or ""]).get(job.sha256 or "", 0))
        found = [self._store.get(part_id(job.receipt_id, number)) for number in range(1, count + 1)]
        records = [record for record in found if record is not None]
        if len(records) < count:
            raise StorageError(f"{job.name} is marked as stored, but the database has no record of it. Restore the database from a backup.")
        self._filing.file_records(job, records)
        return self._close(job)

    def _file_other(self, job: Job) -> Job | None:
        """File what has no record: a file that failed, or a duplicate."""
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
