"""Database and outbox compared: every kind of damage is found, and nothing else, also while the service works."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from extractor.config.settings import Settings
from extractor.errors import StorageError
from extractor.jobs import Job, JobState
from extractor.runtime.checkpoints import Checkpoint
from extractor.service.app import build_service
from extractor.storage.archive import Archive, open_archive
from extractor.storage.verify import Discrepancy, Verifier, What
from extractor.testing import ScriptedExtraction
from tests.database_schemas import read


@pytest.fixture
def filed(settings: Settings, drop: Callable[..., Path]) -> Iterator[Archive]:
    """Two receipts, a photo of two more, a duplicate, a failed file, and a link that was refused, all dealt with."""
    files = {
        "cafe.jpg": b"coffee",
        "trip/ramen.png": b"ramen",
        "zz copy.png": b"ramen",
        "locked.pdf": b"locked",
        "table.jpg": b"two receipts",
    }
    for name, data in files.items():
        drop(name, data)
    (settings.inbox_dir / "link.jpg").symlink_to("nowhere")
    build_service(settings, extract=ScriptedExtraction(read), check=lambda _: None).run_once()
    archive = open_archive(settings)
    yield archive
    archive.close()


def verify(archive: Archive, pause: Callable[[], object] = lambda: None) -> list[Discrepancy]:
    return list(Verifier(archive, pause=pause).findings())


def found(archive: Archive) -> list[tuple[What, Path]]:
    return [(finding.what, finding.path) for finding in verify(archive)]


def job_of(archive: Archive, name: str) -> Job:
    [job] = [job for job in archive.job_queue.jobs() if job.name == name]
    return job


def original(archive: Archive, name: str) -> Path:
    return archive.settings.outbox_dir / (job_of(archive, name).filed_as or "")


def test_what_is_in_order_has_no_findings(filed: Archive) -> None:
    """Receipts, failures, duplicates and refused things, as the service leaves them."""
    assert {job.state for job in filed.job_queue.jobs()} == {JobState.DONE, JobState.DUPLICATE, JobState.FAILED}
    assert verify(filed) == []


def test_missing_files_are_found(filed: Archive) -> None:
    """Originals, records and notices; a duplicate may be deleted, as its notice says."""
    gone = [original(filed, "cafe.jpg"), original(filed, "ramen.png").with_suffix(".json"), original(filed, "locked.pdf")]
    duplicate = original(filed, "zz copy.png")
    for path in (*gone, duplicate, duplicate.with_name(duplicate.name + ".duplicate.json")):
        path.unlink()
    assert sorted(found(filed)) == sorted((What.MISSING, path) for path in gone)


def test_the_same_file_again_takes_the_place_of_a_missing_original(filed: Archive, settings: Settings, drop: Callable[..., Path]) -> None:
    """A deleted original is put back by dropping it again, as `verify` says; while it is there, a copy is a duplicate."""
    missing = original(filed, "cafe.jpg")
    missing.unlink()
    [finding] = verify(filed)
    assert "Drop the same file in the inbox again" in finding.what_to_do
    drop("cafe again.jpg", b"coffee")
    build_service(settings, extract=ScriptedExtraction(), check=lambda _: None).run_once()
    assert missing.read_bytes() == b"coffee"
    assert verify(filed) == []
    drop("cafe once more.jpg", b"coffee")
    build_service(settings, extract=ScriptedExtraction(), check=lambda _: None).run_once()
    assert original(filed, "cafe once more.jpg").parent.name == "duplicates"
    assert verify(filed) == []
    assert list(settings.inbox_dir.glob("*.jpg")) == [settings.inbox_dir / "link.jpg"]


def test_a_folder_that_is_gone_is_found_file_by_file(filed: Archive) -> None:
    """The database says what lay there."""
    paths = list((filed.settings.outbox_dir / "failed").iterdir())
    for path in paths:
        path.unlink()
    (filed.settings.outbox_dir / "failed").rmdir()
    assert sorted(found(filed)) == sorted((What.MISSING, path) for path in paths)


def test_each_record_of_a_file_with_several_receipts_is_compared(filed: Archive) -> None:
    """A second JSON that is missing or changed is found, with its own record in the advice; without its record, it is an unknown file."""
    second = filed.outbox.layout.record(job_of(filed, "table.jpg").filed_as or "", 2)
    whole = second.read_bytes()
    second.unlink()
    [finding] = verify(filed)
    assert (finding.what, finding.path) == (What.MISSING, second)
    receipt_id = json.loads(whole)["receipt_id"]
    assert receipt_id in finding.what_to_do
    second.write_bytes(whole.replace(b'"number": 2', b'"number": 1'))
    assert found(filed) == [(What.CHANGED, second)]
    second.write_bytes(whole)
    assert found(filed) == []
    with filed.database.write() as connection:
        connection.execute(text("DELETE FROM receipts WHERE receipt_id = :id"), {"id": receipt_id})
    assert found(filed) == [(What.UNKNOWN, second)]


def test_changed_files_are_found(filed: Archive) -> None:
    """One byte of an original, one value of a record, a notice that is none, a duplicate with other bytes, a link in a file's place."""
    cafe, ramen, locked, copy = (original(filed, name) for name in ("cafe.jpg", "ramen.png", "locked.pdf", "zz copy.png"))
    cafe.write_bytes(b"Coffee")
    record = cafe.with_suffix(".json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"total": "1.00"}))
    ramen.rename(ramen.with_name("real"))
    ramen.symlink_to("real")
    notice = locked.with_name(locked.name + ".error.json")
    notice.write_text("[" * 100_000)
    copy.write_bytes(b"other")
    changed = {finding.path for finding in verify(filed) if finding.what is What.CHANGED}
    assert changed == {cafe, record, ramen, notice, copy}


def test_a_record_that_only_looks_different_is_the_same(filed: Archive) -> None:
    """What counts is what the JSON says, not how it is written."""
    record = original(filed, "cafe.jpg").with_suffix(".json")
    record.write_text(json.dumps(dict(reversed(json.loads(record.read_text()).items()))))
    assert verify(filed) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_cannot_be_read_are_found(filed: Archive) -> None:
    """Missing permission is not reported as a changed file."""
    path = original(filed, "cafe.jpg")
    path.chmod(0)
    assert found(filed) == [(What.UNREADABLE, path)]


def test_unknown_files_are_found(filed: Archive) -> None:
    """Wherever they lie and whatever their name is; what systems leave in folders is no finding."""
    outbox = filed.settings.outbox_dir
    names = ["note.txt", "2026/03/cafe.jpg", "failed/locked.pdf.json", "2019/01/x.json", "2026/caf\udce9.jpg", "2026/03/.hidden"]
    for name in (*names, "2026/03/Thumbs.db", ".DS_Store"):
        (outbox / name).parent.mkdir(parents=True, exist_ok=True)
        (outbox / name).write_bytes(b"?")
    assert sorted(found(filed)) == sorted((What.UNKNOWN, outbox / name) for name in names)


def test_leftovers_are_found(filed: Archive) -> None:
    """Half-written files, private copies of no open job, hidden files in the inbox, and old copies into it that were cut off."""
    outbox, inbox = filed.settings.outbox_dir, filed.settings.inbox_dir
    done = job_of(filed, "cafe.jpg").receipt_id
    half = original(filed, "cafe.jpg").with_name(f".{original(filed, 'cafe.jpg').stem}.json.tmp")
    old, new = inbox / f".{'0' * 32}.part", inbox / f".{'1' * 32}.part"
    left = [
        half,
        outbox / "failed" / ".x.tmp",
        outbox / ".work" / done,
        outbox / ".work" / "nobody",
        inbox / "trip" / f".receipts-{done}",
        old,
    ]
    for path in (*left, new):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.name == ".work":
            path.mkdir()
        else:
            path.write_bytes(b"?")
    os.utime(old, (0, 0))
    assert sorted(found(filed)) == sorted((What.LEFTOVER, path) for path in left)


def test_rows_that_are_lost_are_found(filed: Archive) -> None:
    """A done file without its record, and a record without its file."""
    cafe, ramen = job_of(filed, "cafe.jpg"), job_of(filed, "ramen.png")
    files = [original(filed, "ramen.png"), original(filed, "ramen.png").with_suffix(".json")]
    with filed.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM receipts WHERE receipt_id = ?", (cafe.receipt_id,))
        connection.exec_driver_sql("DELETE FROM jobs WHERE receipt_id = ?", (ramen.receipt_id,))
    kinds = {finding.what: finding for finding in verify(filed)}
    assert kinds[What.NO_RECORD].path == original_of(filed, cafe).with_suffix(".json")
    assert ramen.receipt_id in kinds[What.NO_FILE].fact
    assert {path for what, path in found(filed) if what is What.UNKNOWN} == set(files)


def original_of(archive: Archive, job: Job) -> Path:
    return archive.settings.outbox_dir / (job.filed_as or "")


def test_every_finding_says_what_to_do(filed: Archive) -> None:
    """Each finding has advice, and the command for a missing record works as printed."""
    record = original(filed, "cafe.jpg").with_suffix(".json")
    record.unlink()
    (filed.settings.outbox_dir / "note.txt").write_text("?")
    by_what = {finding.what: finding.what_to_do for finding in verify(filed)}
    assert all(by_what.values())
    assert f"receipts show {job_of(filed, 'cafe.jpg').receipt_id} --format jsonl > {record.name}" in by_what[What.MISSING]


@pytest.mark.parametrize("is_mounted_over", [False, True])
def test_an_outbox_that_is_away_is_one_error(filed: Archive, is_mounted_over: bool) -> None:
    """A volume that is not mounted is not a hundred thousand missing files."""
    filed.settings.outbox_dir.rename(filed.settings.outbox_dir.with_name("away"))
    if is_mounted_over:
        filed.settings.outbox_dir.mkdir()
    with pytest.raises(StorageError, match="Mount its volume"):
        verify(filed)


class Enough(BaseException):
    """Ends the work where it is."""


@pytest.fixture
def stopped_at(settings: Settings, drop: Callable[..., Path]) -> Callable[[str], Archive]:
    """The archive of a service that had a receipt, a duplicate and a failing file in hand and stands at a named step."""

    def stop(step: str) -> Archive:
        def end(at: Checkpoint) -> None:
            if at.value == step:
                raise Enough

        for name, data in {"cafe.jpg": b"coffee", "zz cafe.jpg": b"coffee", "locked.pdf": b"locked"}.items():
            drop(name, data)
        service = build_service(settings, extract=ScriptedExtraction(read), check=lambda _: None, at_checkpoint=end)
        with pytest.raises(Enough):  # noqa: PT012 -- one of the two ends
            service.scanner.scan()
            service.worker.run_once(threading.Event())
        return service.archive

    return stop


STEPS = ("copied", "read", "stored", "set_aside", "original_placed", "record_written", "removed", "moved", "notice_written", "planned")


@pytest.mark.parametrize("step", STEPS)
def test_what_is_under_way_is_no_finding(stopped_at: Callable[[str], Archive], step: str) -> None:
    """At each step of a file's way, a look from outside finds nothing wrong."""
    archive = stopped_at(step)
    assert any(job.filed_at is None for job in archive.job_queue.jobs())
    assert verify(archive) == []
    archive.close()


def test_half_a_file_of_an_open_job_is_no_leftover(stopped_at: Callable[[str], Archive]) -> None:
    """A JSON file that is just being written has a hidden name."""
    archive = stopped_at("original_placed")
    place = original(archive, "cafe.jpg")
    place.with_name(f".{place.stem}.json.tmp").write_bytes(b"{")
    assert verify(archive) == []
    archive.close()


def test_a_job_that_is_open_again_is_no_finding(filed: Archive, settings: Settings) -> None:
    """A retry between the two looks, which fails again and is just being filed."""

    def meanwhile() -> None:
        def end(at: Checkpoint) -> None:
            if at is Checkpoint.PLANNED:
                raise Enough

        if filed.retry(["locked.pdf"]):
            with pytest.raises(Enough):
                build_service(settings, extract=ScriptedExtraction(read), check=lambda _: None, at_checkpoint=end).worker.run_once(
                    threading.Event()
                )

    original(filed, "locked.pdf").with_name("locked.pdf.error.json").unlink()
    assert verify(filed, pause=meanwhile) == []
    assert job_of(filed, "locked.pdf").filed_at is None


def test_what_is_filed_between_two_looks_is_no_finding(filed: Archive, settings: Settings, drop: Callable[..., Path]) -> None:
    """Files that came after the folder was listed, a retry, and a file in its place at last: the second look decides."""
    missing = original(filed, "cafe.jpg")
    missing.rename(missing.with_name("away"))

    def meanwhile() -> None:
        if missing.with_name("away").exists():
            missing.with_name("away").rename(missing)
            filed.retry(["locked.pdf"])
            drop("new.jpg", b"new")
            build_service(settings, extract=ScriptedExtraction(), check=lambda _: None).run_once()

    assert verify(filed, pause=meanwhile) == []
    assert len(list(filed.receipts.list())) == 6
