"""A receipt is dropped and a record comes out: the whole way, by the installed command, with the reader that ships."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from extractor.schemas.record import Record, RecordStatus
from tests.acceptance.conftest import Installation, wait_until
from training.samples import Sample

SQL_PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, samples: dict[str, Path]) -> Installation:
    """An installation that has worked off the demonstration set. Tests only look at it."""
    installation = Installation(tmp_path_factory.mktemp("worked"))
    installation.run("init")
    installation.run("add", *(str(path) for name, path in samples.items() if name != "us-diner.jpg"))
    (installation.inbox / "travel").mkdir()
    shutil.copy(samples["us-diner.jpg"], installation.inbox / "travel")
    done = installation.run("watch", "--once", RECEIPTS_READER__MAX_RUNGS="1")
    (installation.folder / "watch.log").write_text(done.stderr)
    return installation


def test_a_dropped_file_becomes_a_record(installation: Installation, samples: dict[str, Path]) -> None:
    """The service takes a file that is dropped while it runs, files JSON and original, and stops cleanly when told to."""
    receipt = samples["us-diner.jpg"]
    with installation.running("watch") as service:
        shutil.copy(receipt, installation.inbox)
        wait_until(lambda: installation.records() and not list(installation.inbox.iterdir()), service)
        service.send_signal(signal.SIGINT)
        assert service.wait(timeout=60) == 0

    record = Record.model_validate(installation.records()[0])
    filed = [path for path in installation.outbox.rglob("us-diner*") if path.suffix == ".jpg"]
    assert record.original_filename == "us-diner.jpg"
    assert [path.read_bytes() for path in filed] == [receipt.read_bytes()]
    assert record.source_sha256 == hashlib.sha256(receipt.read_bytes()).hexdigest()
    assert filed[0].with_suffix(".json").is_file()


def test_what_lay_there_before_the_start_is_taken(installation: Installation, samples: dict[str, Path]) -> None:
    """Files that are dropped while nothing runs, also into subfolders, wait for the next start; polling finds them too."""
    shutil.copy(next(path for path in samples.values() if path.suffix == ".png"), installation.inbox)

    with installation.running("watch", "--poll", RECEIPTS_INBOX__POLL_SECONDS="0.2") as service:
        wait_until(installation.records, service)
        (installation.inbox / "travel" / "rome").mkdir(parents=True)
        shutil.copy(samples["us-diner.jpg"], installation.inbox / "travel" / "rome")
        wait_until(lambda: len(installation.records()) == 2, service)
        service.terminate()
        assert service.wait(timeout=60) == 0

    assert {tuple(record["tags"]) for record in installation.records()} == {(), ("travel", "rome")}


def test_a_service_is_watched_and_told(installation: Installation) -> None:
    """`status` finds the service (0) and misses it (1); SIGHUP takes changed settings over and refuses bad ones; SIGTERM ends it."""
    settings, log = installation.folder / "receipts.toml", installation.folder / "stderr.log"
    assert json.loads(installation.run("status", "--format", "json", code=1).stdout)["process"] is None
    with installation.running("watch", RECEIPTS_METRICS__PORT="0") as service:
        wait_until(lambda: "metrics_served" in log.read_text(), service)
        assert json.loads(installation.run("status", "--format", "json").stdout)["process"] == str(service.pid)
        [port] = re.findall(r"metrics_served .*port=(\d+)", log.read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as answer:
            assert json.load(answer)["pid"] == service.pid
        settings.write_text("[work]\nbatch_size = 1\n")
        service.send_signal(signal.SIGHUP)
        wait_until(lambda: 'settings_changed settings="work"' in log.read_text(), service)
        settings.write_text("[wrok]\nbatch_size = 1\n")
        service.send_signal(signal.SIGHUP)
        wait_until(lambda: "settings_refused" in log.read_text(), service)
        assert service.poll() is None
        service.terminate()
        assert service.wait(timeout=60) == 0
    settings.unlink()
    assert "not running" in installation.run("status", code=1).stdout


def test_the_status_can_be_followed(installation: Installation) -> None:
    """A line each time, at once also into a pipe, until Ctrl-C; the exit code is that of the last look."""
    with installation.running("status", "--watch", "--format", "json") as process:
        lines = installation.folder / "stderr.log"
        wait_until(lambda: len(lines.read_text().splitlines()) > 1, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 1
    assert {json.loads(line)["process"] for line in lines.read_text().splitlines()} == {None}


def test_a_second_service_is_refused(installation: Installation) -> None:
    """Two services never work on one database; the second says which process is in its way (2)."""
    with installation.running("watch") as service:
        lock = installation.folder / "receipts.db.lock"
        wait_until(lambda: lock.exists() and lock.read_text() == str(service.pid), service)

        assert str(service.pid) in installation.run("watch", "--once", code=2).stderr


def test_the_log_repeats_no_receipt(worked: Installation) -> None:
    """What was read from the receipts is in the outbox, and none of it in what the service has logged at INFO."""
    logged = (worked.folder / "watch.log").read_text()
    records = worked.records()
    said = {
        str(record[name]) for record in records for name in ("merchant_name", "merchant_address", "total", "receipt_number") if record[name]
    }
    said |= {item["description"] for record in records for item in record["items"] if item["description"]}
    said |= {line for record in records for line in (record["ocr_text"] or "").splitlines()}
    assert "receipt_stored" in logged
    assert len(said) > 50
    assert [text for text in said if len(text) > 4 and text in logged] == []


def test_every_file_ends_in_one_place(worked: Installation, samples: dict[str, Path]) -> None:
    """Receipts, the duplicate and the broken file are all filed, and their bytes are what was dropped."""
    failed = [path.name for path in (worked.outbox / "failed").iterdir()]
    duplicates = [path.name for path in (worked.outbox / "duplicates").iterdir() if path.suffix == ".jpg"]
    kept = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in worked.outbox.rglob("*") if path.suffix not in {"", ".json"})

    assert [path for path in worked.inbox.rglob("*") if path.is_file()] == []
    assert sorted(failed) == ["corrupt-truncated.jpg", "corrupt-truncated.jpg.error.json"]
    assert len(duplicates) == 1
    assert len(worked.records()) == len(samples) - 2
    assert kept == sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in samples.values())


def test_the_reason_of_a_failure_stands_beside_it(worked: Installation) -> None:
    """The error file names the file, the fact and the way out."""
    error = json.loads((worked.outbox / "failed" / "corrupt-truncated.jpg.error.json").read_text())

    assert error["file"] == "corrupt-truncated.jpg"
    assert "receipts retry" in error["what_to_do"]
    assert "cut off" in error["why"]


def test_the_run_says_what_it_has_done(worked: Installation, samples: dict[str, Path]) -> None:
    """`watch --once` ends with how many were filed, how many failed, and how many are exact duplicates."""
    last = (worked.folder / "watch.log").read_text().splitlines()[-1]

    assert last.startswith(f"{len(samples) - 2} filed in ")
    assert "1 failed" in last
    assert "1 exact duplicate," in last


def test_accepted_means_right(worked: Installation, sample_files: Sequence[Sample]) -> None:
    """Whatever the reader accepts of the demonstration set is what was printed; at least one receipt is accepted."""
    truth = {sample.name: sample.truth for sample in sample_files if sample.truth}
    accepted = [record for record in map(Record.model_validate, worked.records()) if record.status is RecordStatus.ACCEPTED]

    assert accepted
    for record in accepted:
        printed = truth[record.original_filename]
        assert (str(record.total), str(record.transaction_date), record.currency_code) == (
            printed["total"],
            printed["date"],
            printed["currency"],
        )


def test_what_is_no_receipt_is_kept_for_review(worked: Installation) -> None:
    """A landscape becomes a record that says so and invents nothing."""
    landscape = next(record for record in worked.records() if record["original_filename"] == "not-a-receipt-landscape.jpg")

    assert landscape["status"] == "needs_review"
    assert landscape["review_reasons"]
    assert (landscape["merchant_name"], landscape["total"], landscape["transaction_date"]) == (None, None, None)


def test_the_list_shows_records_and_files_without_one(worked: Installation, samples: dict[str, Path]) -> None:
    """One table tells what there is, the next what to check, the last what failed and why; ids are those of file names."""
    shown = worked.run("list", "--why").stdout
    machine = [json.loads(line) for line in worked.run("list", "--format", "jsonl").stdout.splitlines()]
    files = json.loads(worked.run("list", "--files", "--format", "json").stdout)

    assert [record["receipt_id"] for record in machine if record["receipt_id"][-8:] not in shown] == []
    assert "what to check" in shown
    assert "corrupt-truncated.jpg is cut off" in shown
    assert len(machine) == len(samples) - 2
    assert sorted(file["state"] for file in files) == ["done"] * (len(samples) - 2) + ["duplicate", "failed"]


def test_records_are_chosen_by_state_tag_and_day(worked: Installation) -> None:
    """Each option of `list` leaves out what does not meet it."""

    def names(*options: str) -> list[str]:
        return [json.loads(line)["original_filename"] for line in worked.run("list", "--format", "jsonl", *options).stdout.splitlines()]

    assert set(names("--status", "needs_review")) | set(names("--status", "accepted")) == set(names())
    assert names("--tag", "travel") in (["us-diner.jpg"], ["us-diner-duplicate.jpg"])
    assert names("--until", "1999-12-31") == []
    assert len(names("--limit", "2")) == 2


def test_show_and_search_find_a_record(worked: Installation) -> None:
    """A word on the receipt leads to its id, and the id or its end to everything about it."""
    record = next(record for record in worked.records() if record["total"] and record["ocr_text"])
    word = max(re.findall(r"(?<!\w)[A-Za-z]{5,}(?!\w)", record["ocr_text"]), key=len)

    found = [json.loads(line)["receipt_id"] for line in worked.run("search", word, "--format", "jsonl").stdout.splitlines()]
    page = worked.run("show", record["receipt_id"][-8:]).stdout

    assert record["receipt_id"] in found
    assert record["total"] in page
    assert json.loads(worked.run("show", record["receipt_id"], "--format", "jsonl").stdout) == record


def test_export_writes_records_and_items(worked: Installation) -> None:
    """CSV has a row a record, or a row an item; JSON has everything."""
    rows = list(csv.DictReader(io.StringIO(worked.run("export").stdout)))
    items = list(csv.DictReader(io.StringIO(worked.run("export", "--items").stdout)))
    objects = json.loads(worked.run("export", "--format", "json").stdout)

    assert {row["receipt_id"]: row["total"] for row in rows} == {each["receipt_id"]: each["total"] or "" for each in objects}
    assert len(items) == sum(len(each["items"]) for each in objects)


def test_the_manual_s_queries_run(worked: Installation) -> None:
    """Every SQL example of the manual runs on the database as it is, and the first finds something."""
    queries = re.findall(r"```sql\n(.+?);?\n```", SQL_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with closing(sqlite3.connect(worked.folder / "receipts.db")) as connection:
        results = [connection.execute(query).fetchall() for query in queries]
        whole = connection.execute("PRAGMA integrity_check").fetchone()

    assert len(queries) >= 4
    assert results[0]
    assert whole == ("ok",)


def test_a_failed_file_can_be_tried_again(installation: Installation, samples: dict[str, Path]) -> None:
    """`retry` brings it back to the inbox, from where it is read again."""
    installation.run("add", str(samples["corrupt-truncated.jpg"]))
    installation.run("watch", "--once")
    failed = installation.outbox / "failed" / "corrupt-truncated.jpg"
    assert failed.is_file()

    assert "corrupt-truncated.jpg" in installation.run("retry").stdout
    assert not failed.exists()
    installation.run("watch", "--once")

    assert failed.read_bytes() == samples["corrupt-truncated.jpg"].read_bytes()


def test_read_prints_records_and_stores_nothing(installation: Installation, samples: dict[str, Path]) -> None:
    """One record a line with the path as it was given; a file that fails is told of (3) and harms no other."""
    a_pdf = next(path for path in samples.values() if path.suffix == ".pdf")
    before = sorted(path.name for path in installation.folder.rglob("*"))
    first, second = os.path.relpath(samples["us-diner.jpg"], installation.folder), str(a_pdf)

    done = installation.run("read", first, "nowhere.jpg", str(samples["corrupt-truncated.jpg"]), second, "--format", "jsonl", code=3)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.pop("image") for line in lines] == [first, second]
    assert [Record.model_validate(line).original_filename for line in lines] == ["us-diner.jpg", a_pdf.name]
    errors = done.stderr.splitlines()
    assert len(errors) == 2
    assert "nowhere.jpg" in errors[0]
    assert "corrupt-truncated.jpg" in errors[1]
    assert sorted(path.name for path in installation.folder.rglob("*")) == before


def test_read_prints_a_table(installation: Installation, samples: dict[str, Path]) -> None:
    """The path as it was given is also in what people read."""
    path = samples["us-diner.jpg"]

    assert str(path) in installation.run("read", str(path), "--format", "table").stdout


def test_eval_measures_against_labels(installation: Installation, samples: dict[str, Path], sample_files: Sequence[Sample]) -> None:
    """Labels and pictures become counts; what is wrong is listed with its likely reason and shown in its picture."""
    truth = next(sample.truth for sample in sample_files if sample.truth and sample.name == "us-diner.jpg")
    labels = installation.folder / "truth.jsonl"
    labels.write_text(json.dumps(truth) + "\n" + json.dumps(truth | {"total": "987.65"}) + "\n")
    folder, sheet = str(samples["us-diner.jpg"].parent), installation.folder / "misses.html"

    counts = json.loads(installation.run("eval", "truth.jsonl", folder, "--json").stdout)
    shown = installation.run("eval", "truth.jsonl", folder, "--misses", "--sheet", str(sheet)).stdout

    assert (counts["receipts"], counts["fields"]["total"]) == (2, {"right": 1, "of": 2})
    assert "total is '987.65'" in shown
    assert "987.65" in sheet.read_text()


def test_a_backup_is_verified_and_restored(worked: Installation, tmp_path: Path) -> None:
    """What was worked off fits together; after a restoration on an empty machine it does so there; a lost file is told of (1)."""
    assert worked.run("verify").stdout == ""
    worked.run("backup", str(tmp_path / "all.tar"), "--with-files")

    other = Installation(tmp_path)
    assert "receipts verify" in other.run("restore", "all.tar").stderr

    assert other.run("verify", "--format", "json").stdout == "[]\n"
    assert other.records() == worked.records()
    gone = next(path for path in other.outbox.glob("20*/*/*.jpg"))
    gone.unlink()
    (other.outbox / "note.txt").write_text("?")
    lines = other.run("verify", code=1).stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"missing    {gone}", f"unknown    {other.outbox / 'note.txt'}"]
    rows = list(csv.DictReader(io.StringIO(other.run("verify", "--format", "csv", code=1).stdout)))
    assert [(row["what"], row["path"]) for row in rows] == [("missing", str(gone)), ("unknown", str(other.outbox / "note.txt"))]
