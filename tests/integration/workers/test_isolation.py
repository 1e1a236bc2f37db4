"""Files that crash, hang or bloat the process that reads them fail alone, with an error that says how each process ended."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from extractor.config.settings import Settings
from extractor.documents.isolated_check import IsolatedCheck
from extractor.errors import ConfigError, FileCrashesReader, InputError, ReaderDown, ReaderUnavailable, Stopped
from extractor.extraction.isolated import IsolatedReading
from extractor.jobs import Extracted, Job, JobState, Source
from extractor.pipeline import Pipeline
from extractor.schemas.record import Record
from extractor.service.app import build_service
from extractor.service.worker import Worker
from extractor.storage.archive import Archive
from extractor.testing import ManualClock, ScriptedExtraction, make_source
from tests import unruly

DEADLINE_SECONDS = 30.0

MakeReading = Callable[..., IsolatedReading]


@pytest.fixture
def make_reading() -> Iterator[MakeReading]:
    """Makes readings whose workers end with the test."""
    made: list[IsolatedReading] = []

    def make(load: Callable[..., object] = unruly.load, **options: Any) -> IsolatedReading:
        made.append(IsolatedReading(load, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for reading in made:
        reading.close()


@pytest.fixture
def sources(tmp_path: Path) -> Callable[..., list[Source]]:
    """Sources with these names; there are no files."""
    return lambda *names: [make_source(name, path=tmp_path / name) for name in names]


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def record_of(result: Extracted) -> Record:
    assert isinstance(result, tuple), result
    return result[0]


def process_of(result: Extracted) -> int:
    return int(record_of(result).model or 0)


def has_ended(process: int) -> bool:
    """Whether the process is gone, or a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_what_ends_its_process_fails_alone(make_reading: MakeReading, sources: Callable[..., list[Source]]) -> None:
    """Signals, exits and refused memory: two tries, then an error that says how each ended. The files around it are read, in order."""
    reading = make_reading(processes=2)
    names = ["good-1", "segfault", "good-2", "exit", "good-3", "refused", "killed", "good-4"]
    results = dict(zip(names, reading(sources(*names)), strict=True))
    endings = {
        "segfault": "killed by SIGSEGV",
        "exit": "exit code 3",
        "refused": "ran out of memory",
        "killed": "killed by SIGKILL, perhaps",
    }
    for name, result in results.items():
        if name in endings:
            assert isinstance(result, FileCrashesReader)
            assert str(result).count(endings[name]) == 2
            assert name in str(result)
        else:
            assert record_of(result).original_filename == name
    assert reading.restarts == {"crashed": 6, "memory": 2}


def test_a_file_that_was_only_unlucky_is_read(make_reading: MakeReading, sources: Callable[..., list[Source]]) -> None:
    """One lost process is no verdict."""
    reading = make_reading()
    [result] = reading(sources("unlucky"))
    assert isinstance(result, tuple)
    assert reading.restarts == {"crashed": 1}


def test_a_hang_is_ended(make_reading: MakeReading, sources: Callable[..., list[Source]]) -> None:
    """What takes longer than the time for a receipt is stopped and tried once more."""
    reading = make_reading(receipt_seconds=1)
    hung, good = reading(sources("hang", "good"))
    assert isinstance(hung, FileCrashesReader)
    assert str(hung).count("no answer in 1 s") == 2
    assert isinstance(good, tuple)
    assert reading.restarts == {"hung": 2}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports how much memory a process has")
def test_memory_is_limited(make_reading: MakeReading, sources: Callable[..., list[Source]]) -> None:
    """A process that takes more than it may is stopped, and the error says so."""
    reading = make_reading(memory_mb=500)
    greedy, good = reading(sources("eat", "good"))
    assert isinstance(greedy, FileCrashesReader)
    assert str(greedy).count("more than 500 MB of memory") == 2
    assert isinstance(good, tuple)
    assert reading.restarts == {"memory": 2}


def test_a_bug_is_no_crash(make_reading: MakeReading, sources: Callable[..., list[Source]], caplog: pytest.LogCaptureFixture) -> None:
    """An odd exception is an attempt that failed, logged with its traceback in this process's log; the worker goes on."""
    reading = make_reading()
    before, bug, after = reading(sources("good-1", "bug", "good-2"))
    assert isinstance(bug, ReaderUnavailable)
    assert "ZeroDivisionError" in str(bug)
    assert "somewhere deep" not in str(bug)  # it might quote the receipt
    assert process_of(before) == process_of(after) != os.getpid()
    [entry] = [entry for entry in caplog.records if entry.message == "reading_crashed"]
    assert "misbehave" in (entry.exc_text or "")
    assert not reading.restarts


def test_contents_travel_at_debug_only(
    make_reading: MakeReading, sources: Callable[..., list[Source]], caplog: pytest.LogCaptureFixture
) -> None:
    """A worker logs at the levels that the parent has at that moment, with all fields."""
    reading = make_reading()
    with caplog.at_level(logging.INFO, "extractor"):
        reading(sources("quiet"))
    with caplog.at_level(logging.DEBUG, "extractor"):
        reading(sources("loud"))
    assert [vars(entry)["text"] for entry in caplog.records if entry.message == "contents"] == ["loud"]


def test_files_are_read_side_by_side(make_reading: MakeReading, sources: Callable[..., list[Source]]) -> None:
    """Two files that wait for one another are both read, each in a process of its own."""
    first, second = make_reading(processes=2)(sources("meet-1", "meet-2"))
    assert process_of(first) != process_of(second)


def test_a_process_is_replaced_after_enough_receipts(make_reading: MakeReading, sources: Callable[..., list[Source]]) -> None:
    """So what memory it has gathered is given back; no file notices."""
    reading = make_reading(recycle_receipts=2)
    processes = [process_of(result) for result in reading(sources("a", "b", "c"))]
    assert processes[0] == processes[1] != processes[2]
    assert reading.restarts == {"recycled": 1}


def test_a_batch_that_is_read_together_is_read_one_by_one_after_a_crash(
    make_reading: MakeReading, sources: Callable[..., list[Source]]
) -> None:
    """A reader with a GPU reads batches in one worker; losing it counts against no file until each is read alone."""
    reading = make_reading(partial(unruly.load, reads_together=True), processes=3)
    good, crash, other = reading(sources("good", "exit", "other"))
    assert isinstance(good, tuple)
    assert isinstance(crash, FileCrashesReader)
    assert str(crash).count("exit code 3") == 2
    assert isinstance(other, tuple)
    assert reading.restarts == {"crashed": 3}
    alike = reading(sources("a", "b", "c", "d"))
    assert len({process_of(result) for result in alike}) == 1


def test_batches_of_a_reader_with_a_gpu_have_their_own_size(make_reading: MakeReading) -> None:
    """As many receipts as the model reads side by side, however many processes another reader would have."""
    reading = make_reading(partial(unruly.load, reads_together=True), processes=3, batch_size=4, together_size=64)
    reading.start()
    assert reading.batch_size == 64
    other = make_reading(processes=3, batch_size=4, together_size=64)
    other.start()
    assert other.batch_size == 12


def make_worker(archive: Archive, clock: ManualClock, reading: IsolatedReading) -> Worker:
    """A worker of single files whose reader is announced the next one."""
    pipeline = Pipeline(archive.database, archive.job_queue, archive.receipts, archive.filing, reading, prefetch=reading.prefetch)
    return Worker(archive.job_queue, pipeline, clock, batch_size=1)


def test_a_reader_with_a_gpu_is_announced_what_comes_next(
    archive: Archive, clock: ManualClock, queued_job: Callable[..., Job], make_reading: MakeReading
) -> None:
    """While it is at the first batch: here that one does not end before the second is known to the reader."""
    for name in ("patient-1.jpg", "next.jpg", "last.jpg"):
        queued_job(name)
    reading = make_reading(partial(unruly.load, reads_together=True), together_size=1)
    make_worker(archive, clock, reading).run_once(threading.Event())
    assert {(job.state, job.attempts, job.interruptions) for job in archive.job_queue.jobs()} == {(JobState.DONE, 0, 0)}
    assert not reading.restarts


def test_a_stop_gives_back_what_was_only_announced(
    archive: Archive, clock: ManualClock, queued_job: Callable[..., Job], make_reading: MakeReading
) -> None:
    """The batch in hand is finished, the next one is as if nobody had begun."""
    queued_job("first.jpg")
    queued_job("next.jpg")
    stop = threading.Event()

    def extract(sources: Sequence[Source]) -> list[Extracted]:
        stop.set()
        return unruly.extract(sources)

    upcoming: list[Source] = []
    pipeline = Pipeline(archive.database, archive.job_queue, archive.receipts, archive.filing, extract, prefetch=upcoming.extend)
    Worker(archive.job_queue, pipeline, clock, batch_size=1).run_once(stop)
    assert [source.name for source in upcoming] == ["next.jpg"]
    states = {job.name: (job.state, job.attempts, job.interruptions) for job in archive.job_queue.jobs()}
    assert states == {"first.jpg": (JobState.DONE, 0, 0), "next.jpg": (JobState.QUEUED, 0, 0)}


def test_what_is_in_flight_returns_to_the_queue_when_the_reader_dies(
    archive: Archive, clock: ManualClock, queued_job: Callable[..., Job], make_reading: MakeReading, tmp_path: Path
) -> None:
    """The batch in hand and the one that was announced, when no other process can be started: nothing counts against them."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        queued_job(name)
    obstacle = tmp_path / "obstacle"
    reading = make_reading(partial(unruly.load_sabotaged, obstacle), together_size=1)
    worker = make_worker(archive, clock, reading)
    with pytest.raises(ReaderDown, match="in the way"):
        worker.run_once(threading.Event())
    with pytest.raises(ReaderDown, match="in the way"):
        worker.run_once(threading.Event())
    archive.job_queue.release(worker.name)
    assert {(job.state, job.attempts, job.interruptions) for job in archive.job_queue.jobs()} == {(JobState.QUEUED, 0, 0)}
    obstacle.unlink()
    worker.run_once(threading.Event())
    assert {(job.state, job.attempts, job.interruptions) for job in archive.job_queue.jobs()} == {(JobState.DONE, 0, 0)}


def test_what_is_missing_is_reported_at_the_start(make_reading: MakeReading, tmp_path: Path, sources: Callable[..., list[Source]]) -> None:
    """A wrong setting is an error of its own at first; later it may be cured while files wait, and none of them is to blame."""
    reading = make_reading(partial(unruly.load_unless, tmp_path / "obstacle"), recycle_receipts=1)
    (tmp_path / "obstacle").touch()
    with pytest.raises(ConfigError, match="in the way"):
        reading.start()
    with pytest.raises(ReaderDown, match="in the way"):
        reading(sources("lunch"))
    (tmp_path / "obstacle").unlink()
    assert isinstance(reading(sources("lunch"))[0], tuple)


def test_a_poisonous_file_among_good_ones_goes_to_failed(
    archive: Archive, clock: ManualClock, queued_job: Callable[..., Job], make_reading: MakeReading
) -> None:
    """Through job queue and outbox: its neighbours are filed at once and nothing counts against them; failed/ says why."""
    for name in ("a.jpg", "b.jpg", "segfault-receipt.jpg", "c.jpg"):
        queued_job(name)
    reading = make_reading(processes=2)
    pipeline = Pipeline(archive.database, archive.job_queue, archive.receipts, archive.filing, reading)
    Worker(archive.job_queue, pipeline, clock, batch_size=4).run_once(threading.Event())
    jobs = {job.name: job for job in archive.job_queue.jobs()}
    poison = jobs.pop("segfault-receipt.jpg")
    assert {(job.state, job.attempts, job.interruptions, job.waits) for job in jobs.values()} == {(JobState.DONE, 0, 0, 0)}
    assert (poison.state, poison.attempts, poison.error_kind) == (JobState.FAILED, 1, "FileCrashesReader")
    notice = json.loads((archive.outbox.root / "failed/segfault-receipt.jpg.error.json").read_text())
    assert notice["why"].count("SIGSEGV") == 2
    assert "tried 2 times" in notice["why"]
    assert reading.restarts == {"crashed": 2}


def test_files_wait_while_no_reader_can_be_started(
    archive: Archive, clock: ManualClock, queued_job: Callable[..., Job], make_reading: MakeReading, tmp_path: Path
) -> None:
    """No attempt counts; they are read when it can."""
    obstacle = tmp_path / "obstacle"
    obstacle.touch()
    queued_job("lunch.jpg")
    reading = make_reading(partial(unruly.load_unless, obstacle))
    worker = Worker(
        archive.job_queue, Pipeline(archive.database, archive.job_queue, archive.receipts, archive.filing, reading), clock, batch_size=4
    )
    for _ in range(2):
        with pytest.raises(ReaderDown):
            worker.run_once(threading.Event())
    obstacle.unlink()
    worker.run_once(threading.Event())
    [job] = archive.job_queue.jobs()
    assert (job.state, job.attempts, job.interruptions) == (JobState.DONE, 0, 0)


def test_what_is_in_hand_is_let_go_when_the_reading_is_closed(
    archive: Archive, clock: ManualClock, queued_job: Callable[..., Job], make_reading: MakeReading, tmp_path: Path
) -> None:
    """A stop that cannot wait kills the workers at once; the jobs go back to the queue as if nobody had begun."""
    for name in ("spin-1.jpg", "next.jpg"):
        queued_job(name)
    reading = make_reading()
    pipeline = Pipeline(archive.database, archive.job_queue, archive.receipts, archive.filing, reading)
    worker = Worker(archive.job_queue, pipeline, clock, batch_size=4)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,), daemon=True)
    thread.start()

    def spinning() -> list[str]:
        return [text for path in archive.outbox.root.rglob("*spin*") if path.is_file() and (text := path.read_text()).isdigit()]

    eventually(spinning, "the hang")
    [process] = map(int, spinning())
    stop.set()
    worker.wake.set()
    reading.drain()
    reading.close()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()
    assert has_ended(process)
    archive.job_queue.release(worker.name)
    assert {(job.state, job.attempts, job.interruptions) for job in archive.job_queue.jobs()} == {(JobState.QUEUED, 0, 0)}


def test_after_a_drain_nothing_is_begun(make_reading: MakeReading, sources: Callable[..., list[Source]]) -> None:
    """What has not begun is neither read nor failed."""
    reading = make_reading()
    reading.drain()
    assert [type(result) for result in reading(sources("a", "b"))] == [Stopped, Stopped]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends when it next reads its pipe")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    """However the parent ends, a worker that is deep in native code does not outlive it."""
    path = tmp_path / "spin"
    code = "from tests.unruly import main; main()"
    parent = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)
    eventually(lambda: path.exists() and path.read_text(), "the hang")
    parent.send_signal(number)
    parent.wait(DEADLINE_SECONDS)
    eventually(lambda: has_ended(int(path.read_text())), "the end of the worker")


@pytest.fixture
def make_check() -> Iterator[Callable[..., IsolatedCheck]]:
    """Makes checks whose worker ends with the test."""
    made: list[IsolatedCheck] = []

    def make(maker: Callable[[], Any], **options: Any) -> IsolatedCheck:
        made.append(IsolatedCheck(maker, **options))
        return made[-1]

    yield make
    for check in made:
        check.close()


def test_the_check_is_the_same_in_a_worker(
    settings: Settings, draw: Callable[..., Path], tmp_path: Path, make_check: Callable[..., IsolatedCheck]
) -> None:
    """Whole files pass, others are refused with the same words; whatever a decoder tries, it may not write, open or take much."""
    check = make_check(unruly.TemptedCheck)
    check(draw(tmp_path / "whole.png"))
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 half a picture")
    with pytest.raises(InputError, match=r"cut\.jpg is cut off"):
        check(tmp_path / "cut.jpg")
    with pytest.raises(InputError, match="EFBIG"):
        check(tmp_path / "write.png")
    with pytest.raises(InputError, match="EMFILE"):
        check(draw(tmp_path / "open.png"))
    with pytest.raises(FileCrashesReader, match="ran out of memory"):
        check(tmp_path / "allocate.png")
    check(draw(tmp_path / "another.png"))


def test_a_file_that_kills_its_check_fails(settings: Settings, make_check: Callable[..., IsolatedCheck]) -> None:
    """Crash or hang: it ends in failed/ with the reason, and its neighbours are filed."""
    settings.inbox_dir.mkdir()
    for name in ("a.jpg", "segfault-1.jpg", "hang-1.jpg", "z.jpg"):
        (settings.inbox_dir / name).write_bytes(name.encode())
    service = build_service(settings, extract=ScriptedExtraction(), check=make_check(unruly.UnrulyCheck, seconds=1))
    service.run_once()
    assert {job.name: (job.state, job.error_kind) for job in service.archive.job_queue.jobs()} == {
        "a.jpg": (JobState.DONE, None),
        "segfault-1.jpg": (JobState.FAILED, "FileCrashesReader"),
        "hang-1.jpg": (JobState.FAILED, "FileCrashesReader"),
        "z.jpg": (JobState.DONE, None),
    }
    why = json.loads((settings.outbox_dir / "failed/hang-1.jpg.error.json").read_text())["why"]
    assert why.count("no answer in 1 s") == 2
    service.archive.close()


def open_descriptors() -> int:
    def is_open(descriptor: int) -> bool:
        try:
            os.fstat(descriptor)
        except OSError:
            return False
        return True

    return sum(map(is_open, range(256)))


@pytest.mark.parametrize("spare", range(6))
def test_without_descriptors_no_file_is_to_blame(make_check: Callable[..., IsolatedCheck], tmp_path: Path, spare: int) -> None:
    """A worker's start needs six: whichever of them is missing, the check cannot be made now, and nothing stays open."""
    before = open_descriptors()
    check = make_check(unruly.UnrulyCheck)
    with unruly.no_descriptors(spare), pytest.raises(ReaderDown, match="cannot be started"):
        check(tmp_path / "lunch.jpg")
    assert open_descriptors() == before
    check(tmp_path / "lunch.jpg")
