"""The watching thread: the inbox is looked through after events and now and then in any case; the job queue takes what has settled."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from extractor.config.settings import InboxSettings
from extractor.errors import ReaderDown, Stopped, StorageError
from extractor.pipeline import Pipeline
from extractor.runtime.clock import Clock
from extractor.runtime.heartbeat import Heartbeat
from extractor.service.worker import LONGEST_WAIT_SECONDS
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.files.folder_events import FolderEvents
from extractor.storage.files.inbox import Inbox

logger = logging.getLogger(__name__)

WATCH = "inbox"
"""Its name among the signs of life."""

ONCE_PATIENCE_SETTLES = 4
"""Who looks only once gives up on an incomplete file after so many settle times, or after the patience if that is shorter."""

SCAN_SHARE = 5
"""After a scan that took a second, the next one begins this many seconds later at the earliest: a large inbox does not eat the machine."""


class InboxScanner:
    """Hands the job queue every file that has settled in the inbox.

    Args:
        on_taken: Called after each file that was taken, and after each scan: there may be work.
    """

    def __init__(
        self,
        inbox: Inbox,
        pipeline: Pipeline,
        job_queue: JobQueue,
        clock: Clock,
        settings: InboxSettings,
        *,
        on_taken: Callable[[], None],
        heartbeat: Heartbeat,
    ) -> None:
        self._inbox = inbox
        self._pipeline = pipeline
        self._job_queue = job_queue
        self._clock = clock
        self._settings = settings
        self._on_taken = on_taken
        self._heartbeat = heartbeat
        self._wake = threading.Event()

    @property
    def root(self) -> Path:
        """The folder that is watched."""
        return self._inbox.root

    def wake(self) -> None:
        """Ends the rest between two scans."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Watches until told to stop, and begins anew when the inbox could not be listed: events of a share that was away come no more.

        Args:
            stop: Whoever sets it calls `wake` as well.
        """
        settings = self._settings
        while not stop.is_set():
            with FolderEvents(self.root, self._on_touch, poll=settings.poll, poll_seconds=settings.poll_seconds) as events:
                try:
                    self._scan_until_stopped(events, stop)
                except Stopped:
                    break
                except (StorageError, ReaderDown) as error:
                    logger.warning("scan_failed", extra={"error": str(error)})
                    self._heartbeat.trouble(WATCH, "cannot be listed now")
            stop.wait(min(settings.rescan_seconds, LONGEST_WAIT_SECONDS))
        self._heartbeat.end(WATCH)

    def scan_once(self) -> int:
        """How many files were taken in one scan that is soon out of patience with files that stay incomplete."""
        return self.scan(min(self._settings.patience_seconds, ONCE_PATIENCE_SETTLES * self._settings.settle_seconds))

    def seconds_to_look(self) -> float | None:
        """Seconds until the next file may have settled; `None` where none is settling."""
        look = self._inbox.next_look()
        return None if look is None else max(0.0, look - self._clock.monotonic())

    def _scan_until_stopped(self, events: FolderEvents, stop: threading.Event) -> None:
        """Scans after events, when a file may have settled, and now and then in any case; returns also when no more events come."""
        while not stop.is_set():
            self._wake.clear()
            self._heartbeat.beat(WATCH)
            began = self._clock.monotonic()
            self.scan()
            self._heartbeat.trouble(WATCH)
            if not events.is_alive():
                logger.warning("events_ended", extra={"inbox": str(self.root)})  # the caller begins anew
                return
            self._on_taken()
            rest = max(0.05, SCAN_SHARE * (self._clock.monotonic() - began))
            self._heartbeat.beat(WATCH, waits_seconds=rest)
            stop.wait(rest)
            look, rescan = self.seconds_to_look(), self._settings.rescan_seconds
            wait = rescan if look is None else min(rescan, look)
            self._heartbeat.beat(WATCH, waits_seconds=wait)
            self._wake.wait(wait)

    def _on_touch(self, path: Path) -> None:
        if self._inbox.touch(path):
            self._wake.set()

    def scan(self, patience_seconds: float | None = None) -> int:
        """How many files were handed to the job queue."""
        job_queue, count = self._job_queue, 0
        for settled in self._inbox.scan(job_queue.open_paths(), job_queue.refused_paths(), patience_seconds=patience_seconds):
            arrival, error = settled.arrival, settled.error
            job = self._pipeline.queue(arrival, error)
            if job is None:
                continue
            count += 1
            fields = {"receipt_id": job.receipt_id, "file": job.name, "state": job.state.value}
            logger.info("file_taken", extra=fields | ({"error": str(error)} if error else {}))
            self._heartbeat.beat(WATCH)
            self._on_taken()  # not only after the scan: looking at many large files takes time
        return count
