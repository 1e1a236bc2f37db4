"""Claims jobs, runs the pipeline, and turns an error's remedy into the job's next state. Any number of workers may share a job queue."""

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
from extractor.runtime.telemetry import Telemetry
from extractor.storage.database.job_queue import JobQueue, LeaseLost

logger = logging.getLogger(__name__)

WORKER = "worker"
"""Its name among the signs of life."""

TROUBLE = "results cannot be stored or filed now"
READER_TROUBLE = "no reader can be started now"
"""For strangers, who may not see the paths in the error; the log has them."""

PROGRESS_SECONDS = 60.0
"""While there is work without end, a line in the log says so often how it goes."""

RENEWALS = 3
"""Leases are renewed so many times while they last."""

SHORTEST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 5.0
"""Another process (`receipts retry`) may queue something without waking this one."""


class Worker:
    """One thread's work.

    Attributes:
        name: Whom the job queue leases jobs to; no two workers share it.
        wake: Set it when there is something new to do.
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
        self._told_at = clock.monotonic()
        self._filed = 0

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; then the batch in hand is finished. Storage errors are waited for.

        Raises:
            DatabaseDamaged: Waiting will not help.
        """
        while not stop.is_set():
            self.wake.clear()
            try:
                self.run_once(stop)
                wait = self._wait_seconds()
            except (StorageError, ReaderDown) as error:
                is_reader = isinstance(error, ReaderDown)
                logger.warning("reader_down" if is_reader else "storage_unavailable", extra={"error": str(error)})
                self._heartbeat.trouble(WORKER, READER_TROUBLE if is_reader else TROUBLE)
                wait = LONGEST_WAIT_SECONDS
            self._heartbeat.beat(WORKER, waits_seconds=wait)
            self.wake.wait(wait)
        self._heartbeat.end(WORKER)

    def run_once(self, stop: threading.Event) -> int:
        """How many jobs were read or filed: all that are due, until none is left or `stop` is set.

        Raises:
            StorageError: The job queue cannot be used now.
            ReaderDown: The reader cannot be started now; what was claimed goes back with the next run.
        """
        self._job_queue.release(self.name)  # what an error has left in this worker's hands
        self._told_at, self._filed = self._clock.monotonic(), 0
        worked, upcoming = self._file_due(), tuple[Job, ...]()
        while not stop.is_set():
            self._tell_progress()
            self._heartbeat.beat(WORKER)
            jobs = upcoming or self._claim()
            upcoming = self._claim() if jobs and self._pipeline.reads_ahead else ()
            with self._holding(jobs):
                for outcome in self._attempt(jobs, upcoming) if jobs else ():
                    self._settle(outcome)
                step = len(jobs) + self._file_due()
            if not step:
                break
            worked += step
        if upcoming:
            self._job_queue.release(self.name)
        return worked

    @contextmanager
    def _holding(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Renews the leases while the block runs: a batch may take longer than a lease, and whoever is alive keeps what it has."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._job_queue.lease_seconds / RENEWALS):
                try:
                    self._job_queue.renew(self.name)
                except (StorageError, DatabaseDamaged) as error:
                    logger.warning("lease_not_renewed", extra={"error": str(error)})  # the work itself meets it, too

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        if jobs:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if jobs:
                thread.join()

    def _claim(self) -> tuple[Job, ...]:
        jobs = self._job_queue.claim(self.name, self._batch_size)
        if jobs:
            self._at_checkpoint(Checkpoint.CLAIMED)
        return jobs

    def _attempt(self, jobs: Sequence[Job], upcoming: Sequence[Job] = ()) -> list[JobResult]:
        """What became of the jobs. Nothing that reading one of them raises ends the worker or harms the others."""
        self._heartbeat.beat(WORKER)
        try:
            return self._pipeline.read(jobs, upcoming)
        except (StorageError, DatabaseDamaged, ReaderDown):
            raise  # no fault of the files
        except Exception as error:
            logger.exception("reading_crashed", extra={"files": [job.name for job in jobs]})
            if len(jobs) > 1:
                return [outcome for job in jobs for outcome in self._attempt([job])]
            return [JobResult(jobs[0], error=_crash(jobs[0], error))]

    def _settle(self, outcome: JobResult) -> None:
        job, error = outcome.job, outcome.error
        fields = {"receipt_id": job.receipt_id, "file": job.name}
        if outcome.records:
            self._heartbeat.trouble(WORKER)
            for record in outcome.records:
                self._telemetry.stored(record)
                logger.info("receipt_stored", extra=fields | {"receipt_id": record.receipt_id, "status": record.status.value})
        elif error is None:
            logger.info("file_withdrawn", extra=fields)
        elif isinstance(error, Stopped):
            logger.info("reading_stopped", extra=fields)  # its lease ends with this worker
        elif isinstance(error, LeaseLost):
            logger.warning("lease_lost", extra=fields)
        else:
            self._telemetry.failed(error)
            if isinstance(error, StorageError):
                self._heartbeat.trouble(WORKER, TROUBLE)
            self._end_attempt(job, error)

    def _end_attempt(self, job: Job, error: ExtractorError) -> None:
        fields = {"receipt_id": job.receipt_id, "file": job.name, "error": str(error), "kind": type(error).__name__}
        try:
            after = self._job_queue.fail(job, error) if error.remedy is Remedy.REPORT else self._job_queue.try_again(job, error)
        except LeaseLost:
            logger.warning("lease_lost", extra=fields)
            return
        has_failed = after.state is JobState.FAILED
        self._at_checkpoint(Checkpoint.FAILED if has_failed else Checkpoint.DELAYED)
        logger.warning("receipt_failed" if has_failed else "receipt_delayed", extra=fields | {"attempts": after.attempts})

    def _file_due(self) -> int:
        """How many jobs' files were put in their places."""
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
            self._heartbeat.trouble(WORKER, TROUBLE)
        except DatabaseDamaged:
            raise
        except Exception:
            logger.exception("filing_crashed", extra=fields)
        else:
            logger.info("file_filed", extra=fields | {"state": closed.state.value, "filed_as": closed.filed_as} if closed else fields)
            self._heartbeat.trouble(WORKER)
            self._filed += 1
            return True
        self._job_queue.postpone(job)
        return False

    def _tell_progress(self) -> None:
        """Logs now and then how many files were filed since the last time, and how many wait."""
        seconds = self._clock.monotonic() - self._told_at
        if seconds >= PROGRESS_SECONDS:
            fields = {"filed": self._filed, "seconds": round(seconds), "waiting": sum(self._job_queue.open_counts().values())}
            logger.info("progress", extra=fields)
            self._told_at, self._filed = self._clock.monotonic(), 0

    def _wait_seconds(self) -> float:
        due = self._job_queue.next_due()
        if due is None:
            self._heartbeat.trouble(WORKER)  # what could not be stored is gone, or filed by somebody else
        wait = LONGEST_WAIT_SECONDS if due is None else due - self._clock.now().timestamp()
        return min(max(wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)


def _crash(job: Job, error: Exception) -> ExtractorError:
    """A bug or a library's odd exception, as an attempt that counts."""
    return ReaderUnavailable(f"{job.name} could not be read ({type(error).__name__}). The log says where; at level DEBUG also what.")
