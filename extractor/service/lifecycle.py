"""The service: scans the inbox and processes receipts until it is stopped."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from extractor.config.settings import Settings
from extractor.documents.isolated_check import IsolatedCheck
from extractor.errors import ConfigError, StorageError
from extractor.extraction.isolated import IsolatedReading
from extractor.runtime.checkpoints import Checkpoint
from extractor.runtime.heartbeat import Heartbeat
from extractor.runtime.logs import for_terminal
from extractor.runtime.telemetry import Telemetry
from extractor.service.lock import InstanceLock
from extractor.service.scanner import InboxScanner
from extractor.service.supervisor import Supervisor, ThreadGroup
from extractor.service.worker import Worker
from extractor.storage.archive import Archive

logger = logging.getLogger(__name__)

# Settings that cannot be reloaded: open files, the lock and paths in the database depend on them.
FIXED = ("inbox_dir", "outbox_dir", "database")


class Service:
    """A scanner and a worker, each in its thread.

    Args:
        build_again: Builds a service with other settings that shares this one's telemetry.
        isolated: Owners of child processes, which end with the service.
    """

    def __init__(
        self,
        archive: Archive,
        scanner: InboxScanner,
        worker: Worker,
        *,
        heartbeat: Heartbeat,
        telemetry: Telemetry,
        build_again: Callable[[Settings], "Service"],
        isolated: Sequence[IsolatedReading | IsolatedCheck] = (),
    ) -> None:
        self.archive = archive
        self.heartbeat = heartbeat
        self.telemetry = telemetry
        self.scanner = scanner
        self.worker = worker
        self._build_again = build_again
        self._isolated = isolated
        self._stop = threading.Event()
        self._supervisor = Supervisor()

    def run(self) -> None:
        """Runs until SIGTERM, SIGINT or `stop()`.

        Raises:
            ConfigError: Another service uses this database.
        """
        with self.running() as supervisor:
            supervisor.run(self.thread_group())

    def run_once(self) -> None:
        """Processes the files in the inbox and returns; jobs that are retried later wait for the next run."""
        with self.running() as supervisor:
            supervisor.run(ThreadGroup((self._once,), self._ask_to_stop, self._hand_back))

    def stop(self) -> None:
        """Requests a stop; may be called from any thread and from signal handlers."""
        self._supervisor.stop()

    def restarts(self) -> Counter[str]:
        """Number of child processes that were replaced, by reason: crashed, hung, memory, recycled."""
        return sum((each.restarts for each in self._isolated), Counter[str]())

    def reload(self) -> None:
        """Requests a reload of the settings, as SIGHUP does."""
        self._supervisor.reload()

    @contextmanager
    def running(self, *, can_reload: bool = False) -> Iterator[Supervisor]:
        """Locks the database, recovers from a crash, handles signals, and yields the supervisor.

        Args:
            can_reload: Whether SIGHUP reloads the settings; otherwise it stops the service.
        Raises:
            ConfigError: Another service uses this database.
        """
        with InstanceLock(self.archive.settings.database), self._supervisor.signals(can_reload=can_reload):
            self.archive.job_queue.reclaim(ignore_leases=True)
            self.archive.at_checkpoint(Checkpoint.RECLAIMED)
            self._tidy()
            self.archive.at_checkpoint(Checkpoint.TIDIED)
            folders = {"inbox": str(self.scanner.root), "outbox": str(self.archive.outbox.root)}
            logger.info("service_started", extra=folders | for_terminal(""))  # the command has said so
            yield self._supervisor
            logger.info("service_stopped", extra=for_terminal(""))

    def thread_group(self, begin: Callable[[], None] = lambda: None) -> ThreadGroup:
        """The scanner and the worker; `begin` is called just before their threads start."""
        return ThreadGroup(
            (lambda: self.scanner.run(self._stop), lambda: self.worker.run(self._stop)), self._ask_to_stop, self._hand_back, begin
        )

    def successor(self, settings: Settings) -> "Service":
        """Builds the service for changed settings, to be started when this one has stopped.

        Raises:
            ConfigError: It cannot run here, or one of the `FIXED` settings has changed.
        """
        for name in FIXED:
            if getattr(settings, name) != getattr(self.archive.settings, name):
                raise ConfigError(f"{name} cannot change while the service runs. Stop it, move the files, and start it again.")
        return self._build_again(settings)

    def _tidy(self) -> None:
        job_queue = self.archive.job_queue
        try:
            self.archive.filing.tidy(job_queue.open_ids(), job_queue.job, job_queue.with_bytes)
        except StorageError as error:
            logger.warning("not_tidied", extra={"error": str(error)})  # a folder is not available; the next start tries again

    def _ask_to_stop(self) -> None:
        self._stop.set()
        self.scanner.wake()
        self.worker.wake.set()
        for each in self._isolated:
            each.drain()

    def _hand_back(self, in_time: bool) -> None:  # noqa: FBT001 -- see `ThreadGroup.hand_back`
        for each in self._isolated:
            each.close()
        try:
            released = self.archive.job_queue.release(self.worker.name)
        except StorageError as error:
            logger.warning("not_handed_back", extra={"error": str(error)})  # the next start releases them
            return
        if not in_time:
            logger.warning("stopped_while_reading", extra={"receipts_back_in_queue": released})

    def _once(self) -> None:
        while not self._stop.is_set():
            found = self.scanner.scan_once()
            worked = self.worker.run_once(self._stop)
            seconds = self.scanner.seconds_to_check()
            if seconds is not None:
                self._stop.wait(seconds)
            elif not found and not worked:
                break
