"""The service with real folder events, threads and signals; waits poll with a deadline."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver

from extractor.config.settings import InboxSettings, Settings
from extractor.errors import ConfigError, StorageError, Unreadable
from extractor.extraction.isolated import IsolatedReading, load_extraction
from extractor.jobs import JobState, Source
from extractor.service import supervisor
from extractor.service.app import build_service
from extractor.service.lifecycle import Service
from extractor.service.lock import InstanceLock
from extractor.storage.archive import open_archive, prepare
from extractor.storage.files import folder_events
from extractor.storage.files.folder_events import FolderEvents
from extractor.testing import ScriptedExtraction

DEADLINE_SECONDS = 20.0


def eventually(condition: Callable[[], object], what: str) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


@contextmanager
def running(built: Service) -> Iterator[Service]:
    """The service in a thread, stopped at the end."""
    thread = threading.Thread(target=built.run)
    thread.start()
    try:
        yield built
    finally:
        built.stop()
        thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def counts(built: Service) -> dict[JobState, int]:
    return built.archive.job_queue.counts()


@pytest.mark.parametrize("poll", [False, True])
def test_what_is_dropped_is_filed(settings: Settings, draw: Callable[..., Path], poll: bool) -> None:
    """Files that were there, files that come, files in subfolders that are moved in: all are filed, by events or by polling."""
    inbox = InboxSettings(settle_seconds=0.05, rescan_seconds=1000, poll=poll, poll_seconds=0.1)
    draw(settings.inbox_dir / "before.png")
    with running(build_service(settings.model_copy(update={"inbox": inbox}), extract=ScriptedExtraction())) as built:
        eventually(lambda: counts(built).get(JobState.DONE) == 1, "the first file")
        draw(settings.inbox_dir / "after.png")
        eventually(lambda: counts(built).get(JobState.DONE) == 2, "the second file")
        draw(settings.inbox_dir.parent / "elsewhere" / "third.png")
        (settings.inbox_dir.parent / "elsewhere").rename(settings.inbox_dir / "trip")
        eventually(lambda: counts(built).get(JobState.DONE) == 3, "the file in the folder")
    assert [record.tags for record in built.archive.receipts.list(tag="trip")] == [("trip",)]


def test_what_no_event_reports_is_found_by_the_rescan(
    settings: Settings, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that are lost delay a file; they do not lose it."""
    monkeypatch.setattr(folder_events._Handler, "on_any_event", lambda *_: None)
    with running(build_service(settings, extract=ScriptedExtraction())) as built:
        draw(settings.inbox_dir / "silent.png")
        eventually(lambda: counts(built).get(JobState.DONE) == 1, "the file")


def test_without_native_events_it_polls_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The inotify limit does not stop the service."""

    class Exhausted(BaseObserver):
        def __init__(self) -> None:
            raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(folder_events, "Observer", Exhausted)
    touched: list[Path] = []
    with FolderEvents(tmp_path, touched.append, poll=False, poll_seconds=0.05) as events:
        assert events.is_polling
        (tmp_path / "lunch.jpg").write_bytes(b"x")
        eventually(lambda: tmp_path / "lunch.jpg" in touched, "the polled event")
    assert [entry.message for entry in caplog.records] == ["events_polled"]


def test_once_works_off_what_is_there_and_returns(settings: Settings, draw: Callable[..., Path]) -> None:
    """Good, broken and repeated files are all dealt with; running again changes nothing."""
    draw(settings.inbox_dir / "good.png", "text")
    draw(settings.inbox_dir / "again.png", "text")
    (settings.inbox_dir / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 half a picture")
    for _ in range(2):
        built = build_service(settings, extract=ScriptedExtraction())
        built.run_once()
        assert counts(built) == {JobState.DONE: 1, JobState.DUPLICATE: 1, JobState.FAILED: 1}
        assert list(settings.inbox_dir.iterdir()) == []
        built.archive.close()


def test_once_waits_for_a_file_to_settle(settings: Settings, draw: Callable[..., Path]) -> None:
    """The gate is the same as for the service."""
    draw(settings.inbox_dir / "good.png")
    built = build_service(settings.model_copy(update={"inbox": InboxSettings(settle_seconds=0.2)}), extract=ScriptedExtraction())
    built.run_once()
    assert counts(built) == {JobState.DONE: 1}


def test_a_failed_file_can_be_retried(settings: Settings, draw: Callable[..., Path]) -> None:
    """It is queued again from the start and filed when the cause is gone; other failed files stay."""
    draw(settings.inbox_dir / "a.png")
    draw(settings.inbox_dir / "b.png")
    extraction = ScriptedExtraction(lambda source: Unreadable(f"{source.name} is damaged. Scan it again."))
    build_service(settings, extract=extraction).run_once()
    archive = open_archive(settings)
    [queued] = archive.retry(["a.png"])
    assert (queued.name, queued.state, queued.attempts) == ("a.png", JobState.QUEUED, 0)
    built = build_service(settings, extract=ScriptedExtraction())
    built.run_once()
    assert counts(built) == {JobState.DONE: 1, JobState.FAILED: 1}
    assert sorted(path.name for path in (settings.outbox_dir / "failed").iterdir()) == ["b.png", "b.png.error.json"]
    assert len(archive.retry()) == 1
    archive.close()


def test_a_second_service_on_one_database_is_refused(settings: Settings) -> None:
    """The message names the process that holds it; when that one ends, however, the lock is free."""
    built = build_service(settings, extract=ScriptedExtraction())
    with InstanceLock(settings.database), pytest.raises(ConfigError, match=str(os.getpid())):
        built.run_once()
    built.run_once()


def test_the_lock_dies_with_its_holder(settings: Settings) -> None:
    """A service that was killed does not keep the next one from starting."""
    prepare(settings)
    imports = "import sys, time; from pathlib import Path; from extractor.service.lock import InstanceLock"
    script = f"{imports}\nwith InstanceLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", script, str(settings.database)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match=str(holder.pid)), InstanceLock(settings.database):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with InstanceLock(settings.database):
        pass


def test_a_receipt_in_hand_goes_back_when_it_takes_too_long_to_stop(
    settings: Settings, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time for a clean stop the service returns, and what was being read is in the queue as if never claimed."""
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    began, may_end = threading.Event(), threading.Event()
    before = set(threading.enumerate())

    def slow(_: Source) -> None:
        began.set()
        may_end.wait(DEADLINE_SECONDS)

    draw(settings.inbox_dir / "long.png")
    with running(build_service(settings, extract=ScriptedExtraction(slow))) as built:
        assert began.wait(DEADLINE_SECONDS)
    [job] = built.archive.job_queue.jobs()
    assert (job.state, job.attempts, job.interruptions) == (JobState.QUEUED, 0, 0)
    may_end.set()
    eventually(lambda: set(threading.enumerate()) <= before, "the end of the slow thread")
    assert built.archive.job_queue.counts() == {JobState.QUEUED: 1}
    assert list(built.archive.receipts.list()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_the_service_cleanly(settings: Settings, draw: Callable[..., Path], number: signal.Signals) -> None:
    """The receipt in hand is filed, then the process ends by itself; the handlers are as before."""
    before = signal.getsignal(number)

    def kill(_: Source) -> None:
        os.kill(os.getpid(), number)

    draw(settings.inbox_dir / "last.png")
    built = build_service(settings, extract=ScriptedExtraction(kill))
    built.run()
    assert counts(built) == {JobState.DONE: 1}
    assert signal.getsignal(number) is before


def test_a_broken_thread_ends_the_service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that no longer watches does not look alive: its error reaches the caller."""
    built = build_service(settings, extract=ScriptedExtraction())
    monkeypatch.setattr(built.scanner, "scan", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        built.run()


def test_an_inbox_that_goes_away_is_waited_for(settings: Settings, draw: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    """An unmounted share stops nothing; when it is back, its files are taken."""
    inbox = InboxSettings(settle_seconds=0, rescan_seconds=0.1)
    with running(build_service(settings.model_copy(update={"inbox": inbox}), extract=ScriptedExtraction())) as built:
        settings.inbox_dir.rmdir()
        eventually(lambda: "scan_failed" in caplog.messages, "the failed scan")
        draw(settings.inbox_dir / "back.png")
        eventually(lambda: counts(built).get(JobState.DONE) == 1, "the file")


def test_prepare_makes_what_is_missing_once(settings: Settings) -> None:
    """Folders and database are made; a second time there is nothing to do."""
    assert prepare(settings) == (settings.inbox_dir, settings.outbox_dir, settings.database)
    assert prepare(settings) == ()


def test_a_folder_that_cannot_be_made_is_a_storage_error(settings: Settings) -> None:
    """The message names the path."""
    settings.inbox_dir.write_text("in the way")
    with pytest.raises(StorageError, match="inbox"):
        prepare(settings)


def test_states_are_recovered_at_start(settings: Settings, draw: Callable[..., Path]) -> None:
    """What a dead process was reading is read again at once, without waiting for its lease."""
    draw(settings.inbox_dir / "a.png")
    first = build_service(settings, extract=ScriptedExtraction())
    first.scanner.scan()
    assert len(first.archive.job_queue.claim("dead", 1)) == 1
    (settings.outbox_dir / ".work" / "left-behind").mkdir(parents=True)
    second = build_service(settings, extract=ScriptedExtraction())
    second.run_once()
    assert counts(second) == {JobState.DONE: 1}
    assert list((settings.outbox_dir / ".work").iterdir()) == []


def test_a_failed_file_that_somebody_removed_does_not_keep_the_others_from_being_retried(
    settings: Settings, draw: Callable[..., Path]
) -> None:
    """Retrying all passes over it; retrying it by name says that it is gone."""
    for name in ("gone.png", "here.png"):
        draw(settings.inbox_dir / name)
    extraction = ScriptedExtraction(lambda source: Unreadable(f"{source.name} is damaged. Scan it again."))
    built = build_service(settings, extract=extraction)
    built.run_once()
    (settings.outbox_dir / "failed" / "gone.png").unlink()
    assert [job.name for job in built.archive.retry()] == ["here.png"]
    with pytest.raises(StorageError, match="does not exist any more"):
        built.archive.retry(["gone.png"])


def test_a_read_may_take_its_whole_time(settings: Settings) -> None:
    """The service does not count as hung while its children may still be at a receipt, a lost one included."""
    reading = IsolatedReading(partial(load_extraction, settings), processes=2, batch_size=3, receipt_seconds=10)
    assert reading.longest_seconds == 2 * 10
