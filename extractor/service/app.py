"""Builds the service: creates all objects that the settings ask for and passes them to one another."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from extractor.config.settings import Settings
from extractor.documents.isolated_check import IsolatedCheck
from extractor.extraction.isolated import IsolatedReading
from extractor.jobs import ExtractEach, Extracted, JobState, Source
from extractor.pipeline import Pipeline
from extractor.runtime.checkpoints import AtCheckpoint, go_on
from extractor.runtime.clock import Clock, SystemClock
from extractor.runtime.heartbeat import Heartbeat
from extractor.runtime.telemetry import Telemetry
from extractor.service.lifecycle import Service
from extractor.service.scanner import WATCH, InboxScanner
from extractor.service.worker import WORKER, Worker
from extractor.storage.archive import open_archive
from extractor.storage.files.inbox import Check, Inbox

# Files of more than this many times `limits.max_bytes` stay in the inbox: filing one means reading it several times.
REFUSED_SIZE_FACTOR = 100


def build_service(
    settings: Settings,
    *,
    extract: ExtractEach | None = None,
    check: Check | None = None,
    clock: Clock | None = None,
    at_checkpoint: AtCheckpoint = go_on,
    telemetry: Telemetry | None = None,
) -> Service:
    """Builds the service, without running it.

    Args:
        extract: Replaces the reader that the settings name.
        check: Replaces the check that decodes each file to its end.
        clock: Replaces the system's clock.
        at_checkpoint: Called after each checkpoint, in the thread that has reached it.
        telemetry: Counts of an earlier service, which this one continues.
    Raises:
        ConfigError: The reader cannot work here.
        StorageError: The folders or the database cannot be used.
    """
    clock, telemetry = clock or SystemClock(), telemetry or Telemetry()
    heartbeat = Heartbeat(clock.monotonic, hung_seconds=settings.work.hung_seconds)
    archive = open_archive(settings, clock=clock, at_checkpoint=at_checkpoint)
    if not archive.outbox.is_available and not archive.job_queue.counts().get(JobState.DONE):
        archive.outbox.mark()  # an empty folder is right if nothing was filed
    again = partial(build_service, extract=extract, check=check, clock=clock, at_checkpoint=at_checkpoint, telemetry=telemetry)
    isolated: list[IsolatedReading | IsolatedCheck] = []
    batch, prefetch = settings.work.batch_size, None
    if check is None:
        isolated.append(check := IsolatedCheck.from_settings(settings))
    if extract is None:
        isolated.append(reading := IsolatedReading.from_settings(settings))
        reading.start()
        extract, batch = _with_heartbeat(reading, heartbeat), reading.batch_size
        prefetch = reading.prefetch if reading.reads_together else None
        heartbeat.hung_seconds += reading.longest_seconds  # the pool kills children that hang
    max_bytes = REFUSED_SIZE_FACTOR * settings.limits.max_bytes
    inbox = Inbox(settings.inbox_dir, settings.inbox, _timed(check, telemetry, heartbeat), clock, max_bytes=max_bytes)
    steps = (archive.database, archive.job_queue, archive.receipts, archive.filing, extract)
    pipeline = Pipeline(*steps, prefetch=prefetch, at_checkpoint=at_checkpoint, telemetry=telemetry)
    worker = Worker(
        archive.job_queue, pipeline, clock, batch_size=batch, at_checkpoint=at_checkpoint, heartbeat=heartbeat, telemetry=telemetry
    )
    scanner = InboxScanner(
        inbox, archive.job_queue, clock, settings.inbox, on_taken=worker.wake.set, at_checkpoint=at_checkpoint, heartbeat=heartbeat
    )
    return Service(archive, scanner, worker, heartbeat=heartbeat, telemetry=telemetry, build_again=again, isolated=isolated)


def _timed(check: Check, telemetry: Telemetry, heartbeat: Heartbeat) -> Check:
    def timed(path: Path) -> None:
        heartbeat.beat(WATCH)
        with telemetry.stage("check"):
            check(path)

    return timed


def _with_heartbeat(reading: IsolatedReading, heartbeat: Heartbeat) -> ExtractEach:
    """Reads, with a heartbeat for each result."""

    def read(sources: Sequence[Source]) -> Iterator[Extracted]:
        for result in reading.read_each(sources):
            heartbeat.beat(WORKER)
            yield result

    return read
