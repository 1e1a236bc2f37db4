"""All concrete things, built from Settings, and the service: it watches the inbox and works until it is told to stop."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from extractor.clock import Clock, SystemClock
from extractor.db import Database
from extractor.errors import ConfigError, ExtractorError, ReaderDown, Stopped, StorageError
from extractor.events import FolderEvents
from extractor.files import make_folder, storage_errors
from extractor.inbox import Check, Inbox
from extractor.instance import InstanceLock
from extractor.isolation import IsolatedCheck, IsolatedReading
from extractor.job import Job, JobState
from extractor.ledger import Ledger
from extractor.outbox import Outbox
from extractor.pipeline import Pipeline
from extractor.pulse import Pulse
from extractor.settings import Settings
from extractor.source import Extract, Source
from extractor.steps import AtStep, Step, go_on
from extractor.store import Store
from extractor.supervisor import Crew, Supervisor
from extractor.telemetry import Telemetry
from extractor.worker import LONGEST_WAIT_SECONDS, WORKER, Worker
from schemas.record import Record

logger = logging.getLogger(__name__)

INBOX = "inbox"
"""Name of the watching thread among the signs of life."""

FIXED = ("inbox_dir", "outbox_dir", "database")
"""Settings that a running service keeps: what it has filed, locked and opened is named by them."""

ONCE_PATIENCE_SETTLES = 4
"""`run_once` gives up on an incomplete file after so many settle times, or after the patience if that is shorter."""

ENORMOUS = 100
"""Files of so many times the allowed size are left in the inbox: filing one would mean to read it several times over."""

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
            names: Names or ids of the files to retry; without any, all that are in `failed/` still.
        Raises:
            StorageError: A file that is named is not in `failed/` any more, or the inbox cannot be written.
        """
        wanted = [
            job
            for job in self.ledger.jobs(JobState.FAILED)
            if job.filed_at and job.sha256 and (not names or {job.receipt_id, job.name, Path(job.filed_as or "").name} & set(names))
        ]
        return tuple(self._retry(job) for job in wanted if names or self.outbox.has_file(job))

    def _retry(self, job: Job) -> Job:
        queued = self.ledger.requeue(job, self.outbox.bring_back(job))
        self.at_step(Step.REQUEUED)
        return queued

    def close(self) -> None:
        """Closes the database."""
        self.database.close()


def prepare(settings: Settings) -> tuple[Path, ...]:
    """The folders and the database that were made because they were not there.

    Whoever calls it says with that: the outbox is the right folder, and a database that is missing is to be begun anew.
    """
    made = []
    for folder in (settings.inbox_dir, settings.outbox_dir, settings.database.parent):
        if not folder.is_dir():
            with storage_errors(folder):
                make_folder(folder)
            made.append(folder)
    Outbox(settings.outbox_dir, settings.inbox_dir).mark()
    if not settings.database.exists():
        Database(settings.database).close()
        made.append(settings.database)
    return tuple(made)


def open_archive(settings: Settings, *, clock: Clock | None = None, at_step: AtStep = go_on) -> Archive:
    """The archive of this installation; where there is none, folders and database are made.

    Raises:
        ConfigError: The database is not there, but the outbox has been used.
        DatabaseDamaged, StorageError: The database cannot be used.
    """
    if not settings.database.exists():
        if Outbox(settings.outbox_dir, settings.inbox_dir).is_here:
            way_out = "Put it back (receipts restore BACKUP), or correct the setting; to begin with an empty one, run: receipts init"
            raise ConfigError(f"{settings.database} is not there, but {settings.outbox_dir} has been used with a database. {way_out}")
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
    telemetry: Telemetry | None = None,
) -> "Service":
    """The service that the settings ask for, not yet running.

    Args:
        extract: Instead of the reader that the settings name.
        check: Instead of decoding each file to its end.
        clock: Instead of the machine's own.
        at_step: Called after each named step, from the thread that has done it.
        telemetry: Goes on counting where another service has stopped.
    Raises:
        ConfigError: The reader cannot work here.
        StorageError: The folders or the database cannot be used.
    """
    clock, telemetry = clock or SystemClock(), telemetry or Telemetry()
    pulse = Pulse(clock.monotonic, hung_seconds=settings.work.hung_seconds)
    archive = open_archive(settings, clock=clock, at_step=at_step)
    if not archive.outbox.is_here and not archive.ledger.counts().get(JobState.DONE):
        archive.outbox.mark()  # it was made anew, and nothing is missing in it
    again = partial(build, extract=extract, check=check, clock=clock, at_step=at_step, telemetry=telemetry)
    isolated: list[IsolatedReading | IsolatedCheck] = []
    batch = settings.work.batch_size
    if check is None:
        isolated.append(check := IsolatedCheck.from_settings(settings))
    if extract is None:
        isolated.append(reading := IsolatedReading.from_settings(settings))
        reading.start()
        extract, batch = _signalling(reading, pulse), reading.batch_size
        pulse.hung_seconds += reading.longest_seconds  # it ends children that hang by itself
    most_bytes = ENORMOUS * settings.limits.max_bytes
    inbox = Inbox(settings.inbox_dir, settings.inbox, _timed(check, telemetry, pulse), clock, most_bytes=most_bytes)
    steps = (archive.database, archive.ledger, archive.store, archive.outbox, extract)
    pipeline = Pipeline(*steps, at_step=at_step, telemetry=telemetry)
    worker = Worker(archive.ledger, pipeline, clock, batch_size=batch, at_step=at_step, pulse=pulse, telemetry=telemetry)
    return Service(archive, inbox, worker, clock, pulse=pulse, telemetry=telemetry, build_again=again, isolated=isolated)


def _timed(check: Check, telemetry: Telemetry, pulse: Pulse) -> Check:
    def timed(path: Path) -> None:
        pulse.beat(INBOX)
        with telemetry.stage("check"):
            check(path)

    return timed


def _signalling(reading: IsolatedReading, pulse: Pulse) -> Extract:
    def read(sources: Sequence[Source]) -> list[Record | ExtractorError]:
        results: list[Record | ExtractorError] = []
        for result in reading.read_each(sources):
            pulse.beat(WORKER)
            results.append(result)
        return results

    return read


class Service:
    """Inbox and worker, each in its thread; the caller's thread waits for orders.

    Args:
        isolated: Whose processes end with the service.
    Attributes:
        pulse: Whether its threads go on.
        telemetry: What they have done.
    """

    def __init__(
        self,
        archive: Archive,
        inbox: Inbox,
        worker: Worker,
        clock: Clock,
        *,
        pulse: Pulse,
        telemetry: Telemetry,
        build_again: Callable[[Settings], "Service"],
        isolated: Sequence[IsolatedReading | IsolatedCheck] = (),
    ) -> None:
        self.archive = archive
        self.pulse = pulse
        self.telemetry = telemetry
        self._inbox = inbox
        self._worker = worker
        self._clock = clock
        self._build_again = build_again
        self._isolated = isolated
        self._stop = threading.Event()
        self._wake = threading.Event()
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
            supervisor.run(Crew((self._once,), self._ask_to_stop, self._hand_back))

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
            self.archive.ledger.reclaim(from_the_dead=True)
            self.archive.at_step(Step.RECLAIMED)
            self._tidy()
            self.archive.at_step(Step.TIDIED)
            logger.info("service_started", extra={"inbox": str(self._inbox.root), "outbox": str(self.archive.outbox.root)})
            yield self._supervisor
            logger.info("service_stopped")

    def crew(self, begin: Callable[[], None] = lambda: None) -> Crew:
        """The two threads' work; `begin` is called just before they start."""
        return Crew((self._watch, lambda: self._worker.run(self._stop)), self._ask_to_stop, self._hand_back, begin)

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
        ledger = self.archive.ledger
        try:
            self.archive.outbox.tidy(ledger.open_ids(), ledger.job, ledger.with_bytes)
        except StorageError as error:
            logger.warning("not_tidied", extra={"error": str(error)})  # a folder is away; the next start does it

    def _ask_to_stop(self) -> None:
        for event in (self._stop, self._wake, self._worker.wake):
            event.set()
        for each in self._isolated:
            each.drain()

    def _hand_back(self, in_time: bool) -> None:  # noqa: FBT001 -- the signature of Crew.hand_back
        for each in self._isolated:
            each.close()
        try:
            released = self.archive.ledger.release(self._worker.name)
        except StorageError as error:
            logger.warning("not_handed_back", extra={"error": str(error)})  # the next start does it
            return
        if not in_time:
            logger.warning("stopped_while_reading", extra={"receipts_back_in_queue": released})

    def _watch(self) -> None:
        """Watches the inbox, and begins anew when it could not be listed: events of a share that was away come no more."""
        settings = self.archive.settings.inbox
        while not self._stop.is_set():
            with FolderEvents(self._inbox.root, self._on_touch, poll=settings.poll, poll_seconds=settings.poll_seconds) as events:
                try:
                    self._scan_until_stopped(events)
                except Stopped:
                    break
                except (StorageError, ReaderDown) as error:
                    logger.warning("scan_failed", extra={"error": str(error)})
                    self.pulse.trouble(INBOX, "cannot be listed now")
            self._stop.wait(min(settings.rescan_seconds, LONGEST_WAIT_SECONDS))
        self.pulse.end(INBOX)

    def _scan_until_stopped(self, events: FolderEvents) -> None:
        """Scans after events, when a file may have settled, and now and then in any case; returns also when no more events come."""
        while not self._stop.is_set():
            self._wake.clear()
            self.pulse.beat(INBOX)
            began = self._clock.monotonic()
            self._scan()
            self.pulse.trouble(INBOX)
            if not events.is_alive():
                logger.warning("events_ended", extra={"inbox": str(self._inbox.root)})  # the caller begins anew
                return
            self._worker.wake.set()
            rest = max(0.05, SCAN_SHARE * (self._clock.monotonic() - began))
            self.pulse.beat(INBOX, waits_seconds=rest)
            self._stop.wait(rest)
            look, rescan = self._inbox.next_look(), self.archive.settings.inbox.rescan_seconds
            wait = rescan if look is None else min(rescan, max(0.0, look - self._clock.monotonic()))
            self.pulse.beat(INBOX, waits_seconds=wait)
            self._wake.wait(wait)

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
            self.pulse.beat(INBOX)
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
