"""The Python that the manual shows does what the manual says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "python.md")
EXAMPLES = [
    pytest.param(code, id=f"{page.stem} {number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.+?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE), start=1)
]


@pytest.fixture
def folder(tmp_path: Path, samples: dict[str, Path]) -> Path:
    """A folder with the two files that the examples read."""
    shutil.copy(samples["us-diner.jpg"], tmp_path / "lunch.jpg")
    shutil.copy(next(path for path in samples.values() if path.suffix == ".pdf"), tmp_path / "hotel.pdf")
    return tmp_path


def _run(code: str, folder: Path) -> list[str]:
    """The lines that the code prints; it leaves nothing behind."""
    quick = os.environ | {"RECEIPTS_READER__MAX_RUNGS": "0"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=quick, capture_output=True, text=True, check=True, timeout=120)
    assert sorted(path.name for path in folder.iterdir()) == ["hotel.pdf", "lunch.jpg"]
    return done.stdout.splitlines()


def test_the_three_lines_of_the_readme_read_receipts(folder: Path) -> None:
    """Copied into a file and run, the example prints one line a receipt."""
    (code,) = re.findall(r"```python\n(.+?)```", PAGES[0].read_text(encoding="utf-8"), re.DOTALL)
    lines = _run(code, folder)

    assert [line.split()[0] for line in lines] == ["lunch.jpg", "hotel.pdf"]
    assert {line.split()[-1] for line in lines} <= {"accepted", "needs_review"}


@pytest.mark.parametrize("code", EXAMPLES[1:])
def test_every_python_example_runs(code: str, folder: Path) -> None:
    """Each example of the Python page runs as printed, and prints something."""
    assert _run(code, folder)
