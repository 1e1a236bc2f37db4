"""Checks and times the vision reader on this machine's GPU, with random weights of the real Llama 3.2 11B shape.

    python -m bench.vision [PHASE ...] [--json FILE]

Each phase runs in a process of its own and prints its rows as they come; the table follows at the end. Without arguments all phases run,
which takes about 25 minutes, 70 GB of GPU memory (64 side by side take about 50), and 25 GB of disk for the checkpoint of the phases
`article` and `watch` (in the system's temporary folder, or where BENCH_CHECKPOINT says).

Where an answer matters it is scripted: the model is held to the text of a receipt (see `bench.script`).
"""

import argparse
import importlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from bench.vision_parts import Row

PHASES = {
    "prefill": "speed",
    "steps": "speed",
    "batches": "speed",
    "questions": "speed",
    "profile": "speed",
    "exact": "truth",
    "valid": "truth",
    "article": "whole",
    "watch": "whole",
}
"""Where each phase is; its module is imported in its own process, for Unsloth must come before transformers."""


def main() -> int:
    """Runs the phases asked for; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("phase", nargs="*", choices=[*PHASES, []], default=[])
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        phase = arguments.phase[0]
        module = importlib.import_module(f"bench.vision_{PHASES[phase]}")
        for row in getattr(module, phase)():
            print("ROW " + json.dumps(asdict(row)), flush=True)
        return 0
    rows, failed, rates = list[Row](), list[str](), dict[str, list[float]]()
    for phase in arguments.phase or PHASES:
        command = [sys.executable, "-m", "bench.vision", phase, "--in-process"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                if line.startswith("ROW "):
                    rows.append(Row(**json.loads(line.removeprefix("ROW "))))
                    rates.setdefault(phase, []).extend([rate] if (rate := rows[-1].per_minute) else ())
        if process.returncode:
            failed.append(phase)
    if rates.get("article") and rates.get("batches"):
        ratios = ", ".join(f"{rate / rates['article'][0]:.0f}" for rate in rates["batches"])
        rows.append(
            Row("this reader against the loop that it started from, in the order of the rows above", f"{ratios} times", "100 times")
        )
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    print(f"\n{device}, torch {torch.__version__}\n")
    print("| what | measured | wanted |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.measured} | {row.wanted} |")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    if failed:
        print("failed: " + ", ".join(failed))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
