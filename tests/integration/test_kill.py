"""The first promise under SIGKILL: nothing dropped is ever lost, nothing is filed twice."""

import hashlib
import multiprocessing
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from PIL import Image

from extractor.errors import ExtractorError
from extractor.pages import PageLimits, check_complete
from extractor.service import Archive, build, open_archive
from extractor.settings import InboxSettings, Settings, WorkSettings
from extractor.source import Source
from extractor.testing import make_record
from schemas.record import Record
from tests.conftest import draw_image

FILES = 30
LEAST_KILLS = 20
LEAST_KILLS_AT_WORK = 3
SEED = 20260314


def slow_extraction(sources: Sequence[Source]) -> list[Record | ExtractorError]:
    """Plain records, after the time that a very quick reader would take."""
    time.sleep(0.01 * len(sources))
    return [make_record(source) for source in sources]


def serve(settings: Settings, is_up: Event) -> None:
    """The real service in a process of its own."""
    # Checked in this process: a new one for each service would take most of the time between two kills.
    service = build(settings, extract=slow_extraction, check=lambda path: check_complete(path, PageLimits()))
    check_complete(
        draw_image(settings.inbox_dir.parent / "warm.png"), PageLimits()
    )  # imports the decoder: kills shall hit work, not imports
    is_up.set()
    service.run()


@pytest.fixture
def processes() -> ForkServerContext:
    """Processes that start within milliseconds, because the imports are done once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["extractor.service", "extractor.testing", "extractor.pages.raster", "alembic.command", "pytest"])
    return context


@pytest.fixture
def stubborn(settings: Settings) -> Settings:
    """Being killed is not the file's fault here, however often it happens."""
    inbox = InboxSettings(settle_seconds=0.05, patience_seconds=60, rescan_seconds=0.1)
    return settings.model_copy(update={"inbox": inbox, "work": WorkSettings(max_attempts=10_000, backoff_seconds=0)})


def drops(folder: Path, rng: random.Random) -> Iterator[str]:
    """Puts one picture after the other into the inbox, every third in two halves; gives the hash of each that was begun."""
    for number in range(FILES):
        path = folder / ("trip" if number % 2 else "") / f"receipt {number % 10}-{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.frombytes("L", (200, 200), rng.randbytes(40_000)).save(hidden := folder / ".drawn", format="PNG")
        data = hidden.read_bytes()
        hidden.unlink()
        cut = len(data) // 2 if number % 3 == 0 else len(data)
        path.write_bytes(data[:cut])
        yield hashlib.sha256(data).hexdigest()
        if data[cut:]:  # else it may be filed by now, and opening would make a new, empty file
            with path.open("ab") as file:
                file.write(data[cut:])


def wait_to_kill(archive: Archive, rng: random.Random, *, at_work: bool) -> None:
    """Lets a random time pass, or, `at_work`, less if the service has work in hand: on a quick machine it seldom has."""
    deadline = time.monotonic() + rng.uniform(0, 0.5)
    while time.monotonic() < deadline:
        if at_work and archive.ledger.open_ids():
            time.sleep(rng.uniform(0, 0.02))
            return
        time.sleep(0.002)


def test_every_file_is_filed_exactly_once_however_often_the_service_is_killed(stubborn: Settings, processes: ForkServerContext) -> None:
    """30 files are dropped while the service is killed; then each has one record, JSON and original, and nothing else is left."""
    rng = random.Random(SEED)  # noqa: S311 -- no secrets here
    dropping, dropped = drops(stubborn.inbox_dir, rng), list[str]()
    archive = open_archive(stubborn)
    kills = kills_at_work = 0
    while len(dropped) < FILES or kills < LEAST_KILLS:
        is_up = processes.Event()
        service = processes.Process(target=serve, args=(stubborn, is_up), daemon=True)
        service.start()
        for _ in range(rng.randrange(4)):
            dropped += [sha256 for sha256 in [next(dropping, None)] if sha256]
        assert is_up.wait(20)
        wait_to_kill(archive, rng, at_work=kills % 2 == 1)
        service.kill()
        service.join(10)
        assert service.exitcode == -9
        kills += 1
        kills_at_work += bool(archive.ledger.open_ids())
    assert next(dropping, None) is None
    build(stubborn, extract=slow_extraction).run_once()
    check_everything_is_filed_once(archive, dropped)
    assert kills_at_work >= LEAST_KILLS_AT_WORK
    archive.close()


def check_everything_is_filed_once(archive: Archive, dropped: Sequence[str]) -> None:
    """The folders and the database agree on every file, and there is nothing that should not be there."""
    settings = archive.settings
    assert len(set(dropped)) == FILES
    assert [path for path in settings.inbox_dir.rglob("*") if not path.is_dir()] == []
    jobs, records = archive.ledger.jobs(), {record.receipt_id: record for record in archive.store.list()}
    assert sorted(job.sha256 or "" for job in jobs if job.state.value == "done") == sorted(dropped)
    assert {job.state.value for job in jobs} <= {"done", "withdrawn"}
    assert sorted(record.source_sha256 for record in records.values()) == sorted(dropped)
    expected = set[Path]()
    for job in jobs:
        if job.filed_as:
            original, json_file = settings.outbox_dir / job.filed_as, archive.outbox.record_path(job.filed_as)
            assert hashlib.sha256(original.read_bytes()).hexdigest() == job.sha256
            assert Record.model_validate_json(json_file.read_bytes()) == records[job.receipt_id]
            expected |= {original, json_file}
    assert {path for path in settings.outbox_dir.rglob("*") if not path.is_dir()} == expected
    with sqlite3.connect(settings.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
