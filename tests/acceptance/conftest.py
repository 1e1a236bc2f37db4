"""The installed command, run in a process of its own in a folder of its own, and sample receipts to drop."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from training.samples import Sample, sample_set

COMMAND = Path(sys.executable).with_name("receipts")
# Settings of a machine that never waits, and of a reader that is asked once; tests that need more say so.
QUICK = {
    "RECEIPTS_INBOX__SETTLE_SECONDS": "0.2",
    "RECEIPTS_INBOX__RESCAN_SECONDS": "0.5",
    "RECEIPTS_INBOX__PATIENCE_SECONDS": "1",
    "RECEIPTS_READER__MAX_RUNGS": "0",
}


@dataclass(frozen=True)
class Installation:
    """A folder in which somebody works with the command."""

    folder: Path

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def run(self, *arguments: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """What the command printed; it must end with this exit code."""
        done = subprocess.run(
            [COMMAND, *arguments], check=False, cwd=self.folder, env=_environment(environ), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    @contextmanager
    def running(self, *arguments: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
        """The command in the background; it is ended with the block, if it has not ended by then."""
        with (self.folder / "stderr.log").open("w") as log:
            command, env = (str(COMMAND), *arguments), _environment(environ)
            process = subprocess.Popen(command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=30)

    def records(self) -> list[dict[str, Any]]:
        """The records in the outbox."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.outbox.glob("20*/*/*.json"))]


def _environment(changes: dict[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RECEIPTS_")}
    return own | QUICK | {"COLUMNS": "200"} | changes


@pytest.fixture(scope="session")
def _fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh")
    Installation(folder).run("init")
    return folder


@pytest.fixture
def installation(tmp_path: Path, _fresh: Path) -> Installation:
    """A fresh folder after `receipts init`, which is run once and copied."""
    shutil.copytree(_fresh, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


@pytest.fixture(scope="session")
def sample_files() -> tuple[Sample, ...]:
    """The demonstration set with what is printed on each."""
    return sample_set()


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, sample_files: tuple[Sample, ...]) -> dict[str, Path]:
    """Where the files of the demonstration set lie, by name."""
    folder = tmp_path_factory.mktemp("samples")
    for sample in sample_files:
        (folder / sample.name).write_bytes(sample.data)
    return {sample.name: folder / sample.name for sample in sample_files}


def wait_until(is_so: Callable[[], object], process: "subprocess.Popen[str]", seconds: float = 120.0) -> None:
    """Returns as soon as `is_so` holds; fails when that does not come true in time, or when the process has ended before."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, f"the command ended with {process.returncode}"
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.05)
