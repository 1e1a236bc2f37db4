"""The command line in this process: help, and what is refused. That the installed command answers so is tested in `tests/acceptance`."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

from extractor.cli.main import app, main
from extractor.schemas.record import Record

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
