"""The service at work: it watches the inbox and works until it is told to stop."""

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
from extractor.runtime.telemetry import Telemetry
from extractor.service.lock import InstanceLock
from extractor.service.scanner import InboxScanner
from extractor.service.supervisor import Supervisor, ThreadGroup
from extractor.service.worker import Worker
from extractor.storage.archive import Archive

logger = logging.getLogger(__name__)

FIXED = ("inbox_dir", "outbox_dir", "database")
"""Settings that a running service keeps: what it has filed, locked and opened is named by them."""


class Service:
    """Watch and worker, each in its thread; the caller's thread waits for orders.

    Args:
        isolated: Whose processes end with the service.
    Attributes:
        scanner: Looks through the inbox.
        worker: Reads and files what was taken.
        heartbeat: Whether its threads go on.
        telemetry: What they have done.
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
        """Watches and works until SIGTERM, SIGINT or `stop()`.

        Raises:
            ConfigError: Another service works on this database.
        """
        with self.at_work() as supervisor:
            supervisor.run(self.crew())

    def run_once(self) -> None:
        """Works off what is in the inbox and returns; what has to be tried again later waits in the queue for the next run."""
        with self.at_work() as supervisor:
            supervisor.run(ThreadGroup((self._once,), self._ask_to_stop, self._hand_back))

    def stop(self) -> None:
        """Tells the service to stop; may be called from any thread and from signal handlers."""
        self._supervisor.stop()

    def restarts(self) -> Counter[str]:
        """How many processes for reading and checking were replaced, by reason: crashed, hung, memory, recycled."""
        return sum((each.restarts for each in self._isolated), Counter[str]())

    def reload(self) -> None:
        """Tells whoever runs this service to read the settings anew, as SIGHUP does."""
        self._supervisor.reload()

    @contextmanager
    def at_work(self, *, can_reload: bool = False) -> Iterator[Supervisor]:
        """This service's supervisor: signals are orders to it now, and nobody else works on the database.

        Args:
            can_reload: SIGHUP is an order to reload, and not to stop.
        Raises:
            ConfigError: Another service works on this database.
        """
        with InstanceLock(self.archive.settings.database), self._supervisor.signals(can_reload=can_reload):
            self.archive.job_queue.reclaim(from_the_dead=True)
            self.archive.at_checkpoint(Checkpoint.RECLAIMED)
            self._tidy()
            self.archive.at_checkpoint(Checkpoint.TIDIED)
            logger.info("service_started", extra={"inbox": str(self.scanner.root), "outbox": str(self.archive.outbox.root)})
            yield self._supervisor
            logger.info("service_stopped")

    def crew(self, begin: Callable[[], None] = lambda: None) -> ThreadGroup:
        """The two threads' work; `begin` is called just before they start."""
        return ThreadGroup(
            (lambda: self.scanner.run(self._stop), lambda: self.worker.run(self._stop)), self._ask_to_stop, self._hand_back, begin
        )

    def successor(self, settings: Settings) -> "Service":
        """The service for other settings, which can take over when this one has stopped; what it does is counted further.

        Raises:
            ConfigError: It cannot work here, or a setting is changed that only a new start can change.
        """
        for name in FIXED:
            if getattr(settings, name) != getattr(self.archive.settings, name):
                raise ConfigError(f"{name} cannot change while the service runs. Stop it, move what lies there, and start it again.")
        return self._build_again(settings)

    def _tidy(self) -> None:
        job_queue = self.archive.job_queue
        try:
            self.archive.filing.tidy(job_queue.open_ids(), job_queue.job, job_queue.with_bytes)
        except StorageError as error:
            logger.warning("not_tidied", extra={"error": str(error)})  # a folder is away; the next start does it

    def _ask_to_stop(self) -> None:
        self._stop.set()
        self.scanner.wake()
        self.worker.wake.set()
        for each in self._isolated:
            each.drain()

    def _hand_back(self, in_time: bool) -> None:  # noqa: FBT001 -- the signature of ThreadGroup.hand_back
        for each in self._isolated:
            each.close()
        try:
            released = self.archive.job_queue.release(self.worker.name)
        except StorageError as error:
            logger.warning("not_handed_back", extra={"error": str(error)})  # the next start does it
            return
        if not in_time:
            logger.warning("stopped_while_reading", extra={"receipts_back_in_queue": released})

    def _once(self) -> None:
        while not self._stop.is_set():
            found = self.scanner.scan_once()
            worked = self.worker.run_once(self._stop)
            seconds = self.scanner.seconds_to_look()
            if seconds is not None:
                self._stop.wait(seconds)
            elif not found and not worked:
                break
