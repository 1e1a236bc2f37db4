"""Files are prepared ahead of a reader that reads batches, within bounds, and a bad file harms only itself."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from extractor.errors import ExtractorError, FileCrashesReader, ReaderDown
from extractor.jobs import Source
from extractor.testing import make_source
from extractor.workers.prefetch import Prefetcher
from tests.unruly import Made, UnrulyPreparer

DEADLINE_SECONDS = 30.0

MakePrefetcher = Callable[..., Prefetcher[Made]]


@pytest.fixture
def make_prefetcher() -> Iterator[MakePrefetcher]:
    """Makes prefetchers whose workers end with the test."""
    opened: list[Prefetcher[Made]] = []

    def make(maker: Callable[[], Any] = UnrulyPreparer, **options: Any) -> Prefetcher[Made]:
        opened.append(Prefetcher[Made](maker, **{"processes": 2, "seconds": 30.0} | options))
        return opened[-1]

    yield make
    for prefetcher in opened:
        prefetcher.close()


@pytest.fixture
def sources(tmp_path: Path) -> Callable[..., list[Source]]:
    return lambda *names: [make_source(name, path=tmp_path / name) for name in names]


def times_made(source: Source) -> int:
    note = source.path.with_name(f"made-{source.name}")
    return len(note.read_text()) if note.exists() else 0


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def names(batches: Iterator[list[Made | ExtractorError]]) -> list[list[str]]:
    return [[made.name if isinstance(made, Made) else type(made).__name__ for made in batch] for batch in batches]


def test_what_comes_next_is_prepared_while_a_batch_is_read(make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]]) -> None:
    """The reader is still at its batch, and nobody asks for the next one; when it is asked for, nothing is done twice."""
    prefetcher, now, later = make_prefetcher(), sources("a", "b"), sources("c", "d")
    reading = prefetcher.batches(now, later)
    first = next(reading)
    assert [made.name for made in first if isinstance(made, Made)] == ["a", "b"]
    eventually(lambda: all(times_made(source) for source in later), "preparing the next batch")
    assert names(reading) == []
    assert names(prefetcher.batches(later)) == [["c", "d"]]
    assert [times_made(source) for source in (*now, *later)] == [1, 1, 1, 1]


def test_files_are_prepared_side_by_side(make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]]) -> None:
    """In processes other than this one: two files that wait for one another are both made."""
    [batch] = make_prefetcher(processes=2).batches(sources("meet-1", "meet-2"))
    processes = {made.process for made in batch if isinstance(made, Made)}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_what_kills_its_process_fails_alone(make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]]) -> None:
    """Its neighbours are made, in order; the reader with the model never sees it."""
    [batch] = make_prefetcher().batches(sources("a", "segfault-1", "b"))
    assert [type(made) for made in batch] == [Made, FileCrashesReader, Made]
    assert str(batch[1]).count("SIGSEGV") == 2


def test_large_pages_make_small_batches(make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]]) -> None:
    """A batch takes no more than may lie ready, or one file."""
    assert names(make_prefetcher(ready_bytes=25).batches(sources("a", "b", "c", "d", "e"))) == [["a", "b"], ["c", "d"], ["e"]]
    assert names(make_prefetcher(ready_bytes=1).batches(sources("a", "b"))) == [["a"], ["b"]]


def test_no_more_lies_ready_than_may(make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]]) -> None:
    """However much is announced: here one file, and the next one, which waits for room. The rest is made when it is asked for."""
    prefetcher, now, later = make_prefetcher(processes=1, ready_bytes=1), sources("a"), sources(*"bcdefghij")
    assert names(prefetcher.batches(now, later)) == [["a"]]
    eventually(lambda: sum(map(times_made, later)) >= 2, "preparing ahead")
    assert sum(map(times_made, later)) == 2
    assert [name for [name] in names(prefetcher.batches(later))] == list("bcdefghij")
    assert {times_made(source) for source in later} == {1}


def test_what_was_announced_in_vain_is_forgotten(make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]]) -> None:
    """Its result is not kept for ever; requested after all, it is made again."""
    prefetcher, (first, vain, second) = make_prefetcher(), sources("a", "b", "c")
    assert names(prefetcher.batches([first], [vain])) == [["a"]]
    eventually(lambda: times_made(vain), "preparing the next batch")
    assert names(prefetcher.batches([second])) == [["c"]]
    assert names(prefetcher.batches([vain])) == [["b"]]
    assert times_made(vain) in {1, 2}  # 1 where it was on its way all the time


def test_without_workers_it_says_why_and_goes_on_when_they_can_be_started(
    make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]], tmp_path: Path
) -> None:
    """The caller gets the error; no file is to blame."""
    obstacle = tmp_path / "obstacle"
    obstacle.touch()
    prefetcher = make_prefetcher(partial(UnrulyPreparer, obstacle))
    with pytest.raises(ReaderDown, match="in the way"):
        names(prefetcher.batches(sources("a")))
    obstacle.unlink()
    assert names(prefetcher.batches(sources("a"))) == [["a"]]


class Unpicklable(str):
    """A name that no process can be told."""

    __slots__ = ()

    def __reduce__(self) -> str:
        raise TypeError("cannot be pickled")


def test_a_crash_of_the_preparing_thread_reaches_its_caller(
    make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the bug, nobody waits for ever: the caller gets an error, the log the traceback, and the next batch is prepared."""
    prefetcher = make_prefetcher()
    with pytest.raises(ReaderDown, match="TypeError"):
        names(prefetcher.batches(sources("a", Unpicklable("b"))))
    assert [entry.message for entry in caplog.records] == ["prefetch_crashed"]
    assert names(prefetcher.batches(sources("c"))) == [["c"]]


def test_a_thread_that_cannot_be_started_reaches_the_caller(
    make_prefetcher: MakePrefetcher, sources: Callable[..., list[Source]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system allows no more threads now; later the same prefetcher works."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    prefetcher = make_prefetcher()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ReaderDown, match="thread"):
            names(prefetcher.batches(sources("a")))
    assert names(prefetcher.batches(sources("a"))) == [["a"]]
