"""The command line in this process: help, and what is refused. That the installed command answers so is tested in `tests/acceptance`."""

import csv
import hashlib
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import typer.main

from extractor.cli.main import app, main
from extractor.config.settings import load_settings
from extractor.errors import InputError
from extractor.jobs import Arrival, Source
from extractor.schemas.receipt import Payment, TaxLine
from extractor.schemas.record import Record
from extractor.storage.archive import Archive, open_archive
from extractor.testing import make_record

COMMANDS = tuple(typer.main.get_group(app).commands)


@dataclass(frozen=True)
class Said:
    """How the command ended, and what it printed."""

    code: object
    stdout: str
    stderr: str


@pytest.fixture
def receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """Runs the command in an empty folder, as a shell does: `receipts("list", "--limit", "3")`."""
    loggers = (logging.getLogger(), logging.getLogger("extractor"))
    handlers, levels = list(loggers[0].handlers), [logger.level for logger in loggers]
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("RECEIPTS_"):
            monkeypatch.delenv(name)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["receipts", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Said(ended.value.code, printed.out, printed.err)

    yield run
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path: Path, receipts: Callable[..., Said], command: str) -> None:
    """`receipts COMMAND --help` begins with its usage and needs no settings, folders or database."""
    (tmp_path / "receipts.toml").write_text("this is = not a settings file\n[[[")

    said = receipts(command, "--help")

    assert said.code == 0
    assert f"receipts {command} [OPTIONS]" in said.stdout.strip().splitlines()[0]


@pytest.mark.parametrize("command", [("list",), ("show", "x"), ("search", "x"), ("export",), ("backup", "x"), ("verify",)])
def test_looking_makes_no_database(tmp_path: Path, receipts: Callable[..., Said], command: tuple[str, ...]) -> None:
    """In the wrong folder, a command says so (2) and leaves nothing behind."""
    said = receipts(*command)

    assert (said.code, said.stdout) == (2, "")
    assert "receipts init" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "words"),
    [
        (("list", "--limt", "3"), {}, 2, "--limit"),
        (("frobnicate",), {}, 2, "frobnicate"),
        (("list",), {"RECEIPTS_WORK__BATCHSIZE": "3"}, 2, "RECEIPTS_WORK__BATCH_SIZE"),
        (("watch", "--once", "--reader", "oracle"), {}, 2, "oracle"),
        (("--config", "nowhere.toml", "list"), {}, 2, "nowhere.toml"),
        (("read", "nothing.jpg"), {}, 3, "nothing.jpg"),
        (("add", "nothing.jpg"), {}, 3, "nothing.jpg"),
        (("retry", "nothing.jpg"), {}, 3, "nothing.jpg"),
        (("eval", "nowhere.jsonl", "."), {}, 3, "nowhere.jsonl"),
        (("show", "01JD0000000000000000000000"), {}, 3, "receipts list"),
        (("show", "JD00"), {}, 3, "at least 6 characters"),
        (("list", "--since", "2023-13"), {}, 2, "'2023-13' is not a date. Write a day, month or year as in 2023-10-31, 2023-10 or 2023."),
        (("list", "--until", "last week"), {}, 2, "'last week' is not a date."),
        (("export", "--bom", "--format", "json"), {}, 2, "--bom"),
        (("export", "--items", "--format", "json"), {}, 2, "--items"),
    ],
)
def test_exit_codes(
    receipts: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    environ: dict[str, str],
    code: int,
    words: str,
) -> None:
    """Each kind of error has its documented code, its words on stderr, and leaves stdout to data."""
    assert receipts("init").code == 0
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    said = receipts(*arguments)

    assert said.code == code
    assert words in said.stderr
    assert "Traceback" not in said.stderr
    assert said.stdout.strip() in {"", "[]"}


def test_init_makes_what_is_missing_and_changes_nothing_else(tmp_path: Path, receipts: Callable[..., Said]) -> None:
    """It may be run again at any time."""
    receipts("init")
    (tmp_path / "receipts.toml").write_text("[work]\nbatch_size = 2\n")

    assert receipts("init").code == 0

    assert (tmp_path / "receipts.toml").read_text() == "[work]\nbatch_size = 2\n"
    assert {path.name for path in tmp_path.iterdir()} >= {"receipts.toml", "inbox", "outbox", "receipts.db"}


def test_init_makes_the_settings_file_that_is_named(tmp_path: Path, receipts: Callable[..., Said]) -> None:
    """`--config` decides where everything lies."""
    receipts("--config", "etc/my.toml", "init")

    assert {path.name for path in (tmp_path / "etc").iterdir()} >= {"my.toml", "inbox", "outbox", "receipts.db"}


def test_debug_shows_the_traceback(receipts: Callable[..., Said]) -> None:
    """Whoever wants to know more can."""
    assert "Traceback" in receipts("--debug", "list").stderr


def test_schema_describes_the_record(receipts: Callable[..., Said]) -> None:
    """What `receipts schema` prints is the JSON Schema of every field of a record."""
    schema = json.loads(receipts("schema").stdout)

    assert set(schema["properties"]) == set(Record.model_fields)


def _file(archive: Archive, name: str, **values: object) -> Record:
    """A record in the database whose file is filed as `2026/03/NAME`."""
    job = archive.job_queue.enqueue(Arrival(Path(name), 1, hashlib.sha256(name.encode()).hexdigest()))
    assert job is not None
    source = Source(Path(name), name, job.sha256 or "", job.receipt_id, job.received_at, ("travel", "rome"))
    record = make_record(source, **values)
    with archive.database.write() as connection:
        archive.receipts.save(connection, record)
    return record


def test_a_short_id_shows_a_record(tmp_path: Path, receipts: Callable[..., Said]) -> None:
    """The id that `list` shows, and that file names have, leads to the record; the whole one stays in JSON."""
    receipts("init")
    with closing(open_archive(load_settings(tmp_path / "receipts.toml"))) as archive:
        record = _file(archive, "lunch.jpg", merchant_name="Zum Löwen")
    [row] = [line for line in receipts("list").stdout.splitlines() if "lunch.jpg" in line]

    page = receipts("show", row.split()[0].lower())
    [listed] = json.loads(receipts("list", "--format", "json").stdout)

    assert len(row.split()[0]) == 8
    assert "Zum Löwen" in page.stdout
    assert listed["receipt_id"] == record.receipt_id


def test_retry_names_what_it_does_not_find(tmp_path: Path, receipts: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    """Known files are queued again although another name is unknown; the code (3) and a line say so. A short id is a name, too."""
    monkeypatch.setenv("RECEIPTS_INBOX__SETTLE_SECONDS", "0")
    receipts("init")
    with closing(open_archive(load_settings(tmp_path / "receipts.toml"))) as archive:
        (tmp_path / "inbox" / "bad.jpg").write_bytes(b"x")
        job = archive.job_queue.reject(Arrival(Path("bad.jpg"), 1, hashlib.sha256(b"x").hexdigest()), InputError("bad.jpg is damaged."))
    assert job is not None
    receipts("watch", "--once")

    said = receipts("retry", job.receipt_id[-8:], "nothere")
    again = receipts("retry", job.receipt_id[-8:])

    assert (said.code, said.stdout) == (3, f"{job.receipt_id} bad.jpg\n")
    assert "no failed file is called nothere" in said.stderr
    assert again.code == 3


def test_files_list_shows_what_lies_in_the_inbox(tmp_path: Path, receipts: Callable[..., Said]) -> None:
    """A file that no service has taken yet is on the list of files in every format, before those in the database."""
    receipts("init")
    (tmp_path / "inbox" / "notes.docx").write_bytes(b"x")

    [file] = json.loads(receipts("list", "--files", "--format", "json").stdout)

    assert (file["name"], file["state"], file["receipt_id"]) == ("notes.docx", "untaken", None)
    assert "notes.docx" in receipts("list", "--files").stdout
    assert "notes.docx" in receipts("list", "--files", "--format", "csv").stdout


def test_csv_has_tags_place_taxes_and_payments(tmp_path: Path, receipts: Callable[..., Said]) -> None:
    """A spreadsheet gets all that a bookkeeper needs, in columns with stable names, also where there is no record yet."""
    receipts("init")
    empty = next(csv.reader(io.StringIO(receipts("export").stdout)))
    taxes = (TaxLine(code="A", rate=Decimal(19), net_amount=Decimal("2.18"), amount=Decimal("0.41")), TaxLine(amount=Decimal("0.14")))
    payments = (Payment(method="Visa", card_last4="4242", amount=Decimal("2.73")), Payment(method="cash"))
    with closing(open_archive(load_settings(tmp_path / "receipts.toml"))) as archive:
        _file(archive, "lunch.jpg", tax_lines=taxes, payments=payments)

    [row] = csv.DictReader(io.StringIO(receipts("export").stdout))

    assert list(row) == empty
    assert row["tags"] == "travel; rome"
    assert row["tax_lines"] == "A 19% net 2.18 tax 0.41; tax 0.14"
    assert row["payments"] == "Visa 4242 2.73; cash"
    assert "filed_as" in row


@pytest.mark.parametrize(("options", "has_mark"), [((), False), (("--bom",), True), (("--items", "--bom"), True)])
def test_csv_begins_with_a_mark_for_excel_if_asked(receipts: Callable[..., Said], options: tuple[str, ...], has_mark: bool) -> None:
    """Without `--bom` a program that reads a pipe gets none."""
    receipts("init")
    assert receipts("export", *options).stdout.startswith("\ufeff") == has_mark


def test_a_file_of_csv_begins_with_the_mark(tmp_path: Path, receipts: Callable[..., Said]) -> None:
    """`receipts export > receipts.csv` opens in Excel with its umlauts; `--no-bom` leaves the mark out."""
    receipts("init")
    for options, start in (([], b"\xef\xbb\xbffiled_as,"), (["--no-bom"], b"filed_as,")):
        with (tmp_path / "receipts.csv").open("wb") as file:
            subprocess.run([sys.executable, "-m", "extractor", "export", *options], cwd=tmp_path, stdout=file, check=True, timeout=60)
        assert (tmp_path / "receipts.csv").read_bytes().startswith(start)


def test_help_shows_no_types_and_cuts_no_summary(receipts: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    """`--help` reads like that of other programs in a terminal of 80 characters."""
    monkeypatch.setenv("COLUMNS", "80")
    texts = [receipts("--help").stdout, receipts("service", "--help").stdout, *(receipts(name, "--help").stdout for name in COMMANDS)]
    for text in texts:
        assert not re.search(
            r"<(list|path|str|%)|\{|\.\.\.\n", text.replace("[ARGS]...\n", "").replace("FILE...\n", "").replace("[ID]...\n", "")
        )
        assert max(map(len, text.splitlines())) <= 80
