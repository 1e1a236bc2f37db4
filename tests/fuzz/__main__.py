"""Fuzz each target for some time and print executions and failures: `make fuzz`. Needs the extra `fuzz`.

The corpus and failing inputs are kept in `.fuzz/`, so that the next run continues from there.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

FOLDER = Path(".fuzz")


def main() -> int:
    """Return 1 if a target failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"Any of {', '.join(TARGETS)}; all by default.")
    parser.add_argument("--seconds", type=int, default=60, help="For each target.")
    options = parser.parse_args()
    return max([_run(name, options.seconds) for name in options.targets or TARGETS])


def _run(name: str, seconds: int) -> int:
    """Run one target in its own process, which a failure ends, and print a line."""
    command = [sys.executable, "-m", "tests.fuzz.run_target", name, str(seconds), str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    finds = re.findall(r"Test unit written to (\S+)", done.stderr)
    sys.stdout.write(f"{name:<18}{int(executions[1]) if executions else 0:>12,} executions{''.join(f'  FOUND {find}' for find in finds)}\n")
    if done.returncode:
        sys.stdout.write(done.stdout[-1000:] + done.stderr[-3000:])
    sys.stdout.flush()
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
