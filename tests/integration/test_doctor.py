"""The doctor finds what is wrong with an installation, says what to do, and changes nothing."""

import importlib.util
import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing

import pytest

from extractor.config.settings import Settings
from extractor.doctor import Diagnosis, Level, examine
from extractor.storage.archive import prepare


def _find(settings: Settings) -> dict[str, Diagnosis]:
    return {finding.name: finding for finding in examine(settings)}


def _find_one(settings: Settings, name: str) -> Diagnosis:
    """The finding of this name; what comes after it is not examined."""
    return next(finding for finding in examine(settings) if finding.name == name)


@pytest.fixture
def installed(settings: Settings) -> Settings:
    prepare(settings)
    return settings


def test_a_fresh_installation_is_sound_and_stays_as_it_is(installed: Settings) -> None:
    """Every line is fine, but for a GPU that torch may miss, and the probes that were written are gone."""
    found = _find(installed)

    assert [finding for finding in found.values() if finding.level is not Level.OK and finding.name != "gpu"] == []
    assert "loads and reads" in found["ocr"].fact
    assert (list(installed.inbox_dir.iterdir()), [path.name for path in installed.outbox_dir.iterdir()]) == ([], [".work"])


def test_missing_places_are_told_with_the_way_out(settings: Settings) -> None:
    """Before `receipts init` folders fail, and the database is expected."""
    found = {name: _find_one(settings, name) for name in ("inbox", "outbox", "database")}

    assert (found["inbox"].level, found["outbox"].level, found["database"].level) == (Level.FAIL, Level.FAIL, Level.WARN)
    assert {finding.advice for finding in found.values()} == {"Create it with: receipts init"}


def test_an_empty_folder_in_the_outbox_s_place_fails(installed: Settings) -> None:
    """As an empty mount point is."""
    (installed.outbox_dir / ".work").rmdir()

    findings = [finding for finding in examine(installed) if finding.name == "outbox"]
    assert [finding.level for finding in findings] == [Level.OK, Level.FAIL]


def test_a_file_in_a_folder_s_place_fails(installed: Settings) -> None:
    """What cannot be written is found by writing, not by looking at rights."""
    installed.outbox_dir.rename(installed.outbox_dir.with_name("away"))
    installed.outbox_dir.write_text("not a folder")

    assert _find_one(installed, "outbox").level is Level.FAIL


def test_a_damaged_database_fails(installed: Settings) -> None:
    """Damage within the file is found, not only a file that is none."""
    with closing(sqlite3.connect(installed.database)) as connection:
        connection.execute("CREATE TABLE filler (text)")
        connection.executemany("INSERT INTO filler VALUES (?)", [("x" * 500,)] * 200)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(installed.database.read_bytes())
    data[-20_000:] = b"\xff" * 20_000
    installed.database.write_bytes(data)

    found = _find_one(installed, "database")

    assert found.level is Level.FAIL
    assert "backup" in found.advice


def test_a_database_of_another_version_fails(installed: Settings) -> None:
    """Tables of another version are told apart from damage."""
    with closing(sqlite3.connect(installed.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    found = _find_one(installed, "database")

    assert (found.level, found.advice) == (Level.FAIL, "Migrate it with: receipts init")


@pytest.mark.parametrize(("free", "level"), [(50_000_000, Level.FAIL), (500_000_000, Level.WARN), (5_000_000_000, Level.OK)])
def test_little_space_is_told_before_it_runs_out(installed: Settings, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    """The nearly full disk is a warning, the full one a failure."""
    usage = namedtuple("usage", "total used free")  # what the system answers
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, free))

    assert _find_one(installed, "outbox disk").level is level


@pytest.mark.skipif(importlib.util.find_spec("rapidocr") is not None, reason="the engine is installed")
def test_a_missing_engine_names_what_to_install(installed: Settings) -> None:
    """An engine that is chosen but not there fails with the command that installs it."""
    chosen = installed.model_copy(update={"reader": installed.reader.model_copy(update={"ocr_engine": "rapidocr"})})

    found = _find_one(chosen, "ocr")

    assert found.level is Level.FAIL
    assert "pip install" in found.fact


def test_polling_needs_no_events(installed: Settings) -> None:
    """Whoever polls is not bothered with limits of the kernel."""
    polling = installed.model_copy(update={"inbox": installed.inbox.model_copy(update={"poll": True})})

    assert _find_one(polling, "events").fact == "not used: the inbox is listed every 2 s"
