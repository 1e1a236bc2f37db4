"""Moving files from the inbox to the outbox: whole or not at all, nothing overwritten, every step repeatable."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from extractor.errors import StorageError, Unreadable
from extractor.jobs import Job, Source
from extractor.schemas.record import Check, Record, ReviewReason
from extractor.storage.archive import Archive
from extractor.storage.files.atomic import copy_hashed, digest, move, write_whole
from extractor.storage.files.filing import Filing
from extractor.testing import make_record


@pytest.fixture
def filing(archive: Archive) -> Filing:
    return archive.filing


@pytest.fixture
def stored_job(archive: Archive, leased_job: Callable[..., Job]) -> Callable[..., tuple[Job, Record]]:
    """A job whose record is saved and whose files are still in the inbox."""

    def make(name: str = "lunch.jpg", data: bytes | None = None) -> tuple[Job, Record]:
        job = leased_job(name, data)
        source = Source(Path(), job.name, job.sha256 or "", job.receipt_id, job.received_at, job.tags)
        record = make_record(source, transaction_date=date(2024, 2, 29))
        with archive.database.write() as connection:
            archive.receipts.save(connection, record)
            archive.job_queue.stored(connection, job, archive.outbox.layout.for_records(job, [record]))
        return next(one for one in archive.job_queue.to_file(100) if one.id == job.id), record

    return make


@pytest.fixture
def failed_job(archive: Archive, leased_job: Callable[..., Job]) -> Callable[..., Job]:
    """A job that failed and whose place is planned; its file is still in the inbox."""

    def make(name: str = "lunch.jpg", data: bytes | None = None) -> Job:
        job = archive.job_queue.fail(leased_job(name, data), Unreadable(f"{name} is cut off. Copy the whole file again."))
        return archive.job_queue.plan(job, archive.outbox.layout.for_other(job))

    return make


def visible(folder: Path) -> list[str]:
    """All files below, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_a_record_and_its_original_lie_side_by_side(filing: Filing, stored_job: Callable[..., tuple[Job, Record]]) -> None:
    """By year and month of the transaction; the inbox is empty afterwards, and nothing temporary is left."""
    job, record = stored_job("travel/lunch.jpg", b"bytes")
    filing.file_records(job, [record])
    stem = f"2024/02/lunch-{job.receipt_id[-8:]}"
    assert visible(filing.outbox.root) == [f"{stem}.jpg", f"{stem}.json"]
    assert (filing.outbox.root / f"{stem}.jpg").read_bytes() == b"bytes"
    assert Record.model_validate_json((filing.outbox.root / f"{stem}.json").read_bytes()) == record
    assert visible(filing.intake.inbox_dir) == []


def test_filing_twice_is_filing_once(filing: Filing, stored_job: Callable[..., tuple[Job, Record]]) -> None:
    """A crash before `done` is followed by the same steps again."""
    job, record = stored_job()
    filing.file_records(job, [record])
    before = visible(filing.outbox.root)
    filing.file_records(job, [record])
    assert visible(filing.outbox.root) == before


STEPS = ("copied", "original", "json", "aside")


@pytest.mark.parametrize("last", STEPS)
def test_filing_goes_on_after_a_crash_at_any_step(filing: Filing, stored_job: Callable[..., tuple[Job, Record]], last: str) -> None:
    """Whatever of the steps was done before the crash, the end is the same."""
    job, record = stored_job("lunch.jpg", b"bytes")
    original = filing.outbox.root / (job.filed_as or "")
    copy = filing.claim_copy(job)
    assert copy is not None
    if last != "copied":
        original.parent.mkdir(parents=True)
        copy.rename(original)
    if last in {"json", "aside"}:
        write_whole(filing.outbox.layout.record(job.filed_as or ""), b"{}")
    if last == "aside":
        (filing.intake.inbox_dir / "lunch.jpg").rename(filing.intake.inbox_dir / f".receipts-{job.receipt_id}")
    filing.file_records(job, [record])
    assert visible(filing.outbox.root) == sorted(
        [str(original.relative_to(filing.outbox.root)), str(original.relative_to(filing.outbox.root).with_suffix(".json"))]
    )
    assert visible(filing.intake.inbox_dir) == []
    assert original.read_bytes() == b"bytes"


def test_a_spoilt_copy_is_made_anew(filing: Filing, stored_job: Callable[..., tuple[Job, Record]]) -> None:
    """A private copy that a power cut has left half-written is never filed."""
    job, record = stored_job("lunch.jpg", b"the whole receipt")
    copy = filing.claim_copy(job)
    assert copy is not None
    copy.write_bytes(b"the who")
    filing.file_records(job, [record])
    assert (filing.outbox.root / (job.filed_as or "")).read_bytes() == b"the whole receipt"


def test_a_file_that_took_the_name_during_work_stays(filing: Filing, stored_job: Callable[..., tuple[Job, Record]]) -> None:
    """The receipt that was read is filed from its copy; the new one under the same name waits in the inbox as it is."""
    job, record = stored_job("lunch.jpg", b"first")
    filing.claim_copy(job)
    (filing.intake.inbox_dir / "lunch.jpg").write_bytes(b"second")
    filing.file_records(job, [record])
    assert (filing.outbox.root / (job.filed_as or "")).read_bytes() == b"first"
    assert visible(filing.intake.inbox_dir) == ["lunch.jpg"]
    assert (filing.intake.inbox_dir / "lunch.jpg").read_bytes() == b"second"


def test_a_file_that_changed_before_it_was_read_is_not_read_as_the_old_one(filing: Filing, leased_job: Callable[..., Job]) -> None:
    """Bytes that were not hashed are not read under that hash; the file stays."""
    job = leased_job("lunch.jpg", b"first")
    (filing.intake.inbox_dir / "lunch.jpg").write_bytes(b"second")
    assert filing.claim_copy(job) is None
    assert visible(filing.outbox.root) == []
    assert visible(filing.intake.inbox_dir) == ["lunch.jpg"]


@pytest.mark.parametrize("replacement", ["missing", "link", "fifo", "folder"])
def test_what_replaces_a_file_is_neither_followed_nor_moved(
    filing: Filing, leased_job: Callable[..., Job], tmp_path: Path, replacement: str
) -> None:
    """A link to a private file, put where the receipt was, leads nowhere."""
    job = leased_job("lunch.jpg", b"bytes")
    path, private = filing.intake.inbox_dir / "lunch.jpg", tmp_path / "private"
    private.write_bytes(b"bytes")
    path.unlink()
    match replacement:
        case "link":
            path.symlink_to(private)
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    assert filing.claim_copy(job) is None
    assert private.read_bytes() == b"bytes"
    assert os.path.lexists(path) == (replacement != "missing")


def elsewhere(filing: Filing, tmp_path: Path, data: bytes) -> Path:
    """A file outside, which the inbox's subfolder `trip`, a link now, leads to."""
    private = tmp_path / "elsewhere" / "lunch.jpg"
    private.parent.mkdir()
    private.write_bytes(data)
    shutil.rmtree(filing.intake.inbox_dir / "trip")
    (filing.intake.inbox_dir / "trip").symlink_to(private.parent)
    return private


@pytest.mark.parametrize("data", [b"bytes", b"other bytes"])
def test_a_subfolder_that_became_a_link_leads_nowhere(
    filing: Filing, leased_job: Callable[..., Job], failed_job: Callable[..., Job], tmp_path: Path, data: bytes
) -> None:
    """Files outside the inbox are neither read nor moved, not even for a moment, though they have a job's name and its very bytes."""
    leased, failed = leased_job("trip/lunch.jpg", b"bytes"), failed_job("trip/dinner.jpg", b"bytes too")
    private = elsewhere(filing, tmp_path, data)
    private.with_name("dinner.jpg").hardlink_to(private)
    before = private.parent.stat().st_mtime_ns, private.stat().st_ctime_ns
    assert filing.claim_copy(leased) is None
    assert not filing.file_other(failed)
    assert (private.parent.stat().st_mtime_ns, private.stat().st_ctime_ns) == before
    assert sorted(path.name for path in private.parent.iterdir()) == ["dinner.jpg", "lunch.jpg"]


def test_nothing_is_brought_back_through_a_link(filing: Filing, failed_job: Callable[..., Job], tmp_path: Path) -> None:
    """A failed file stays where it is when its subfolder of the inbox leads elsewhere by now; the message says so."""
    job = failed_job("trip/lunch.jpg", b"bytes")
    filing.file_other(job)
    private = elsewhere(filing, tmp_path, b"private")
    with pytest.raises(StorageError, match="is a symbolic link now; remove it"):
        filing.put_back(job)
    assert [path.name for path in private.parent.iterdir()] == ["lunch.jpg"]
    assert "failed/lunch.jpg" in visible(filing.outbox.root)


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_named_like_a_notice_is_not_replaced_by_one(filing: Filing, failed_job: Callable[..., Job], order: int) -> None:
    """Whoever drops `lunch.jpg.error.json` gets it back, also where `lunch.jpg` fails later."""
    jobs = [failed_job("lunch.jpg", b"one"), failed_job("lunch.jpg.error.json", b"two"), failed_job("LUNCH.JPG.Error.JSON", b"three")]
    for job in jobs[::order]:
        assert filing.file_other(job)
    assert {path.read_bytes() for path in filing.outbox.root.rglob("*") if path.is_file()} >= {b"one", b"two", b"three"}
    assert len(visible(filing.outbox.root)) == 6


def test_a_failed_file_lies_beside_its_reason(archive: Archive, filing: Filing, failed_job: Callable[..., Job]) -> None:
    """The notice says what, why, what to do and how often it was tried."""
    job = failed_job("lunch.jpg", b"half")
    assert filing.file_other(job)
    assert filing.file_other(job)  # again, after a crash
    assert visible(filing.outbox.root) == ["failed/lunch.jpg", "failed/lunch.jpg.error.json"]
    notice = json.loads((filing.outbox.root / "failed/lunch.jpg.error.json").read_bytes())
    assert notice["why"] == "lunch.jpg is cut off. Copy the whole file again."
    assert (notice["file"], notice["kind"], notice["attempts"], notice["sha256"]) == ("lunch.jpg", "Unreadable", 1, job.sha256)
    assert job.receipt_id in notice["what_to_do"]
    assert visible(filing.intake.inbox_dir) == []


def test_names_that_meet_in_the_outbox_do_not_overwrite(archive: Archive, filing: Filing, failed_job: Callable[..., Job]) -> None:
    """Same name, other bytes: both are kept, each with its own notice."""
    for folder in ("a", "b"):
        job = failed_job(f"{folder}/lunch.jpg", folder.encode())
        filing.file_other(job)
        archive.job_queue.filed(job)
    kept = [path.read_bytes() for path in (filing.outbox.root / "failed").glob("lunch*.jpg")]
    assert sorted(kept) == [b"a", b"b"]
    assert len(list((filing.outbox.root / "failed").glob("*.error.json"))) == 2


def test_a_place_that_was_taken_meanwhile_is_noticed(filing: Filing, failed_job: Callable[..., Job]) -> None:
    """Somebody else's file in the planned place is not overwritten; another place is planned."""
    job = failed_job()
    (filing.outbox.root / "failed").mkdir()
    (filing.outbox.root / "failed/lunch.jpg").write_bytes(b"somebody else's")
    assert filing.outbox.is_occupied(job)
    assert filing.outbox.layout.for_other(job) != job.filed_as
    with pytest.raises(StorageError):
        filing.file_other(job)
    assert (filing.outbox.root / "failed/lunch.jpg").read_bytes() == b"somebody else's"


HOSTILE = (
    "two\nlines.jpg",
    "\N{RECEIPT}.jpg",
    "é" * 120 + ".jpg",
    "-rf",
    "..x",
    "a\x1b[31m.jpg",
    "caf\udce9.jpg",
    "CON",
    "x.json",
    "a b .JPG ",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_filed_safely(filing: Filing, stored_job: Callable[..., tuple[Job, Record]], name: str) -> None:
    """The names in the outbox are safe everywhere; the JSON keeps the name as it was, as far as Unicode can say it."""
    job, record = stored_job(name, b"bytes")
    filing.file_records(job, [record])
    json_name, original_name = sorted(visible(filing.outbox.root), key=lambda one: not one.endswith(".json"))
    assert json_name.isprintable()
    assert original_name.isprintable()
    assert original_name.startswith("2024/02/")
    assert len(Path(original_name).name.encode()) <= 120
    kept = Record.model_validate_json((filing.outbox.root / json_name).read_bytes()).original_filename
    assert kept == name.replace("\udce9", r"\xe9")


def test_bringing_back_puts_a_failed_file_where_it_was(archive: Archive, filing: Filing, failed_job: Callable[..., Job]) -> None:
    """The file is in its subfolder again, its notice is gone; a name that is taken by now is left alone."""
    job = failed_job("travel/lunch.jpg", b"first")
    filing.file_other(job)
    (filing.intake.inbox_dir / "travel/lunch.jpg").write_bytes(b"second")
    back = filing.put_back(job)
    assert (filing.intake.inbox_dir / back).read_bytes() == b"first"
    assert (filing.intake.inbox_dir / "travel/lunch.jpg").read_bytes() == b"second"
    assert visible(filing.outbox.root) == []


def test_bringing_back_goes_on_where_it_was_cut_short(filing: Filing, failed_job: Callable[..., Job]) -> None:
    """A file that has come under its hidden name only is found there by the next try."""
    job = failed_job("lunch.jpg", b"half")
    filing.file_other(job)
    (filing.outbox.root / "failed/lunch.jpg").rename(filing.intake.inbox_dir / f".receipts-{job.receipt_id}")
    assert filing.has_file(job)
    assert filing.put_back(job) == Path("lunch.jpg")
    assert visible(filing.intake.inbox_dir) == ["lunch.jpg"]


def test_copies_of_closed_jobs_are_tidied(archive: Archive, filing: Filing, leased_job: Callable[..., Job]) -> None:
    """What a crash has left is removed at the next start; what is still needed stays."""
    first, second = leased_job("a.jpg"), leased_job("b.jpg")
    filing.claim_copy(first)
    filing.claim_copy(second)
    filing.tidy({second.receipt_id}, archive.job_queue.job, archive.job_queue.with_bytes)
    assert visible(filing.outbox.root) == [f".work/{second.receipt_id}/b.jpg"]


def test_hidden_files_of_closed_jobs_are_removed_if_their_bytes_are_filed_and_else_shown(
    archive: Archive, filing: Filing, failed_job: Callable[..., Job]
) -> None:
    """Nothing stays hidden in the inbox after the next start, and nothing that lies nowhere else is removed."""
    filed, lost = failed_job("filed.jpg", b"filed"), failed_job("lost.jpg", b"lost")
    for job in (filed, lost):
        filing.file_other(job)
        archive.job_queue.filed(job)
    (filing.outbox.root / "failed/lost.jpg").unlink()
    (filing.intake.inbox_dir / f".receipts-{filed.receipt_id}").write_bytes(b"filed")
    (filing.intake.inbox_dir / f".receipts-{lost.receipt_id}").write_bytes(b"lost")
    (filing.intake.inbox_dir / f".receipts-{'0' * 26}").write_bytes(b"of another database")
    (filing.intake.inbox_dir / f"..receipts-{lost.receipt_id}.tmp").write_bytes(b"lo")
    filing.tidy((), archive.job_queue.job, archive.job_queue.with_bytes)
    assert visible(filing.intake.inbox_dir) == ["lost.jpg", f"returned-{'0' * 26}"]
    assert (filing.intake.inbox_dir / "lost.jpg").read_bytes() == b"lost"


def test_moving_to_another_volume_copies_and_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system cannot rename across volumes, the file arrives whole before the source goes."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"bytes" * 1000)
    sha256, rename, link = digest(source), os.rename, os.link

    def across(self: Path, other: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(self, other)
        return other

    def cannot_link(old: Path, new: Path, **options: bool) -> None:
        if old == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(old, new, **options)

    monkeypatch.setattr(Path, "rename", across)
    monkeypatch.setattr(os, "link", cannot_link)
    move(source, target)
    assert not source.exists()
    assert digest(target) == sha256
    assert visible(tmp_path) == ["target"]


@pytest.mark.parametrize("is_other_volume", [False, True])
def test_moving_overwrites_nothing_that_comes_at_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_other_volume: bool
) -> None:
    """A file that takes the target's name between the check and the move stays, and the source too."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"ours")
    link, rename = os.link, Path.rename

    def late_link(old: Path, new: Path, **options: bool) -> None:
        if is_other_volume and old == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        target.write_bytes(b"somebody else's")
        link(old, new, **options)

    def late_rename(old: Path, new: Path) -> Path:
        if is_other_volume and old == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        target.write_bytes(b"somebody else's")
        return rename(old, new)

    monkeypatch.setattr(os, "link", late_link)
    monkeypatch.setattr(Path, "rename", late_rename)
    with pytest.raises(FileExistsError):
        move(source, target)
    assert (source.read_bytes(), target.read_bytes()) == (b"ours", b"somebody else's")


PLAUSIBLE = Check(name="date_plausible", passed=True)
IMPLAUSIBLE = Check(name="date_plausible", passed=False)
DATE_REASON = ReviewReason(field="transaction_date", kind="unconfirmed", message="Check it.")
TOTAL_REASON = ReviewReason(field="total", kind="unconfirmed", message="Check it.")


@pytest.mark.parametrize(
    ("values", "folder"),
    [
        ({"checks": (PLAUSIBLE,)}, "1981/03"),
        ({"checks": (PLAUSIBLE,), "review_reasons": (TOTAL_REASON,)}, "1981/03"),
        ({"checks": (IMPLAUSIBLE,)}, "2026/05"),
        ({"review_reasons": (DATE_REASON,)}, "2026/05"),
        ({"transaction_date": None}, "2026/05"),
    ],
)
def test_a_doubtful_date_does_not_choose_the_folder(
    archive: Archive, leased_job: Callable[..., Job], values: dict[str, Any], folder: str
) -> None:
    """The month of the arrival is used for a date that is missing, implausible or to be checked by a person."""
    job = leased_job("lunch.jpg")
    known = {"transaction_date": date(1981, 3, 8), "received_at": datetime(2026, 5, 1, tzinfo=UTC)}
    place = archive.outbox.layout.for_records(job, [make_record(**known | values)])
    assert place.rpartition("/")[0] == folder


def test_a_full_disk_is_a_storage_error_and_nothing_is_lost(
    filing: Filing, stored_job: Callable[..., tuple[Job, Record]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC at any fsync leaves the file in the inbox; when there is space again, filing succeeds."""
    job, record = stored_job("lunch.jpg", b"bytes")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="Free some space"):
            filing.file_records(job, [record])
    assert (filing.intake.inbox_dir / "lunch.jpg").read_bytes() == b"bytes"
    filing.file_records(job, [record])
    assert visible(filing.intake.inbox_dir) == []


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the last step the old content is there."""
    path = tmp_path / "record.json"
    write_whole(path, b"old")

    def crash(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(KeyboardInterrupt):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert (path.read_bytes(), visible(tmp_path)) == (b"new", ["record.json"])


def test_a_copy_has_the_hash_of_what_was_copied(tmp_path: Path) -> None:
    """Hash and bytes are of one reading."""
    (tmp_path / "a").write_bytes(os.urandom(3_000_000))
    assert copy_hashed(tmp_path / "a", tmp_path / "b") == digest(tmp_path / "a") == digest(tmp_path / "b")


def test_a_failed_file_that_was_replaced_is_not_moved(filing: Filing, failed_job: Callable[..., Job]) -> None:
    """The new file under its name is not put aside for the old one's fault; nothing is said about a file that is gone."""
    job = failed_job("lunch.jpg", b"half")
    (filing.intake.inbox_dir / "lunch.jpg").write_bytes(b"whole")
    assert not filing.file_other(job)
    assert visible(filing.intake.inbox_dir) == ["lunch.jpg"]
    (filing.intake.inbox_dir / "lunch.jpg").unlink()
    assert not filing.file_other(job)
    assert visible(filing.outbox.root) == []


def test_a_file_with_both_names_after_a_crash_is_moved_once(filing: Filing, failed_job: Callable[..., Job]) -> None:
    """A file that had its hidden name and its own one when the power went leaves the inbox under both."""
    job = failed_job("lunch.jpg", b"half")
    os.link(filing.intake.inbox_dir / "lunch.jpg", filing.intake.inbox_dir / f".receipts-{job.receipt_id}")
    assert filing.file_other(job)
    assert visible(filing.intake.inbox_dir) == []
    assert visible(filing.outbox.root) == ["failed/lunch.jpg", "failed/lunch.jpg.error.json"]


def test_a_move_that_was_cut_short_between_volumes_is_finished(filing: Filing, failed_job: Callable[..., Job]) -> None:
    """The file lies in both places after the crash; then only in the outbox."""
    job = failed_job("lunch.jpg", b"half")
    aside = filing.intake.inbox_dir / f".receipts-{job.receipt_id}"
    (filing.intake.inbox_dir / "lunch.jpg").rename(aside)
    (filing.outbox.root / "failed").mkdir()
    (filing.outbox.root / "failed/lunch.jpg").write_bytes(b"half")
    assert filing.file_other(job)
    assert visible(filing.intake.inbox_dir) == []
    assert visible(filing.outbox.root) == ["failed/lunch.jpg", "failed/lunch.jpg.error.json"]


def test_a_stored_receipt_whose_file_is_gone_says_what_to_do(filing: Filing, stored_job: Callable[..., tuple[Job, Record]]) -> None:
    """Nothing is invented; dropping the same file again completes it."""
    job, record = stored_job("lunch.jpg", b"bytes")
    (filing.intake.inbox_dir / "lunch.jpg").unlink()
    with pytest.raises(StorageError, match="put the same file in the inbox"):
        filing.file_records(job, [record])
    (filing.intake.inbox_dir / "lunch.jpg").write_bytes(b"bytes")
    filing.file_records(job, [record])
    assert (filing.outbox.root / (job.filed_as or "")).read_bytes() == b"bytes"
