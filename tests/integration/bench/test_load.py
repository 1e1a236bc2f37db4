"""Small load tests: no file is lost or filed twice when many arrive at once or in pieces while the database is busy."""

from pathlib import Path

import pytest

from bench.filled import fill
from bench.load import QUERIES, at_once, in_pieces, intermittent_lock, problems, run_load
from extractor.config.settings import InboxSettings, Settings, WorkSettings
from extractor.documents import PageLimits, check_complete
from extractor.storage.archive import open_archive
from extractor.storage.verify import Verifier


def check(path: Path) -> None:
    """Decode the whole file in this process."""
    check_complete(path, PageLimits())


@pytest.fixture
def loaded(settings: Settings) -> Settings:
    """Settings with quick retries, because every 50th file fails on the first attempt."""
    inbox = InboxSettings(settle_seconds=0.1, poll=True, poll_seconds=0.1, rescan_seconds=0.5)
    return settings.model_copy(update={"inbox": inbox, "work": WorkSettings(backoff_seconds=0.1)})


def test_many_files_at_once_while_the_database_is_busy(loaded: Settings) -> None:
    """Another program that holds the write lock intermittently delays files, but each is filed exactly once."""
    held: list[float] = []
    lock = intermittent_lock(loaded.database, held, longest_seconds=0.3, pause_seconds=0.3)
    run = run_load(loaded, 80, at_once(80), check=check, beside=lock)
    assert len(set(run.dropped)) == 80
    assert len(held) >= 2
    assert problems(loaded, run.dropped) == []


def test_files_that_are_copied_in_pieces_are_taken_whole(loaded: Settings) -> None:
    """On a share without events, no incomplete file is read, even if copying pauses for long."""
    run = run_load(loaded, 30, in_pieces(30, window=6, pause_seconds=0.05), check=check)
    assert len(set(run.dropped)) == 30
    assert problems(loaded, run.dropped) == []


def test_a_large_installation_can_be_made_for_measuring(settings: Settings) -> None:
    """Rows and files of the generated installation pass verification, and every timed query works."""
    archive = open_archive(settings)
    fill(archive, 40, files=True)
    verifier = Verifier(archive, pause=lambda: None)
    assert list(verifier.findings()) == []
    assert {name: ask(archive) for name, ask in QUERIES.items()}["export, all records"] == 40
    assert len(list(archive.receipts.search("no 000039"))) == 1
    archive.close()
