"""The command as a shell sees it: help, exit codes, and what goes to stdout and what to stderr."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.record import Record
from tests.acceptance.conftest import Installation

COMMANDS = (
    "init",
    "watch",
    "add",
    "read",
    "list",
    "show",
    "search",
    "export",
    "retry",
    "backup",
    "restore",
    "verify",
    "doctor",
    "schema",
    "eval",
)
HEAVY = (
    "sqlalchemy",
    "alembic",
    "numpy",
    "PIL",
    "pydantic",
    "rich",
    "watchdog",
    "faster_paddle",
    "onnxruntime",
    "torch",
    "pypdfium2",
    "babel",
)


def test_help_names_every_command(tmp_path: Path) -> None:
    """A newcomer sees what there is."""
    shown = Installation(tmp_path).run("--help").stdout

    assert [name for name in COMMANDS if f"  {name} " not in shown] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    """`receipts COMMAND --help` begins with its usage and needs no settings, folders or database."""
    (tmp_path / "receipts.toml").write_text("this is = not a settings file\n[[[")

    assert Installation(tmp_path).run(command, "--help").stdout.lstrip().startswith(f"Usage: receipts {command}")


def test_help_imports_nothing_heavy() -> None:
    """`receipts --help` answers at once, because no library that only work needs is loaded for it."""
    code = "import sys, extractor, extractor.cli.main; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert [name for name in HEAVY if name in loaded] == []


def test_version_is_printed(tmp_path: Path) -> None:
    """Whoever reports an error can say which version it was."""
    assert Installation(tmp_path).run("--version").stdout.startswith("receipts 0.")


def test_init_makes_what_is_missing_and_changes_nothing_else(tmp_path: Path) -> None:
    """It may be run again at any time."""
    installation = Installation(tmp_path)
    installation.run("init")
    (tmp_path / "receipts.toml").write_text("[work]\nbatch_size = 2\n")

    installation.run("init")

    assert (tmp_path / "receipts.toml").read_text() == "[work]\nbatch_size = 2\n"
    assert {path.name for path in tmp_path.iterdir()} >= {"receipts.toml", "inbox", "outbox", "receipts.db"}


def test_init_makes_the_settings_file_that_is_named(tmp_path: Path) -> None:
    """`--config` decides where everything lies."""
    Installation(tmp_path).run("--config", "etc/my.toml", "init")

    assert {path.name for path in (tmp_path / "etc").iterdir()} >= {"my.toml", "inbox", "outbox", "receipts.db"}


@pytest.mark.parametrize("command", [("list",), ("show", "x"), ("search", "x"), ("export",), ("backup", "x"), ("verify",)])
def test_looking_makes_no_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    """In the wrong folder, a command says so (2) and leaves nothing behind."""
    done = Installation(tmp_path).run(*command, code=2)

    assert "receipts init" in done.stderr
    assert done.stdout == ""
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
        (("show", "01JD0000000000000000000000"), {}, 3, "receipts list"),
        (("export", "--items", "--format", "json"), {}, 2, "--items"),
    ],
)
def test_exit_codes(installation: Installation, arguments: tuple[str, ...], environ: dict[str, str], code: int, words: str) -> None:
    """Each kind of error has its documented code, its words on stderr, and leaves stdout to data."""
    done = installation.run(*arguments, code=code, **environ)

    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() in {"", "[]"}


def test_a_read_only_inbox_is_a_storage_error(installation: Installation, samples: dict[str, Path]) -> None:
    """What the system refuses has code 5 and names the place."""
    installation.inbox.rmdir()
    installation.inbox.write_text("not a folder")

    assert "inbox" in installation.run("add", str(samples["us-diner.jpg"]), code=5).stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """Whoever wants to know more can."""
    assert "Traceback" in Installation(tmp_path).run("--debug", "list", code=2).stderr


def test_doctor_finds_a_fresh_installation_sound(installation: Installation) -> None:
    """Nothing fails, the engine reads what is drawn for it, and no probe is left behind."""
    findings = json.loads(installation.run("doctor", "--format", "json").stdout)

    assert {finding["name"] for finding in findings} >= {"sqlite", "inbox", "outbox", "database", "events", "ocr", "weights", "gpu"}
    assert [finding for finding in findings if finding["level"] == "fail"] == []
    assert ([*installation.inbox.iterdir()], [path.name for path in installation.outbox.iterdir()]) == ([], [".work"])


def test_doctor_says_what_to_do(installation: Installation) -> None:
    """A missing folder and a broken database fail (1), each with advice on its line."""
    installation.outbox.rename(installation.outbox.with_name("away"))
    (installation.folder / "receipts.db").write_bytes(b"this is no database" * 100)

    lines = installation.run("doctor", code=1).stdout.splitlines()

    failed = [line for line in lines if line.startswith("fail")]
    assert any("outbox" in line and "receipts init" in line for line in failed)
    assert any("database" in line and "backup" in line for line in failed)


def test_schema_describes_the_record(tmp_path: Path) -> None:
    """What `receipts schema` prints is the JSON Schema of every field of a record."""
    schema = json.loads(Installation(tmp_path).run("schema").stdout)

    assert set(schema["properties"]) == set(Record.model_fields)
