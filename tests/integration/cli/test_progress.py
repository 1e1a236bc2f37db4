"""What a terminal shows while a service works."""

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

DEADLINE_SECONDS = 60.0

SCRIPT = """
import sys, time
from pathlib import Path
from extractor.cli.progress import live
from extractor.runtime.logs import configure
from extractor.service.app import build_service
from extractor.config.settings import InboxSettings, LogSettings, Settings
from extractor.testing import ScriptedExtraction

root = Path(sys.argv[1])
inbox = InboxSettings(settle_seconds=0)
settings = Settings(inbox_dir=root / "inbox", outbox_dir=root / "outbox", database=root / "receipts.db", inbox=inbox)
with live() as show:
    configure(LogSettings())
    wait = lambda source: time.sleep(float(sys.argv[2]) if source.name == "4.jpg" else 0)
    service = build_service(settings, extract=ScriptedExtraction(wait), check=lambda _: None)
    for number in range(5):
        (settings.inbox_dir / f"{number}.jpg").write_bytes(b"%d" % number)
    with show(lambda: service):
        service.run_once()
"""


def test_a_terminal_shows_how_far_the_work_is(tmp_path: Path) -> None:
    """A line counts what is stored and what waits; a line for each record stands above it, whole; at the end it is gone."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), "2.5"], stderr=theirs, env=os.environ | {"TERM": "xterm", "COLUMNS": "200"}
    )
    os.close(theirs)
    seen, deadline = b"", time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # so Linux reports the end
            break
    os.close(ours)
    assert process.wait(DEADLINE_SECONDS) == 0
    assert b"4 stored, 1 waiting" in seen
    lines = seen.decode().replace("\r", "").split("\n")
    assert sum("no date  no merchant  no total  accepted" in line for line in lines) == 5
    assert not any("file_filed" in line or "file_taken" in line for line in lines)


def test_the_summary_has_a_line_of_its_own(tmp_path: Path) -> None:
    """What `watch --once` has done is written after the bar is gone, not into it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "extractor", "--config", str(tmp_path / "receipts.toml")]
    subprocess.run([*command, "init"], check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    process = subprocess.Popen([*command, "watch", "--once"], stderr=theirs, env=os.environ | {"TERM": "xterm", "COLUMNS": "200"})
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # so Linux reports the end
            break
    os.close(ours)
    assert process.wait(DEADLINE_SECONDS) == 0
    [line] = [line for line in seen.decode().replace("\r", "\n").split("\n") if "0 filed in" in line]
    assert re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).startswith("0 filed in ")


def test_nothing_is_drawn_into_a_file(tmp_path: Path) -> None:
    """A log that is kept holds its lines and no bars."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), "0"], check=True, capture_output=True, text=True, timeout=60)
    assert " stored, " not in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stderr.count(" file_filed ") == 5
