"""Test the service under load with a scripted reader: lost or duplicated files, memory, order, throughput.

    python -m bench.load drop  [--files 10000]   drop all files at once
    python -m bench.load share [--files 1000]    files copied in pieces with pauses, found by polling
    python -m bench.load busy  [--files 300]     files dropped while another program intermittently holds the write lock
    python -m bench.load rows FOLDER             start, queries and idle load on the output of `python -m bench.filled FOLDER`

Each prints its measurements, and exits with 1 if a file was lost, duplicated or left over. Every 50th file is read on the second attempt.
"""

import argparse
import hashlib
import io
import multiprocessing
import os
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from multiprocessing.synchronize import Event
from pathlib import Path

from PIL import Image

from bench.filled import settings_in
from bench.overhead import rich_record
from extractor.config.settings import InboxSettings, Settings, WorkSettings
from extractor.errors import ReaderUnavailable
from extractor.jobs import Extracted, JobState, Source
from extractor.service.app import build_service
from extractor.storage.archive import Archive, open_archive
from extractor.storage.files.inbox import Check
from extractor.storage.verify import Verifier

SEED = 20261124
# A run without progress for this long has failed.
PATIENCE_SECONDS = 180.0


def read(sources: Sequence[Source]) -> list[Extracted]:
    """Return large records without opening the files; every 50th file fails on the first attempt."""
    return [_first_failure(source) or (rich_record(source),) for source in sources]


_tried: set[str] = set()


def _first_failure(source: Source) -> ReaderUnavailable | None:
    if int(source.sha256[:8], 16) % 50 or source.sha256 in _tried:
        return None
    _tried.add(source.sha256)
    return ReaderUnavailable(f"{source.name} was not read in time. It is read again.")


def picture(dice: random.Random) -> bytes:
    """Return a small PNG with random pixels."""
    out = io.BytesIO()
    Image.frombytes("L", (40, 40), dice.randbytes(1600)).save(out, format="PNG")
    return out.getvalue()


@dataclass
class Run:
    """Measurements of one run.

    Attributes:
        dropped: SHA-256 of every file.
        seconds: From the first file to the last one filed.
        memory_mb: Resident memory of the service at the start, and when a quarter, half and all of the files were filed.
    """

    dropped: list[str]
    seconds: float
    memory_mb: list[float]


def serve(settings: Settings, is_up: Event, check: Check | None) -> None:
    """Run the service with the scripted reader until the process is terminated."""
    service = build_service(settings, extract=read, check=check)
    is_up.set()
    service.run()


def run_load(
    settings: Settings,
    files: int,
    drop: Callable[[Path], Iterator[str]],
    *,
    check: Check | None = None,
    beside: AbstractContextManager[object] | None = None,
) -> Run:
    """Drop files while the service runs, and wait until all are filed.

    Args:
        beside: Context that is active meanwhile.
    """
    archive = open_archive(settings)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.overhead", "extractor.service.lifecycle"])
    is_up = context.Event()
    service = context.Process(target=serve, args=(settings, is_up, check))
    service.start()
    is_up.wait(60)
    began, dropped, memory = time.perf_counter(), list[str](), [_memory_mb(service.pid)]
    dropper = threading.Thread(target=lambda: dropped.extend(drop(settings.inbox_dir)))
    dropper.start()
    try:
        with beside or nullcontext():
            seconds = _watch(archive, service.pid, files, memory, began)
        dropper.join()
    finally:
        service.terminate()
        service.join(30)
        archive.close()
    return Run(dropped, seconds, memory)


def _watch(archive: Archive, pid: int | None, files: int, memory: list[float], began: float) -> float:
    """Wait until all files are filed or progress stops; returns the seconds and appends to `memory`."""
    marks, last, changed = [files // 4, files // 2, files], -1, time.monotonic()
    while marks and time.monotonic() - changed < PATIENCE_SECONDS:
        done = archive.job_queue.counts().get(JobState.DONE, 0)
        if done >= marks[0]:
            marks.pop(0)
            memory.append(_memory_mb(pid))
        if done != last:
            last, changed = done, time.monotonic()
        time.sleep(0.05 if files < 1000 else 0.5)
    return time.perf_counter() - began


def _memory_mb(pid: int | None) -> float:
    """Resident memory of a process; 0 except on Linux."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def problems(settings: Settings, dropped: Sequence[str]) -> list[str]:
    """Return what is wrong after a run: files lost, duplicated or left over."""
    archive = open_archive(settings)
    jobs = archive.job_queue.jobs()
    done = Counter(job.sha256 for job in jobs if job.state is JobState.DONE)
    found = [f"{sha256} was filed {done[sha256]} times" for sha256 in dropped if done[sha256] != 1]
    found += [f"{job.name} is {job.state}" for job in jobs if job.state not in {JobState.DONE, JobState.WITHDRAWN}]
    found += [f"{path} is still there" for path in settings.inbox_dir.rglob("*") if path.is_file()]
    records = Counter(record.source_sha256 for record in archive.receipts.list())
    found += [f"{sha256} has {records[sha256]} records" for sha256 in dropped if records[sha256] != 1]
    verifier = Verifier(archive)
    found += [f"{finding.path} {finding.fact}" for finding in verifier.findings()]
    archive.close()
    return found


def overtaken(settings: Settings) -> tuple[int, int]:
    """Return the largest delay in places against the order of arrival, of files read at once and of retried ones."""
    archive = open_archive(settings)
    jobs = sorted((job for job in archive.job_queue.jobs(JobState.DONE) if job.filed_at), key=lambda job: job.id)
    archive.close()
    place = {job.id: number for number, job in enumerate(sorted(jobs, key=lambda job: (job.filed_at, job.id)))}
    late = [(place[job.id] - number, job.attempts > 0) for number, job in enumerate(jobs)]
    return tuple(max((by for by, is_retry in late if is_retry is kind), default=0) for kind in (False, True))  # type: ignore[return-value]


# Ways to drop files


def at_once(files: int) -> Callable[[Path], Iterator[str]]:
    """Write all files as quickly as possible."""

    def drop(inbox: Path) -> Iterator[str]:
        dice = random.Random(SEED)  # noqa: S311 -- no secrets here
        pictures = [picture(dice) for _ in range(files)]
        for number, data in enumerate(pictures):
            (inbox / f"{number:05d}.png").write_bytes(data)
        yield from (hashlib.sha256(data).hexdigest() for data in pictures)

    return drop


def in_pieces(files: int, *, window: int = 50, pause_seconds: float = 0.3) -> Callable[[Path], Iterator[str]]:
    """Write files piece by piece, `window` at a time; every fifth window pauses longer, so that incomplete files look settled."""

    def drop(inbox: Path) -> Iterator[str]:
        dice = random.Random(SEED)  # noqa: S311 -- no secrets here
        for first in range(0, files, window):
            pictures = [picture(dice) for _ in range(first, min(first + window, files))]
            for piece in range(3):
                for number, data in enumerate(pictures, start=first):
                    cut = len(data) // 3
                    with (inbox / f"{number:05d}.png").open("ab" if piece else "wb") as file:
                        file.write(data[cut * piece : cut * (piece + 1) if piece < 2 else None])
                time.sleep(pause_seconds * (5 if first // window % 5 == 4 else 1))
            yield from (hashlib.sha256(data).hexdigest() for data in pictures)

    return drop


@contextmanager
def intermittent_lock(database: Path, held: list[float], *, longest_seconds: float, pause_seconds: float = 0.5) -> Iterator[None]:
    """Hold the write lock repeatedly from another connection; appends the seconds to `held`."""
    stop = threading.Event()

    def hold() -> None:
        dice = random.Random(SEED)  # noqa: S311 -- no secrets here
        with closing(sqlite3.connect(database, isolation_level=None, timeout=60)) as connection:
            while not stop.wait(pause_seconds):
                connection.execute("BEGIN IMMEDIATE")
                held.append(dice.uniform(0, longest_seconds))
                stop.wait(held[-1])
                connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# Commands


def _report(name: str, settings: Settings, run: Run) -> int:
    found, (plain, retried) = problems(settings, run.dropped), overtaken(settings)
    rate = len(run.dropped) / run.seconds
    print(f"{name}: {len(run.dropped)} files in {run.seconds:.1f} s, {rate:.1f} a second ({1000 / rate:.1f} ms each)")
    print("  memory at the start, with 1/4, 1/2 and all filed: " + ", ".join(f"{value:.0f} MB" for value in run.memory_mb))
    print(f"  filed later than in the order of arrival by at most {plain} places; those tried again {retried}")
    print(f"  lost, duplicated or left over: {len(found)}", *found[:20], sep="\n    ")
    return 1 if found else 0


def drop(folder: Path, files: int) -> int:
    settings = settings_in(folder)
    return _report("drop", settings, run_load(settings, files, at_once(files)))


def share(folder: Path, files: int) -> int:
    inbox = InboxSettings(settle_seconds=1, poll=True, poll_seconds=0.5, rescan_seconds=5)
    settings = settings_in(folder).model_copy(update={"inbox": inbox})
    return _report("share", settings, run_load(settings, files, in_pieces(files)))


def busy(folder: Path, files: int) -> int:
    settings = settings_in(folder).model_copy(update={"work": WorkSettings(backoff_seconds=1)})
    held: list[float] = []
    run = run_load(settings, files, at_once(files), beside=intermittent_lock(settings.database, held, longest_seconds=8))
    code = _report("busy", settings, run)
    print(f"  the lock was held {len(held)} times, {sum(held):.0f} s in all, {max(held):.1f} s at most")
    return code


QUERIES: dict[str, Callable[[Archive], object]] = {
    "list": lambda archive: list(archive.receipts.list(limit=50)),
    "list --since, old days": lambda archive: list(archive.receipts.list(since=date(2016, 5, 1), until=date(2016, 5, 2), limit=50)),
    "list --merchant, none found": lambda archive: list(archive.receipts.list(merchant="no such merchant", limit=50)),
    "list --tag, none found": lambda archive: list(archive.receipts.list(tag="no such tag", limit=50)),
    "list --files": lambda archive: archive.job_queue.newest(limit=50),
    "search, one found": lambda archive: list(archive.receipts.search("no 050000", limit=50)),
    "search, all found": lambda archive: list(archive.receipts.search("flat white", limit=50)),
    "counts of files and records": lambda archive: (archive.job_queue.counts(), archive.receipts.counts()),
    "what a scan asks": lambda archive: (archive.job_queue.open_paths(), archive.job_queue.refused_paths()),
    "an idle worker's turn": lambda archive: (
        archive.job_queue.release("w"),
        archive.job_queue.to_file(4),
        archive.job_queue.claim("w", 4),
    ),
    "export, all records": lambda archive: sum(1 for _ in archive.receipts.list()),
}


def rows(folder: Path) -> int:
    """Measure start, queries and idle load on a large installation."""
    began = time.perf_counter()
    archive = open_archive(settings_in(folder))
    archive.job_queue.reclaim(ignore_leases=True)
    archive.filing.tidy(archive.job_queue.open_ids(), archive.job_queue.job, archive.job_queue.with_bytes)
    print(f"open, reclaim, tidy: {(time.perf_counter() - began) * 1000:.0f} ms, {sum(archive.job_queue.counts().values())} files")
    for name, ask in QUERIES.items():
        wall, processor = time.perf_counter(), time.process_time()
        ask(archive)
        print(f"{name:<28} {(time.perf_counter() - wall) * 1000:9.1f} ms, CPU {(time.process_time() - processor) * 1000:9.1f} ms")
    archive.close()
    print(f"memory after that: {_memory_mb(os.getpid()):.0f} MB")
    return idle(folder)


def idle(folder: Path, seconds: float = 60.0) -> int:
    """Measure the CPU load of an idle service."""
    context = multiprocessing.get_context("forkserver")
    is_up = context.Event()
    service = context.Process(target=serve, args=(settings_in(folder), is_up, None))
    service.start()
    is_up.wait(60)
    time.sleep(5)
    before = _processor_seconds(service.pid)
    time.sleep(seconds)
    used = _processor_seconds(service.pid) - before
    print(f"idle: {used:.2f} s of a core in {seconds:.0f} s, that is {100 * used / seconds:.2f} %; {_memory_mb(service.pid):.0f} MB")
    service.terminate()
    service.join(30)
    return 0


def _processor_seconds(pid: int | None) -> float:
    """CPU seconds that a process has used so far; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, files in (("drop", 10_000), ("share", 1000), ("busy", 300)):
        command = commands.add_parser(name)
        command.add_argument("--files", type=int, default=files)
        command.add_argument("--folder", type=Path, help="working folder, to measure another disk")
    commands.add_parser("rows").add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "rows":
        return rows(arguments.folder)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return {"drop": drop, "share": share, "busy": busy}[arguments.command](Path(folder), arguments.files)


if __name__ == "__main__":
    sys.exit(main())
