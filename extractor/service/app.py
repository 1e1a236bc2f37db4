"""The service that the settings ask for: every concrete thing is made here and handed to whoever needs it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from extractor.config.settings import Settings
from extractor.documents.isolated_check import IsolatedCheck
from extractor.extraction.isolated import IsolatedReading
from extractor.jobs import Extract, Extracted, JobState, Source
from extractor.pipeline import Pipeline
from extractor.runtime.checkpoints import AtStep, go_on
from extractor.runtime.clock import Clock, SystemClock
from extractor.runtime.heartbeat import Pulse
from extractor.runtime.telemetry import Telemetry
from extractor.service.lifecycle import Service
from extractor.service.scanner import WATCH, Watch
from extractor.service.worker import WORKER, Worker
from extractor.storage.archive import open_archive
from extractor.storage.files.inbox import Check, Inbox

ENORMOUS = 100
"""Files of so many times the allowed size are left in the inbox: filing one would mean to read it several times over."""


def build(
    settings: Settings,
    *,
    extract: Extract | None = None,
    check: Check | None = None,
    clock: Clock | None = None,
    at_step: AtStep = go_on,
    telemetry: Telemetry | None = None,
) -> Service:
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
    batch, foretell = settings.work.batch_size, None
    if check is None:
        isolated.append(check := IsolatedCheck.from_settings(settings))
    if extract is None:
        isolated.append(reading := IsolatedReading.from_settings(settings))
        reading.start()
        extract, batch = _signalling(reading, pulse), reading.batch_size
        foretell = reading.foretell if reading.reads_together else None
        pulse.hung_seconds += reading.longest_seconds  # it ends children that hang by itself
    most_bytes = ENORMOUS * settings.limits.max_bytes
    inbox = Inbox(settings.inbox_dir, settings.inbox, _timed(check, telemetry, pulse), clock, most_bytes=most_bytes)
    steps = (archive.database, archive.ledger, archive.store, archive.outbox, extract)
    pipeline = Pipeline(*steps, foretell=foretell, at_step=at_step, telemetry=telemetry)
    worker = Worker(archive.ledger, pipeline, clock, batch_size=batch, at_step=at_step, pulse=pulse, telemetry=telemetry)
    watch = Watch(inbox, archive.ledger, clock, settings.inbox, on_taken=worker.wake.set, at_step=at_step, pulse=pulse)
    return Service(archive, watch, worker, pulse=pulse, telemetry=telemetry, build_again=again, isolated=isolated)


def _timed(check: Check, telemetry: Telemetry, pulse: Pulse) -> Check:
    def timed(path: Path) -> None:
        pulse.beat(WATCH)
        with telemetry.stage("check"):
            check(path)

    return timed


def _signalling(reading: IsolatedReading, pulse: Pulse) -> Extract:
    def read(sources: Sequence[Source]) -> list[Extracted]:
        results: list[Extracted] = []
        for result in reading.read_each(sources):
            pulse.beat(WORKER)
            results.append(result)
        return results

    return read
