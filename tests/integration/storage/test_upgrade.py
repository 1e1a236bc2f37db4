"""Databases of every earlier schema, upgraded when they are opened: nothing is lost, whatever comes in between."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from extractor.config.settings import Settings
from extractor.errors import StorageError
from extractor.jobs import JobState
from extractor.service.app import build_service
from extractor.storage.archive import open_archive
from extractor.storage.database import connection
from extractor.storage.database.connection import Database
from extractor.testing import ScriptedExtraction
from tests.database_schemas import FILES, FOLDER, load

DUMPS = {dump.stem: dump for dump in sorted(FOLDER.glob("*.sql"))}
EARLIER = sorted(DUMPS.keys() - {connection.HEAD})


@pytest.fixture(params=EARLIER)
def old(request: pytest.FixtureRequest, settings: Settings) -> str:
    """The version of an earlier schema, of which there is a database with files in every state."""
    for folder in (settings.inbox_dir, settings.outbox_dir):
        folder.mkdir()
    (settings.outbox_dir / ".work").mkdir()
    load(DUMPS[request.param], settings.database)
    return str(request.param)


def rows(database: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything in the tables of our own."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        names = [
            row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'receipts_fts_%'")
        ]
        return {name: [dict(row) for row in connection.execute(f"SELECT rowid, * FROM {name} ORDER BY rowid")] for name in names}  # noqa: S608 -- our own names


def schema(database: Path) -> set[tuple[str, str, str]]:
    """What the database is made of; spaces and quotation marks do not count."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(
            "SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'receipts_fts_%'"
        ).fetchall()
    return {(kind, name, "".join(sql.replace('"', "").split())) for kind, name, sql in found}


def backups(settings: Settings) -> list[Path]:
    return sorted(settings.database.parent.glob("*.backup"))


def test_every_schema_has_a_dump_that_is_as_the_migrations_make_it(tmp_path: Path) -> None:
    """Who adds a migration keeps a database of it for later: `python -m tests.database_schemas`. Changed views need a migration too."""
    scripts = ScriptDirectory(str(Path(connection.__file__).parent / "migrations")).walk_revisions()
    assert sorted(DUMPS) == sorted(script.revision for script in scripts)
    Database(tmp_path / "new.db").close()
    load(DUMPS[connection.HEAD], tmp_path / "dumped.db")
    assert schema(tmp_path / "dumped.db") == schema(tmp_path / "new.db")


def test_an_upgrade_keeps_every_row_and_makes_the_newest_schema(old: str, settings: Settings, tmp_path: Path) -> None:
    """All rows are there with all their values; tables, indexes and views are those of a new database."""
    before = rows(settings.database)
    Database(settings.database).close()
    after = rows(settings.database)
    assert after.pop("alembic_version")[0]["version_num"] == connection.HEAD
    assert before.pop("alembic_version")[0]["version_num"] == old
    for name, old_rows in before.items():
        assert [{column: row[column] for column in old_row} for row, old_row in zip(after[name], old_rows, strict=True)] == old_rows
    Database(tmp_path / "new.db").close()
    assert schema(settings.database) == schema(tmp_path / "new.db")
    with closing(sqlite3.connect(settings.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_backup_is_made_before_an_upgrade(old: str, settings: Settings) -> None:
    """It lies beside the database, says which schema it has, holds every row, and is kept; opening again makes none."""
    before = rows(settings.database)
    for _ in range(2):
        Database(settings.database).close()
    [backup] = backups(settings)
    assert backup.name.startswith(f"receipts.db.schema-{old}.20")
    assert rows(backup) == before


def test_a_new_database_needs_no_backup(settings: Settings) -> None:
    """There is nothing to keep."""
    open_archive(settings).close()
    assert backups(settings) == []


def test_work_goes_on_after_an_upgrade(old: str, settings: Settings) -> None:
    """Records are read back and found, bytes that were filed are known, and what was waiting is read."""
    (settings.inbox_dir / "caf\udce9.jpg").write_bytes(b"waits")
    (settings.inbox_dir / "known.jpg").write_bytes(FILES["travel/cafe.jpg"])
    service = build_service(settings, extract=ScriptedExtraction(), check=lambda _: None)
    store, counts = service.archive.receipts, service.archive.job_queue.counts
    done = counts()[JobState.DONE]
    assert {record.merchant_name for record in store.list()} == {"Kopi & Co.", "ラーメン二郎"}
    assert [str(record.total) for record in store.search("flat white 16.96")] == ["16.96", "16.96"]
    service.run_once()
    assert counts()[JobState.DONE] == done + 1
    assert counts()[JobState.DUPLICATE] == 2
    service.archive.close()


STATEMENTS_OF_AN_UPGRADE = 8  # of the shortest: all views are made anew
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from extractor.storage.database.connection import Database

left = int(sys.argv[2])

@event.listens_for(Engine, "after_cursor_execute")
def count(connection, cursor, statement, *_):
    global left
    if statement.lstrip().upper().startswith(("CREATE", "DROP", "UPDATE", "ALTER", "INSERT")):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

Database(Path(sys.argv[1])).close()
"""


@pytest.mark.parametrize("statement", [1, 4, STATEMENTS_OF_AN_UPGRADE])
def test_a_crash_during_an_upgrade_leaves_the_old_database(old: str, settings: Settings, statement: int) -> None:
    """Killed between any two steps, the database is as before, and the next start upgrades it."""
    before = rows(settings.database)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(settings.database), str(statement)], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert rows(settings.database) == before
    Database(settings.database).close()
    assert rows(settings.database)["alembic_version"][0]["version_num"] == connection.HEAD


def test_an_upgrade_that_fails_leaves_the_old_database_and_no_backup(old: str, settings: Settings) -> None:
    """Something in the way of the newest schema stops the upgrade; however often it is tried, the disk does not fill with copies."""
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("DROP VIEW v_items")
        connection.execute("CREATE TABLE v_items (somebody TEXT)")
    before = rows(settings.database)
    for _ in range(2):
        with pytest.raises(StorageError, match="v_items"):
            Database(settings.database)
    assert rows(settings.database) == before
    assert backups(settings) == []


def test_without_a_backup_there_is_no_upgrade(old: str, settings: Settings) -> None:
    """Where the copy cannot be made, because the database is damaged, nothing is changed; the error names both files."""
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        [page_size] = connection.execute("PRAGMA page_size").fetchone()
        [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_receipts_transaction_date'").fetchone()
    data = bytearray(settings.database.read_bytes())
    data[(root - 1) * page_size : root * page_size] = bytes(page_size)
    settings.database.write_bytes(data)
    damaged = hashlib.sha256(data).hexdigest()
    with pytest.raises(StorageError, match=r"receipts\.db cannot be copied to .*schema-"):
        Database(settings.database)
    assert hashlib.sha256(settings.database.read_bytes()).hexdigest() == damaged
    assert list(settings.database.parent.glob("*backup*")) == []
