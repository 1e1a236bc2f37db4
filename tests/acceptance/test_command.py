"""The installed command as a shell sees it; what it refuses and how is tested without a process in `test_command_line.py`."""

import json
import subprocess
import sys
from pathlib import Path

import typer.main

from extractor.cli.main import app
from tests.acceptance.conftest import Installation

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

    assert [name for name in typer.main.get_group(app).commands if f"  {name} " not in shown] == []


def test_help_imports_nothing_heavy() -> None:
    """`receipts --help` answers at once, because no library that only work needs is loaded for it."""
    code = "import sys, extractor, extractor.cli.main; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert [name for name in HEAVY if name in loaded] == []


def test_version_is_printed(tmp_path: Path) -> None:
    """Whoever reports an error can say which version it was."""
    assert Installation(tmp_path).run("--version").stdout.startswith("receipts 0.")


def test_a_read_only_inbox_is_a_storage_error(installation: Installation, samples: dict[str, Path]) -> None:
    """What the system refuses has code 5 and names the place."""
    installation.inbox.rmdir()
    installation.inbox.write_text("not a folder")

    assert "inbox" in installation.run("add", str(samples["us-diner.jpg"]), code=5).stderr


def test_doctor_finds_a_fresh_installation_sound(installation: Installation) -> None:
    """Nothing fails, the engine reads its test image, and no probe is left behind."""
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
    assert any("database" in line and "receipts restore" in line for line in failed)
