"""All concrete things, built from Settings, and the service: it watches the inbox and works until it is told to stop."""

import logging
import queue
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from extractor.clock import Clock, SystemClock
from extractor.db import Database
from extractor.errors import StorageError
from extractor.events import FolderEvents
from extractor.files import storage_errors
from extractor.inbox import Check, Inbox
from extractor.instance import InstanceLock
from extractor.job import Job, JobState
from extractor.ledger import Ledger
from extractor.outbox import Outbox
from extractor.pages import PageLimits, check_complete
from extractor.pipeline import Extract, Pipeline
from extractor.settings import Settings
from extractor.steps import AtStep, Step, go_on
from extractor.store import Store
from extractor.worker import LONGEST_WAIT_SECONDS, Worker

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""Time that a receipt in hand has to finish after a request to stop; then it goes back into the queue."""

ONCE_PATIENCE_SETTLES = 4
"""`run_once` gives up on an incomplete file after so many settle times, or after the patience if that is shorter."""

SCAN_SHARE = 5
"""After a scan that took a second, the next one begins this many seconds later at the earliest: a large inbox does not eat the machine."""


@dataclass(frozen=True)
class Archive:
    """Everything that is filed, without a reader: enough to look, search, export and retry, also while a service runs."""

    settings: Settings
    database: Database
    ledger: Ledger
    store: Store
    outbox: Outbox
    at_step: AtStep = go_on

    def retry(self, names: Collection[str] = ()) -> tuple[Job, ...]:
        """The failed jobs that are queued again, their files being back in the inbox.

        Args:
            names: Names or ids of the files to retry; all failed ones without any.
        Raises:
            StorageError: A file is not in `failed/` any more, or the inbox cannot be written.
        """
        wanted = [
            job
            for job in self.ledger.jobs(JobState.FAILED)
            if job.filed_at and job.sha256 and (not names or {job.receipt_id, job.name, Path(job.filed_as or "").name} & set(names))
        ]
        return tuple(self._retry(job) for job in wanted)

    def _retry(self, job: Job) -> Job:
        queued = self.ledger.requeue(job, self.outbox.bring_back(job))
        self.at_step(Step.REQUEUED)
        return queued

    def close(self) -> None:
        """Closes the database."""
        self.database.close()


def prepare(settings: Settings) -> tuple[Path, ...]:
    """The folders and the database that were made because they were not there."""
    made = []
    for folder in (settings.inbox_dir, settings.outbox_dir, settings.database.parent):
        if not folder.is_dir():
            with storage_errors(folder):
                folder.mkdir(parents=True)
            made.append(folder)
    if not settings.database.exists():
        Database(settings.database).close()
        made.append(settings.database)
    return tuple(made)


def open_archive(settings: Settings, *, clock: Clock | None = None, at_step: AtStep = go_on) -> Archive:
    """The archive of this installation; folders and database are made where they are missing."""
    prepare(settings)
    database = Database(settings.database)
    ledger = Ledger(database, clock or SystemClock(), settings.work)
    outbox = Outbox(settings.outbox_dir, settings.inbox_dir, at_step=at_step)
    return Archive(settings, database, ledger, Store(database), outbox, at_step)


def build(
    settings: Settings,
    *,
    extract: Extract | None = None,
    check: Check | None = None,
    clock: Clock | None = None,
    at_step: AtStep = go_on,
) -> "Service":
    """The service that the settings ask for, not yet running.

    Args:
        extract: Instead of the reader that the settings name.
        check: Instead of decoding each file to its end.
        clock: Instead of the machine's own.
        at_step: Called after each named step, from the thread that has done it.
    Raises:
        ConfigError: The reader cannot work here.
        StorageError: The folders or the database cannot be used.
    """
    clock = clock or SystemClock()
    archive = open_archive(settings, clock=clock, at_step=at_step)
    inbox = Inbox(settings.inbox_dir, settings.inbox, check or _check(settings), clock)
    pipeline = Pipeline(archive.database, archive.ledger, archive.store, archive.outbox, extract or _extraction(settings), at_step=at_step)
    worker = Worker(archive.ledger, pipeline, clock, batch_size=settings.work.batch_size, at_step=at_step)
    return Service(archive, inbox, worker, clock)


def _check(settings: Settings) -> Check:
    limits = PageLimits(**settings.limits.model_dump())
    return lambda path: check_complete(path, limits)


def _extraction(settings: Settings) -> Extract:
    from extractor.extraction import Extraction  # noqa: PLC0415 -- brings the OCR engine

    return Extraction.from_settings(settings).read


class Service:
    """Inbox and worker, each in its thread; the caller's thread waits for orders."""

    def __init__(self, archive: Archive, inbox: Inbox, worker: Worker, clock: Clock) -> None:
        self.archive = archive
        self._inbox = inbox
        self._worker = worker
        self._clock = clock
        self._stop = threading.Event()
        self._wake = threading.Event()
        # Not an Event: a signal handler that sets one may meet this thread holding its lock. SimpleQueue is made for this.
        self._orders: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Watches and works until SIGTERM, SIGINT or `stop()`.

        Raises:
            ConfigError: Another service works on this database.
        """
        logger.info("service_started", extra={"inbox": str(self._inbox.root), "outbox": str(self.archive.outbox.root)})
        self._supervise((self._watch, lambda: self._worker.run(self._stop)))
        logger.info("service_stopped")

    def run_once(self) -> None:
        """Works off what is in the inbox and returns; what has to be tried again later waits in the queue for the next run."""
        self._supervise((self._once,))

    def stop(self) -> None:
        """Tells the service to stop; may be called from any thread and from signal handlers."""
        self._orders.put(None)

    def _supervise(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Runs the tasks until an order comes, one of them ends or breaks; then gives them time to finish."""
        with InstanceLock(self.archive.settings.database), self._signals():
            self.archive.ledger.reclaim(from_the_dead=True)
            self.archive.at_step(Step.RECLAIMED)
            self.archive.outbox.tidy(self.archive.ledger.open_ids())
            self.archive.at_step(Step.TIDIED)
            threads = [threading.Thread(target=self._report, args=(task,), daemon=True) for task in tasks]
            for thread in threads:
                thread.start()
            error = self._orders.get()
            for event in (self._stop, self._wake, self._worker.wake):
                event.set()
            deadline = time.monotonic() + STOP_SECONDS
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            if any(thread.is_alive() for thread in threads):
                released = self.archive.ledger.release(self._worker.name)
                logger.warning("stopped_while_reading", extra={"receipts_back_in_queue": released})
        if error is not None:
            raise error

    def _report(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # noqa: BLE001 -- raised again in the thread that waits: a service without a thread must not look alive
            self._orders.put(error)
        else:
            self._orders.put(None)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT are orders to stop; only the main thread can have it so."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self) -> None:
        """Watches the inbox, and begins anew when it could not be listed: events of a share that was away come no more."""
        settings = self.archive.settings.inbox
        while not self._stop.is_set():
            with FolderEvents(self._inbox.root, self._on_touch, poll=settings.poll, poll_seconds=settings.poll_seconds):
                try:
                    self._scan_until_stopped()
                except StorageError as error:
                    logger.warning("scan_failed", extra={"error": str(error)})
            self._stop.wait(min(settings.rescan_seconds, LONGEST_WAIT_SECONDS))

    def _scan_until_stopped(self) -> None:
        """Scans after events, when a file may have settled, and now and then in any case."""
        while not self._stop.is_set():
            self._wake.clear()
            began = self._clock.monotonic()
            self._scan()
            self._worker.wake.set()
            now = self._clock.monotonic()
            self._stop.wait(max(0.05, SCAN_SHARE * (now - began)))
            look, rescan = self._inbox.next_look(), self.archive.settings.inbox.rescan_seconds
            self._wake.wait(rescan if look is None else min(rescan, max(0.0, look - self._clock.monotonic())))

    def _on_touch(self, path: Path) -> None:
        if self._inbox.touch(path):
            self._wake.set()

    def _scan(self, patience_seconds: float | None = None) -> int:
        """How many files were handed to the ledger."""
        ledger, count = self.archive.ledger, 0
        for settled in self._inbox.scan(ledger.open_paths(), ledger.refused_paths(), patience_seconds=patience_seconds):
            arrival, error = settled.arrival, settled.error
            job = ledger.enqueue(arrival) if error is None else ledger.reject(arrival, error)
            if job is None:
                continue
            self.archive.at_step(Step.TAKEN)
            count += 1
            fields = {"receipt_id": job.receipt_id, "file": job.name, "state": job.state.value}
            logger.info("file_taken", extra=fields | ({"error": str(error)} if error else {}))
            self._worker.wake.set()  # not only after the scan: looking at many large files takes time
        return count

    def _once(self) -> None:
        settings = self.archive.settings.inbox
        patience = min(settings.patience_seconds, ONCE_PATIENCE_SETTLES * settings.settle_seconds)
        while not self._stop.is_set():
            found = self._scan(patience)
            worked = self._worker.run_once(self._stop)
            look = self._inbox.next_look()
            if look is not None:
                self._stop.wait(max(0.0, look - self._clock.monotonic()))
            elif not found and not worked:
                break
