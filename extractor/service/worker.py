"""Claims jobs, runs the pipeline, and turns an error's remedy into the job's next state.

The job queue's leases would let several workers share it. Today one service holds the database's lock, and it has one worker; leases
matter when the process dies.
"""

import logging
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from extractor.errors import DatabaseDamaged, ExtractorError, ReaderDown, ReaderUnavailable, Remedy, Stopped, StorageError
from extractor.jobs import Job, JobState
from extractor.pipeline import JobResult, Pipeline
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.clock import Clock
from extractor.runtime.heartbeat import Heartbeat
from extractor.runtime.logs import for_terminal
from extractor.runtime.telemetry import Telemetry
from extractor.schemas.record import Record, RecordStatus
from extractor.storage.database.job_queue import JobQueue, LeaseLost

logger = logging.getLogger(__name__)

# Name of the thread in the heartbeat.
WORKER = "worker"

# What /healthz says. Anybody may read it, so it names no paths; the log has them.
STORAGE_TROUBLE = "results cannot be stored or filed now"
READER_TROUBLE = "no reader can be started now"

# Interval of the log's progress lines while there is work.
PROGRESS_SECONDS = 60.0

# Times that a lease is renewed before it would end.
RENEWALS = 3

# Wait between two rounds. Another process (`receipts retry`) may queue a job without waking this one, hence the upper bound.
SHORTEST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 5.0


class Worker:
    """Processes jobs in one thread.

    Attributes:
        name: Unique name under which the job queue leases jobs.
        wake: Set it when there is new work.
    """

    def __init__(
        self,
        job_queue: JobQueue,
        pipeline: Pipeline,
        clock: Clock,
        *,
        batch_size: int,
        at_checkpoint: AtCheckpoint = go_on,
        heartbeat: Heartbeat | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.wake = threading.Event()
        self._job_queue = job_queue
        self._pipeline = pipeline
        self._clock = clock
        self._batch_size = batch_size
        self._at_checkpoint = at_checkpoint
        self._heartbeat = heartbeat or Heartbeat(clock.monotonic)
        self._telemetry = telemetry or Telemetry()
        self._progress_at = clock.monotonic()
        self._filed = 0

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, then finishes the batch that it has begun. After a storage error, it waits and tries again.

        Raises:
            DatabaseDamaged: Waiting does not help.
        """
        while not stop.is_set():
            self.wake.clear()
            try:
                self.run_once(stop)
                wait = self._wait_seconds()
            except (StorageError, ReaderDown) as error:
                is_reader = isinstance(error, ReaderDown)
                logger.warning("reader_down" if is_reader else "storage_unavailable", extra={"error": str(error)})
                self._heartbeat.trouble(WORKER, READER_TROUBLE if is_reader else STORAGE_TROUBLE)
                wait = LONGEST_WAIT_SECONDS
            self._heartbeat.beat(WORKER, waits_seconds=wait)
            self.wake.wait(wait)
        self._heartbeat.end(WORKER)

    def run_once(self, stop: threading.Event) -> int:
        """Processes all jobs that are due, until none is left or `stop` is set, and returns how many were read or filed.

        Each receipt is stored and filed as soon as it is read.

        Raises:
            StorageError: The job queue cannot be used.
            ReaderDown: The reader cannot be started. The next call releases the claimed jobs.
        """
        self._job_queue.release(self.name)  # jobs that an error has left claimed
        self._progress_at, self._filed = self._clock.monotonic(), 0
        worked, upcoming = self._file_due(), tuple[Job, ...]()
        while not stop.is_set():
            self._log_progress()
            self._heartbeat.beat(WORKER)
            jobs = upcoming or self._claim()
            upcoming = self._claim() if jobs and self._pipeline.reads_ahead else ()
            if upcoming:
                self._pipeline.prefetch(upcoming)
            step = self._process(jobs) if jobs else self._file_due()
            if not step:
                break
            worked += step
        if upcoming:
            self._job_queue.release(self.name)
        return worked

    def _process(self, jobs: Sequence[Job]) -> int:
        """Reads and files the jobs, and returns how many were read or filed."""
        filed = 0
        with self._renewing_leases():
            for result in self._attempt(jobs):
                self._settle(result)
                filed += self._file_due()
        return len(jobs) + filed

    @contextmanager
    def _renewing_leases(self) -> Iterator[None]:
        """Renews this worker's leases while the block runs: a batch may take longer than a lease."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._job_queue.lease_seconds / RENEWALS):
                try:
                    self._job_queue.renew(self.name)
                except (StorageError, DatabaseDamaged) as error:
                    logger.warning("lease_not_renewed", extra={"error": str(error)})  # the worker gets the same error

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _claim(self) -> tuple[Job, ...]:
        jobs = self._job_queue.claim(self.name, self._batch_size)
        if jobs:
            self._at_checkpoint(Checkpoint.CLAIMED)
        return jobs

    def _attempt(self, jobs: Sequence[Job]) -> Iterator[JobResult]:
        """Yields the result of each job. After an unexpected exception, the jobs without a result are read one by one."""
        self._heartbeat.beat(WORKER)
        done = 0
        try:
            for result in self._pipeline.read(jobs):
                yield result
                done += 1
        except (StorageError, DatabaseDamaged, ReaderDown):
            raise  # not the fault of a file
        except Exception as error:
            remaining = jobs[done:]
            logger.exception("reading_crashed", extra={"files": [job.name for job in remaining]})
            if len(jobs) == 1:
                yield JobResult(jobs[0], error=_crash(jobs[0], error))
                return
            for job in remaining:
                yield from self._attempt([job])

    def _settle(self, result: JobResult) -> None:
        """Logs and counts a result, and ends the attempt of a job that failed."""
        job, error = result.job, result.error
        fields = {"receipt_id": job.receipt_id, "file": job.name}
        if result.records:
            self._heartbeat.trouble(WORKER)
            for record in result.records:
                self._telemetry.stored(record)
                extra = fields | {"receipt_id": record.receipt_id, "status": record.status.value}
                logger.info("receipt_stored", extra=extra | for_terminal(_summary(record)))
        elif error is None:
            logger.info("file_withdrawn", extra=fields | for_terminal(f"withdrawn: {job.name} was removed or replaced before it was read"))
        elif isinstance(error, Stopped):
            logger.info("reading_stopped", extra=fields)  # the job is released when this worker ends
        elif isinstance(error, LeaseLost):
            logger.warning("lease_lost", extra=fields)
        else:
            self._telemetry.failed(error)
            if isinstance(error, StorageError):
                self._heartbeat.trouble(WORKER, STORAGE_TROUBLE)
            self._end_attempt(job, error)

    def _end_attempt(self, job: Job, error: ExtractorError) -> None:
        fields = {"receipt_id": job.receipt_id, "file": job.name, "error": str(error), "kind": type(error).__name__}
        try:
            after = self._job_queue.fail(job, error) if error.remedy is Remedy.REPORT else self._job_queue.try_again(job, error)
        except LeaseLost:
            logger.warning("lease_lost", extra=fields)
            return
        extra = fields | {"attempts": after.attempts}
        if after.state is JobState.FAILED:
            self._at_checkpoint(Checkpoint.FAILED)
            logger.warning("receipt_failed", extra=extra | for_terminal(f"failed: {_naming(job, str(error))}"))
        else:
            self._at_checkpoint(Checkpoint.DELAYED)
            logger.warning("receipt_delayed", extra=extra | for_terminal(f"will be retried: {_naming(job, str(error))}"))

    def _file_due(self) -> int:
        """Files all jobs that are due, and returns how many."""
        filed, tried = 0, set[int]()
        while jobs := [job for job in self._job_queue.to_file(self._batch_size) if job.id not in tried]:
            for job in jobs:
                tried.add(job.id)
                self._heartbeat.beat(WORKER)
                filed += self._file(job)
        return filed

    def _file(self, job: Job) -> bool:
        fields = {"receipt_id": job.receipt_id, "file": job.name}
        try:
            closed = self._pipeline.file(job)
        except StorageError as error:
            logger.warning("filing_delayed", extra=fields | {"error": str(error)})
            self._heartbeat.trouble(WORKER, STORAGE_TROUBLE)
        except DatabaseDamaged:
            raise
        except Exception:
            logger.exception("filing_crashed", extra=fields)
        else:
            if closed:
                extra = fields | {"state": closed.state.value, "filed_as": closed.filed_as}
                logger.info("file_filed", extra=extra | for_terminal(_outcome(closed)))
            else:
                logger.info("file_withdrawn", extra=fields)
            self._heartbeat.trouble(WORKER)
            self._filed += 1
            return True
        self._job_queue.postpone(job)
        return False

    def _log_progress(self) -> None:
        """Logs how many files were filed since the last time and how many wait, every `PROGRESS_SECONDS`."""
        seconds = self._clock.monotonic() - self._progress_at
        if seconds >= PROGRESS_SECONDS:
            fields = {"filed": self._filed, "seconds": round(seconds), "waiting": sum(self._job_queue.open_counts().values())}
            logger.info("progress", extra=fields | for_terminal(""))  # a terminal has a progress bar
            self._progress_at, self._filed = self._clock.monotonic(), 0

    def _wait_seconds(self) -> float:
        due = self._job_queue.next_due()
        if due is None:
            self._heartbeat.trouble(WORKER)  # nothing is open any more
        wait = LONGEST_WAIT_SECONDS if due is None else due - self._clock.now().timestamp()
        return min(max(wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)


def _crash(job: Job, error: Exception) -> ExtractorError:
    """A bug or an unexpected exception of a library, as an error that counts as an attempt."""
    return ReaderUnavailable(f"{job.name} could not be read ({type(error).__name__}). The log has the traceback; DEBUG adds the message.")


def _summary(record: Record) -> str:
    """A line such as `2022-06-24  dm  5.60 EUR  accepted`."""
    day = record.transaction_date.isoformat() if record.transaction_date else "no date"
    total = "no total" if record.total is None else f"{record.total} {record.currency_code or ''}".strip()
    status = {RecordStatus.NEEDS_REVIEW: "needs review"}.get(record.status, record.status.value)
    return "  ".join([day, record.merchant_name or "no merchant", total, status])


def _naming(job: Job, message: str) -> str:
    """The message, with the file's name in front unless it has it already."""
    return message if job.name in message else f"{job.name}: {message}"


def _outcome(closed: Job) -> str:
    """A line about a duplicate or a file that was rejected unread; empty for all others, which have had their line before."""
    if closed.state is JobState.FAILED and not closed.attempts:
        return f"failed: {_naming(closed, closed.error_message or '')}"
    if closed.state is JobState.DUPLICATE:
        return f"duplicate: {closed.name} is now {closed.filed_as}"
    return ""
