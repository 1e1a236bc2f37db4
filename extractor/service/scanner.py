"""Scans the inbox after events, and at intervals in any case, and adds settled files to the job queue."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from extractor.config.settings import InboxSettings
from extractor.errors import ReaderDown, Stopped, StorageError
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint
from extractor.runtime.clock import Clock
from extractor.runtime.heartbeat import Heartbeat
from extractor.runtime.logs import for_terminal
from extractor.service.worker import LONGEST_WAIT_SECONDS
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.files.folder_events import FolderEvents
from extractor.storage.files.inbox import Inbox

logger = logging.getLogger(__name__)

# Name of the thread in the heartbeat.
WATCH = "inbox"

# A single run (`watch --once`) waits this many settle times for an incomplete file, or the patience if that is shorter.
ONCE_PATIENCE_SETTLES = 4

# Pause after a scan, as a multiple of its duration, so that a large inbox does not use all of the CPU; at most `inbox.rescan_seconds`.
PAUSE_PER_SCAN = 5


class InboxScanner:
    """Adds every file that has settled in the inbox to the job queue.

    Args:
        on_taken: Called after each file that was added, and after each scan.
    """

    def __init__(
        self,
        inbox: Inbox,
        job_queue: JobQueue,
        clock: Clock,
        settings: InboxSettings,
        *,
        on_taken: Callable[[], None],
        at_checkpoint: AtCheckpoint,
        heartbeat: Heartbeat,
    ) -> None:
        self._inbox = inbox
        self._job_queue = job_queue
        self._clock = clock
        self._settings = settings
        self._on_taken = on_taken
        self._at_checkpoint = at_checkpoint
        self._heartbeat = heartbeat
        self._wake = threading.Event()

    @property
    def root(self) -> Path:
        """The folder that is watched."""
        return self._inbox.root

    def wake(self) -> None:
        """Ends the pause between two scans."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Watches the inbox until `stop` is set, which has to be followed by a call of `wake`.

        After an error, the folder is watched anew: a share that was not available sends no more events for the old watch.
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
        """Scans once, with little patience for incomplete files, and returns how many files were added."""
        return self.scan(min(self._settings.patience_seconds, ONCE_PATIENCE_SETTLES * self._settings.settle_seconds))

    def seconds_to_check(self) -> float | None:
        """Seconds until the next file may have settled; `None` if none is settling."""
        check = self._inbox.next_check()
        return None if check is None else max(0.0, check - self._clock.monotonic())

    def _scan_until_stopped(self, events: FolderEvents, stop: threading.Event) -> None:
        """Scans after events, when a file may have settled, and at intervals; returns also if no more events arrive."""
        while not stop.is_set():
            self._wake.clear()
            self._heartbeat.beat(WATCH)
            began = self._clock.monotonic()
            self.scan()
            self._heartbeat.trouble(WATCH)
            if not events.is_alive():
                logger.warning("events_ended", extra={"inbox": str(self.root)})  # the caller starts again
                return
            self._on_taken()
            pause = min(self._settings.rescan_seconds, max(0.05, PAUSE_PER_SCAN * (self._clock.monotonic() - began)))
            self._heartbeat.beat(WATCH, waits_seconds=pause)
            stop.wait(pause)
            check, rescan = self.seconds_to_check(), self._settings.rescan_seconds
            wait = rescan if check is None else min(rescan, check)
            self._heartbeat.beat(WATCH, waits_seconds=wait)
            self._wake.wait(wait)

    def _on_touch(self, path: Path) -> None:
        if self._inbox.touch(path):
            self._wake.set()

    def scan(self, patience_seconds: float | None = None) -> int:
        """Adds settled files to the job queue, and returns how many."""
        job_queue, count = self._job_queue, 0
        for settled in self._inbox.scan(job_queue.open_paths(), job_queue.refused_paths(), patience_seconds=patience_seconds):
            arrival, error = settled.arrival, settled.error
            job = job_queue.enqueue(arrival) if error is None else job_queue.reject(arrival, error)
            if job is None:
                continue
            self._at_checkpoint(Checkpoint.TAKEN)
            count += 1
            fields = {"receipt_id": job.receipt_id, "file": job.name, "state": job.state.value}
            logger.info("file_taken", extra=fields | for_terminal("") | ({"error": str(error)} if error else {}))
            self._heartbeat.beat(WATCH)
            self._on_taken()  # not only after the scan, which takes long with many large files
        return count
