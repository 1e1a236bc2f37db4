"""Test and time the vision reader on this machine's GPU, with random weights in the shapes of Llama 3.2 11B.

    python -m bench.vision [PHASE ...] [--json FILE]

Phases print their rows as they are measured; the table follows at the end. Consecutive phases of one module share a process and its model.
A phase that exceeds its time is aborted, and the next one starts.

Without arguments all phases run, which takes 60 GB of GPU memory, and 25 GB of disk for
the checkpoint of the phases `article`, `small` and `watch` (in the system's temporary folder, or in BENCH_CHECKPOINT).

Where the content of answers matters they are scripted; see `bench.script`.
"""

import argparse
import importlib
import json
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from threading import Timer
from typing import NoReturn

import torch

from bench.vision_parts import Row

# Module and time limit in seconds of each phase. Each module has its own process, because Unsloth must be imported before transformers.
PHASES = {
    "exact": ("truth", 240),
    "steps": ("speed", 120),
    "prefill": ("speed", 90),
    "profile": ("speed", 60),
    "batches": ("speed", 150),
    "questions": ("speed", 150),
    "ladder": ("truth", 150),
    "valid": ("truth", 400),
    "short": ("short", 420),
    "article": ("whole", 250),
    "small": ("whole", 60),
    "watch": ("whole", 400),
}

# Time limit for the start of a process, besides its phases.
START_SECONDS = 120


def main() -> int:
    """Run the requested phases; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("phase", nargs="*", choices=[*PHASES, []], default=[])
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        return in_process(arguments.phase)
    rows, failed, rates = list[Row](), list[str](), dict[str, list[float]]()
    for _, group in groupby(arguments.phase or PHASES, key=lambda phase: PHASES[phase][0]):
        phases = list(group)
        left = set(phases)
        command = [sys.executable, "-m", "bench.vision", *phases, "--in-process"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            watchdog = Timer(START_SECONDS + sum(PHASES[phase][1] for phase in phases), process.kill)
            watchdog.start()
            for line in process.stdout or ():
                print(line, end="", flush=True)
                word, _, rest = line.strip().partition(" ")
                if word == "ROW":
                    phase, _, fields = rest.partition(" ")
                    rows.append(Row(**json.loads(fields)))
                    rates.setdefault(phase, []).extend([rate] if (rate := rows[-1].per_minute) else ())
                elif word == "DONE":
                    left.discard(rest)
            watchdog.cancel()
        failed += [phase for phase in phases if phase in left]
    if rates.get("article") and rates.get("batches"):
        ratios = ", ".join(f"{rate / rates['article'][0]:.0f}" for rate in rates["batches"])
        rows.append(Row("speed relative to the baseline loop, in the order of the rows above", f"{ratios} times", "100 times"))
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


def in_process(phases: list[str]) -> int:
    """Run phases of one module in this process; a phase that fails or times out does not prevent the next."""
    module = importlib.import_module(f"bench.vision_{PHASES[phases[0]][0]}")
    signal.signal(signal.SIGALRM, _abort)
    for phase in phases:
        began = time.perf_counter()
        signal.alarm(START_SECONDS * (phase == phases[0]) + PHASES[phase][1])
        try:
            for row in getattr(module, phase)():
                print(f"ROW {phase} {json.dumps(asdict(row))}", flush=True)
        except Exception:  # noqa: BLE001 - the other phases can still be measured
            traceback.print_exc()
        else:
            print(f"DONE {phase}", flush=True)
        finally:
            signal.alarm(0)
        print(f"{phase}: {time.perf_counter() - began:.0f} s", flush=True)
    return 0


def _abort(*_: object) -> NoReturn:
    raise TimeoutError("this phase exceeded its time and is aborted")


if __name__ == "__main__":
    sys.exit(main())
