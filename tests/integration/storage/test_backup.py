"""Backups: one moment of the database while others write, whole or not at all, and back again."""

import hashlib
import io
import json
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from extractor.config.settings import Settings
from extractor.errors import ConfigError, InputError, StorageError
from extractor.service.app import build_service
from extractor.storage.archive import Archive, open_archive
from extractor.storage.backup import back_up, restore
from extractor.storage.database.snapshot import snapshot
from extractor.storage.files.outbox import Outbox
from extractor.storage.verify import Verifier
from extractor.testing import ScriptedExtraction
from tests.database_schemas import read


@pytest.fixture
def filed(settings: Settings, drop: Callable[..., Path]) -> Iterator[Archive]:
    """Two receipts, a duplicate and a failed file, all filed."""
    for name, data in {"cafe.jpg": b"coffee", "trip/ramen.png": b"ramen", "zz copy.png": b"ramen", "locked.pdf": b"locked"}.items():
        drop(name, data)
    build_service(settings, extract=ScriptedExtraction(read), check=lambda _: None).run_once()
    archive = open_archive(settings)
    yield archive
    archive.close()


def in_outbox(settings: Settings) -> dict[str, bytes]:
    files = [path for path in settings.outbox_dir.rglob("*") if path.is_file()]
    return {path.relative_to(settings.outbox_dir).as_posix(): path.read_bytes() for path in files}


def elsewhere(settings: Settings) -> Settings:
    """An empty installation on another machine."""
    root = settings.database.parent / "elsewhere"
    return settings.model_copy(update={"inbox_dir": root / "in", "outbox_dir": root / "out", "database": root / "db" / "my.db"})


def restored(backup: Path, settings: Settings) -> Archive:
    outbox = Outbox(settings.outbox_dir)
    assert restore(backup, settings.database, outbox).problems == ()
    outbox.mark()
    return open_archive(settings)


def findings(archive: Archive) -> list[str]:
    verifier = Verifier(archive, pause=lambda: None)
    return [f"{finding.what} {finding.path.name}" for finding in verifier.findings()]


def test_a_backup_with_files_brings_everything_back(filed: Archive, tmp_path: Path) -> None:
    """On an empty machine, all records and all files are as they were, and the two agree."""
    report = back_up(filed.settings.database, filed.outbox, tmp_path / "all.tar", with_files=True)
    assert (report.files, report.problems) == (8, ())
    there = restored(tmp_path / "all.tar", elsewhere(filed.settings))
    assert list(there.receipts.list()) == list(filed.receipts.list())
    assert there.job_queue.jobs() == filed.job_queue.jobs()
    assert in_outbox(there.settings) == in_outbox(filed.settings)
    assert findings(there) == []
    there.close()


def test_a_backup_lists_every_filed_file(filed: Archive, tmp_path: Path) -> None:
    """Without files it holds the database and, for each file, path, hash and size; whoever has tar and sqlite3 can use it."""
    back_up(filed.settings.database, filed.outbox, tmp_path / "list.tar")
    with tarfile.open(tmp_path / "list.tar") as tar:
        assert tar.getnames() == ["receipts.db", "manifest.jsonl"]
        tar.extractall(tmp_path / "by hand", filter="data")
    lines = [json.loads(line) for line in (tmp_path / "by hand" / "manifest.jsonl").read_text().splitlines()]
    files = {f"outbox/{name}": data for name, data in in_outbox(filed.settings).items()}
    files["receipts.db"] = (tmp_path / "by hand" / "receipts.db").read_bytes()
    assert {line["path"]: (line["sha256"], line["size_bytes"]) for line in lines} == {
        name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()
    }
    with closing(sqlite3.connect(tmp_path / "by hand" / "receipts.db")) as connection:
        assert connection.execute("SELECT count(*) FROM v_receipts").fetchone() == (2,)


def test_a_lost_database_is_restored_beside_its_outbox(filed: Archive, tmp_path: Path) -> None:
    """The common accident: only the database is lost. Files that were filed after the backup are reported."""
    settings = filed.settings
    back_up(settings.database, filed.outbox, tmp_path / "list.tar")
    (settings.inbox_dir / "later.jpg").write_bytes(b"later")
    build_service(settings, extract=ScriptedExtraction(), check=lambda _: None).run_once()
    [later] = [job for job in filed.job_queue.jobs() if job.name == "later.jpg"]
    filed.close()
    for path in settings.database.parent.glob("receipts.db*"):
        path.unlink()
    again = restored(tmp_path / "list.tar", settings)
    stem = Path(later.filed_as or "").stem
    assert findings(again) == [f"unknown {stem}.jpg", f"unknown {stem}.json"]
    again.close()


@pytest.mark.parametrize("kind", ["database", "wal"])
def test_restoring_replaces_no_database(filed: Archive, tmp_path: Path, kind: str) -> None:
    """Neither a database nor what is left of one is overwritten or mixed up with the restored one."""
    back_up(filed.settings.database, filed.outbox, tmp_path / "list.tar")
    there = elsewhere(filed.settings)
    there.database.parent.mkdir(parents=True)
    in_the_way = there.database if kind == "database" else there.database.with_name("my.db-wal")
    in_the_way.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="move that file away"):
        restored(tmp_path / "list.tar", there)
    assert in_the_way.read_bytes() == b"mine"


def test_restoring_replaces_no_file(filed: Archive, tmp_path: Path) -> None:
    """A file of the outbox that differs is left as it is and named; the others come back."""
    back_up(filed.settings.database, filed.outbox, tmp_path / "all.tar", with_files=True)
    there = elsewhere(filed.settings)
    name = next(name for name in in_outbox(filed.settings) if name.endswith(".jpg"))
    (there.outbox_dir / name).parent.mkdir(parents=True)
    (there.outbox_dir / name).write_bytes(b"mine")
    report = restore(tmp_path / "all.tar", there.database, Outbox(there.outbox_dir))
    assert report.files == 7
    assert [name in problem for problem in report.problems] == [True]
    assert in_outbox(there) == in_outbox(filed.settings) | {name: b"mine"}


def test_a_backup_replaces_nothing(filed: Archive, tmp_path: Path) -> None:
    """Yesterday's backup is not lost to today's."""
    (tmp_path / "all.tar").write_bytes(b"yesterday")
    with pytest.raises(InputError, match="exists already"):
        back_up(filed.settings.database, filed.outbox, tmp_path / "all.tar")
    assert (tmp_path / "all.tar").read_bytes() == b"yesterday"


def test_a_file_that_appears_meanwhile_is_not_replaced(filed: Archive, tmp_path: Path) -> None:
    """Two backups at the same time under one name: the second says so."""
    with pytest.raises(StorageError, match="already exists"):
        back_up(
            filed.settings.database, filed.outbox, tmp_path / "all.tar", on_progress=lambda *_: (tmp_path / "all.tar").write_bytes(b"mine")
        )
    assert (tmp_path / "all.tar").read_bytes() == b"mine"


def test_a_backup_that_is_cut_off_leaves_nothing(filed: Archive, tmp_path: Path) -> None:
    """Whatever stops it, no half backup has the name of a whole one."""

    def stop(what: str, done: int, total: int) -> None:
        if what == "checking the backup":
            raise OSError(28, "No space left on device")

    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(StorageError, match=r"all\.tar"):
        back_up(filed.settings.database, filed.outbox, tmp_path / "all.tar", with_files=True, on_progress=stop)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_files_that_are_not_in_order_are_named(filed: Archive, tmp_path: Path) -> None:
    """A missing or changed original is reported and does not stop the backup; a deleted duplicate is not reported."""
    names = {Path(name).suffix: name for name in in_outbox(filed.settings) if name.startswith("20") and not name.endswith(".json")}
    (filed.settings.outbox_dir / names[".jpg"]).unlink()
    (filed.settings.outbox_dir / names[".png"]).write_bytes(b"other")
    for path in (filed.settings.outbox_dir / "duplicates").iterdir():
        path.unlink()
    report = back_up(filed.settings.database, filed.outbox, tmp_path / "all.tar", with_files=True)
    assert sorted(problem.split()[-1] for problem in report.problems) == ["filed.", "name)."]
    there = restored(tmp_path / "all.tar", elsewhere(filed.settings))
    assert len(list(there.receipts.list())) == 2
    there.close()


def damaged(backup: Path, how: str) -> None:
    data = backup.read_bytes()
    match how:
        case "cut off":
            backup.write_bytes(data[: len(data) // 2])
        case "one byte":
            at = data.index(b"SQLite format 3") + 5000
            backup.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        case "not a tar":
            backup.write_bytes(b"dear diary")
        case _:
            backup.unlink()


def test_a_backup_into_a_missing_folder_names_the_folder(filed: Archive, tmp_path: Path) -> None:
    """A mistyped path is not reported as a full disk."""
    with pytest.raises(InputError, match=r"The folder .*/nowhere does not exist\. Make it"):
        back_up(filed.settings.database, filed.outbox, tmp_path / "nowhere" / "all.tar")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("how", ["cut off", "one byte", "not a tar", "not there"])
def test_a_damaged_backup_restores_nothing(filed: Archive, tmp_path: Path, how: str) -> None:
    """It is read to the end and compared before anything is put back."""
    back_up(filed.settings.database, filed.outbox, tmp_path / "all.tar", with_files=True)
    damaged(tmp_path / "all.tar", how)
    there = elsewhere(filed.settings)
    with pytest.raises(InputError, match=r"all\.tar"):
        restored(tmp_path / "all.tar", there)
    assert not there.database.exists()
    assert not there.outbox_dir.exists()


@pytest.mark.parametrize("name", ["outbox/../../evil", "outbox//etc/evil", "outbox/a/../../../evil"])
def test_a_hostile_backup_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    """Paths that lead out of the outbox are refused."""
    lines = b"".join(
        json.dumps({"path": path, "sha256": hashlib.sha256(b"evil").hexdigest(), "size_bytes": 4}).encode() + b"\n"
        for path in ("receipts.db", name)
    )
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        for path, data in (("receipts.db", b"evil"), (name, b"evil"), ("manifest.jsonl", lines)):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with pytest.raises(InputError, match="outside the outbox"):
        restore(tmp_path / "evil.tar", tmp_path / "db" / "receipts.db", Outbox(tmp_path / "out"))
    assert list(tmp_path.rglob("evil")) == []
    assert not (tmp_path / "db" / "receipts.db").exists()


def test_a_snapshot_keeps_to_one_moment_while_others_write(archive: Archive, tmp_path: Path) -> None:
    """Writers do not wait for it, and it does not begin anew with each of their commits."""
    with archive.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (data BLOB)")
        connection.exec_driver_sql(
            "INSERT INTO filler SELECT zeroblob(1000000) FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]')"
        )
    calls: list[tuple[int, int]] = []

    def write(done: int, total: int) -> None:
        calls.append((done, total))
        with archive.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM filler WHERE rowid IN (SELECT rowid FROM filler LIMIT 1)")

    snapshot(archive.settings.database, tmp_path / "copy.db", on_progress=write)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert len(calls) >= 2
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM filler").fetchone() == (18,)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize("what", ["nothing", "no database"])
def test_what_is_no_database_gives_no_snapshot(tmp_path: Path, what: Any) -> None:
    """The error names both files, and neither an empty database nor a copy is left behind."""
    source = tmp_path / "receipts.db"
    if what == "no database":
        source.write_bytes(b"dear diary, " * 1000)
    with pytest.raises(StorageError, match=r"receipts\.db cannot be copied to .*copy\.db"):
        snapshot(source, tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir() if path != source] == []
    assert source.exists() == (what == "no database")
