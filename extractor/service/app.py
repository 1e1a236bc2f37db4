"""The service that the settings ask for: every concrete thing is made here and handed to whoever needs it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from extractor.config.settings import Settings
from extractor.documents.isolated_check import IsolatedCheck
from extractor.extraction.isolated import IsolatedReading
from extractor.jobs import Extract, ExtractAhead, Extracted, JobState, Source
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

ENORMOUS = 100
"""Files of so many times the allowed size are left in the inbox: filing one would mean to read it several times over."""


def build_service(
    settings: Settings,
    *,
    extract: Extract | None = None,
    check: Check | None = None,
    clock: Clock | None = None,
    at_checkpoint: AtCheckpoint = go_on,
    telemetry: Telemetry | None = None,
) -> Service:
    """The service that the settings ask for, not yet running.

    Args:
        extract: Instead of the reader that the settings name.
        check: Instead of decoding each file to its end.
        clock: Instead of the machine's own.
        at_checkpoint: Called after each checkpoint, from the thread that has done it.
        telemetry: Goes on counting where another service has stopped.
    Raises:
        ConfigError: The reader cannot work here.
        StorageError: The folders or the database cannot be used.
    """
    clock, telemetry = clock or SystemClock(), telemetry or Telemetry()
    heartbeat = Heartbeat(clock.monotonic, hung_seconds=settings.work.hung_seconds)
    archive = open_archive(settings, clock=clock, at_checkpoint=at_checkpoint)
    if not archive.outbox.is_here and not archive.job_queue.counts().get(JobState.DONE):
        archive.outbox.mark()  # it was made anew, and nothing is missing in it
    again = partial(build_service, extract=extract, check=check, clock=clock, at_checkpoint=at_checkpoint, telemetry=telemetry)
    isolated: list[IsolatedReading | IsolatedCheck] = []
    batch, reads_ahead = settings.work.batch_size, False
    if check is None:
        isolated.append(check := IsolatedCheck.from_settings(settings))
    if extract is None:
        isolated.append(reading := IsolatedReading.from_settings(settings))
        reading.start()
        read_ahead, batch, reads_ahead = _signalling(reading, heartbeat), reading.batch_size, reading.reads_together
        heartbeat.hung_seconds += reading.longest_seconds  # it ends children that hang by itself
    else:
        read_ahead = _one_batch_at_a_time(extract)
    most_bytes = ENORMOUS * settings.limits.max_bytes
    steps = (archive.database, archive.job_queue, archive.store, archive.outbox, read_ahead)
    pipeline = Pipeline(*steps, check=check, reads_ahead=reads_ahead, at_checkpoint=at_checkpoint, telemetry=telemetry)
    inbox = Inbox(settings.inbox_dir, settings.inbox, _alive(pipeline.check, heartbeat), clock, most_bytes=most_bytes)
    worker = Worker(
        archive.job_queue, pipeline, clock, batch_size=batch, at_checkpoint=at_checkpoint, heartbeat=heartbeat, telemetry=telemetry
    )
    watch = InboxScanner(inbox, pipeline, archive.job_queue, clock, settings.inbox, on_taken=worker.wake.set, heartbeat=heartbeat)
    return Service(archive, watch, worker, heartbeat=heartbeat, telemetry=telemetry, build_again=again, isolated=isolated)


def _alive(check: Check, heartbeat: Heartbeat) -> Check:
    def checked(path: Path) -> None:
        heartbeat.beat(WATCH)
        check(path)

    return checked


def _one_batch_at_a_time(extract: Extract) -> ExtractAhead:
    return lambda sources, _=(), /: extract(sources)


def _signalling(reading: IsolatedReading, heartbeat: Heartbeat) -> ExtractAhead:
    def read(sources: Sequence[Source], upcoming: Sequence[Source] = (), /) -> list[Extracted]:
        results: list[Extracted] = []
        for result in reading.read_each(sources, upcoming):
            heartbeat.beat(WORKER)
            results.append(result)
        return results

    return read
