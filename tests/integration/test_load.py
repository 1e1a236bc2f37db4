"""Load in small: nothing is lost and nothing filed twice when many files come at once or in pieces, and the database is busy."""

from pathlib import Path

import pytest

from bench.filled import fill
from bench.load import QUESTIONS, at_once, held_now_and_then, in_pieces, problems, work_off
from extractor.config.settings import InboxSettings, Settings, WorkSettings
from extractor.documents import PageLimits, check_complete
from extractor.storage.archive import open_archive
from extractor.storage.verify import Verifier


def check(path: Path) -> None:
    """Decodes the file to its end, in this process."""
    check_complete(path, PageLimits())


@pytest.fixture
def loaded(settings: Settings) -> Settings:
    """Quick retries, because every 50th file is read at the second try."""
    inbox = InboxSettings(settle_seconds=0.1, poll=True, poll_seconds=0.1, rescan_seconds=0.5)
    return settings.model_copy(update={"inbox": inbox, "work": WorkSettings(backoff_seconds=0.1)})


def test_many_files_at_once_while_the_database_is_busy(loaded: Settings) -> None:
    """Another program that holds the write lock now and then delays files; each is filed once all the same."""
    held: list[float] = []
    lock = held_now_and_then(loaded.database, held, longest_seconds=0.3, pause_seconds=0.3)
    run = work_off(loaded, 80, at_once(80), check=check, beside=lock)
    assert len(set(run.dropped)) == 80
    assert len(held) >= 2
    assert problems(loaded, run.dropped) == []


def test_files_that_are_copied_in_pieces_are_taken_whole(loaded: Settings) -> None:
    """On a share without events, no part of a file is taken for the file, also where the copying pauses for long."""
    run = work_off(loaded, 30, in_pieces(30, window=6, pause_seconds=0.05), check=check)
    assert len(set(run.dropped)) == 30
    assert problems(loaded, run.dropped) == []


def test_a_large_installation_can_be_made_for_measuring(settings: Settings) -> None:
    """Its rows and files are as the service makes them, and every question that is timed has an answer."""
    archive = open_archive(settings)
    fill(archive, 40, files=True)
    verifier = Verifier(archive, pause=lambda: None)
    assert list(verifier.findings()) == []
    assert {name: ask(archive) for name, ask in QUESTIONS.items()}["export, all records"] == 40
    assert len(list(archive.receipts.search("no 000039"))) == 1
    archive.close()
