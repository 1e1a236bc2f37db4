"""The Python that the manual shows does what it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_three_lines_of_the_manual_read_receipts(tmp_path: Path, samples: dict[str, Path]) -> None:
    """Copied into a file and run, the example prints one line a receipt and leaves nothing behind."""
    (code,) = re.findall(r"```python\n(.+?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    shutil.copy(samples["us-diner.jpg"], tmp_path / "lunch.jpg")
    shutil.copy(next(path for path in samples.values() if path.suffix == ".pdf"), tmp_path / "hotel.pdf")

    quick = os.environ | {"RECEIPTS_READER__MAX_RUNGS": "0"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=quick, capture_output=True, text=True, check=True, timeout=120)

    assert [line.split()[0] for line in done.stdout.splitlines()] == ["lunch.jpg", "hotel.pdf"]
    assert {line.split()[-1] for line in done.stdout.splitlines()} <= {"accepted", "needs_review"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hotel.pdf", "lunch.jpg"]
