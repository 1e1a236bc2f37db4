"""Preparing ahead of a reader that has the GPU: what comes next is made ready meanwhile, within bounds, and a bad file harms itself."""

import os
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

MakeAhead = Callable[..., Prefetcher[Made]]


@pytest.fixture
def make_ahead() -> Iterator[MakeAhead]:
    """Makes them so that their children end with the test."""
    opened: list[Prefetcher[Made]] = []

    def make(maker: Callable[[], Any] = UnrulyPreparer, **options: Any) -> Prefetcher[Made]:
        opened.append(Prefetcher[Made](maker, **{"processes": 2, "seconds": 30.0} | options))
        return opened[-1]

    yield make
    for ahead in opened:
        ahead.close()


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


def test_what_comes_next_is_prepared_while_a_batch_is_read(make_ahead: MakeAhead, sources: Callable[..., list[Source]]) -> None:
    """The reader is still at its batch, and nobody asks for the next one; when it is asked for, nothing is done twice."""
    ahead, now, later = make_ahead(), sources("a", "b"), sources("c", "d")
    reading = ahead.batches(now, later)
    first = next(reading)
    assert [made.name for made in first if isinstance(made, Made)] == ["a", "b"]
    eventually(lambda: all(times_made(source) for source in later), "preparing the next batch")
    assert names(reading) == []
    assert names(ahead.batches(later)) == [["c", "d"]]
    assert [times_made(source) for source in (*now, *later)] == [1, 1, 1, 1]


def test_files_are_prepared_side_by_side(make_ahead: MakeAhead, sources: Callable[..., list[Source]]) -> None:
    """In processes other than this one: two files that wait for one another are both made."""
    [batch] = make_ahead(processes=2).batches(sources("meet-1", "meet-2"))
    processes = {made.process for made in batch if isinstance(made, Made)}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_what_kills_its_process_fails_alone(make_ahead: MakeAhead, sources: Callable[..., list[Source]]) -> None:
    """Its neighbours are made, in order; the reader with the model never sees it."""
    [batch] = make_ahead().batches(sources("a", "segfault-1", "b"))
    assert [type(made) for made in batch] == [Made, FileCrashesReader, Made]
    assert str(batch[1]).count("SIGSEGV") == 2


def test_large_pages_make_small_batches(make_ahead: MakeAhead, sources: Callable[..., list[Source]]) -> None:
    """A batch takes no more than may lie ready, or one file."""
    assert names(make_ahead(ready_bytes=25).batches(sources("a", "b", "c", "d", "e"))) == [["a", "b"], ["c", "d"], ["e"]]
    assert names(make_ahead(ready_bytes=1).batches(sources("a", "b"))) == [["a"], ["b"]]


def test_no_more_lies_ready_than_may(make_ahead: MakeAhead, sources: Callable[..., list[Source]]) -> None:
    """However much is announced: here one file, and the next one, which waits for room. The rest is made when it is asked for."""
    ahead, now, later = make_ahead(processes=1, ready_bytes=1), sources("a"), sources(*"bcdefghij")
    assert names(ahead.batches(now, later)) == [["a"]]
    eventually(lambda: sum(map(times_made, later)) >= 2, "preparing ahead")
    assert sum(map(times_made, later)) == 2
    assert [name for [name] in names(ahead.batches(later))] == list("bcdefghij")
    assert {times_made(source) for source in later} == {1}


def test_what_was_foretold_in_vain_is_forgotten(make_ahead: MakeAhead, sources: Callable[..., list[Source]]) -> None:
    """It does not lie there for ever; asked for after all, it is made again."""
    ahead, (first, vain, second) = make_ahead(), sources("a", "b", "c")
    assert names(ahead.batches([first], [vain])) == [["a"]]
    eventually(lambda: times_made(vain), "preparing the next batch")
    assert names(ahead.batches([second])) == [["c"]]
    assert names(ahead.batches([vain])) == [["b"]]
    assert times_made(vain) in {1, 2}  # 1 where it was on its way all the time


def test_without_children_it_says_why_and_goes_on_when_they_can_be_started(
    make_ahead: MakeAhead, sources: Callable[..., list[Source]], tmp_path: Path
) -> None:
    """Whoever waits for a file is told; no file is to blame."""
    obstacle = tmp_path / "obstacle"
    obstacle.touch()
    ahead = make_ahead(partial(UnrulyPreparer, obstacle))
    with pytest.raises(ReaderDown, match="in the way"):
        names(ahead.batches(sources("a")))
    obstacle.unlink()
    assert names(ahead.batches(sources("a"))) == [["a"]]
