"""Fixtures for all tests: objects (`settings`, `clock`) and factories of states (`queued_job`, `leased_job`)."""

import itertools
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from PIL import Image, ImageDraw

from extractor.config.settings import InboxSettings, Settings, WorkSettings
from extractor.jobs import Arrival, Job
from extractor.storage.archive import Archive, open_archive
from extractor.storage.files.atomic import digest
from extractor.testing import ManualClock

# Shells start background jobs with SIGINT ignored, `nohup` with SIGHUP ignored, and child processes inherit that. Tests send both signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# No deadline: on shared machines the time of a single example is meaningless.
hypothesis_settings.register_profile("project", deadline=None, derandomize=True, max_examples=60)
hypothesis_settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Rewrite the files in tests/golden. Review the diff.")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a file of `tests/golden`: `golden("question.txt", text)`."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(autouse=True)
def _network_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to other machines fail in every test."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an installation in an empty folder, without delays: files settle and retries are due at once."""
    return Settings(
        inbox_dir=tmp_path / "inbox",
        outbox_dir=tmp_path / "outbox",
        database=tmp_path / "receipts.db",
        inbox=InboxSettings(settle_seconds=0, patience_seconds=0.01, rescan_seconds=0.2),
        work=WorkSettings(backoff_seconds=0, max_attempts=3),
    )


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Create image files with distinct contents: `draw(path, text="...")`."""
    return draw_image


_numbers = itertools.count()


def draw_image(path: Path, text: str | None = None) -> Path:
    """Write a small image with a text, by default a unique one."""
    image = Image.new("RGB", (160, 60), "white")
    ImageDraw.Draw(image).text((10, 20), text or f"receipt {next(_numbers)}", fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, format="PNG")
    return path


@pytest.fixture
def archive(settings: Settings, clock: ManualClock) -> Iterator[Archive]:
    """Job queue, receipt repository and outbox on real files, with the manual clock."""
    opened = open_archive(settings, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def drop(settings: Settings) -> Callable[..., Path]:
    """Write a file into the inbox: `drop("travel/lunch.jpg", b"...")`; by default with unique contents."""

    def put(name: str, data: bytes | None = None) -> Path:
        path = settings.inbox_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"file %d" % next(_numbers) if data is None else data)
        return path

    return put


@pytest.fixture
def queued_job(archive: Archive, drop: Callable[..., Path], settings: Settings) -> Callable[..., Job]:
    """Create a file in the inbox and its queued job: `queued_job("lunch.jpg")`."""

    def make(name: str = "lunch.jpg", data: bytes | None = None) -> Job:
        path = drop(name, data)
        job = archive.job_queue.enqueue(Arrival(path.relative_to(settings.inbox_dir), path.stat().st_size, digest(path)))
        assert job is not None
        return job

    return make


@pytest.fixture
def leased_job(archive: Archive, queued_job: Callable[..., Job]) -> Callable[..., Job]:
    """Like `queued_job`, but claimed by the worker `w`."""

    def make(name: str = "lunch.jpg", data: bytes | None = None) -> Job:
        queued = queued_job(name, data)
        [job] = [job for job in archive.job_queue.claim("w", 1000) if job.id == queued.id]
        return job

    return make
