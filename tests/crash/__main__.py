"""Long-running crash test: `python -m tests.crash [MINUTES] [SEED]` kills the service and simulates power cuts until time is up."""

import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extractor.runtime.checkpoints import Checkpoint
from tests.crash.conftest import MEMORY
from tests.crash.power_cuts import State, crash_points, empty_state, problems_after_recovery, run, run_with_faults
from tests.crash.process_kills import ActionLog, kill_often

CUTS_A_RUN = 25


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder for one schedule, in memory if the system has a memory file system."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Summary:
    """Counts of what was tested, and the problems found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.steps: Counter[Checkpoint] = Counter()
        self.wrong: list[str] = []

    def add(self, where: str, found: list[str]) -> None:
        """Count a finished schedule and print its problems."""
        self.counts["schedules"] += 1
        for one in found:
            kind = "lost" if one.endswith(("is lost", "still: None")) else "twice" if "is there" in one or "filed twice" in one else "other"
            self.counts[kind] += 1
            self.wrong.append(f"{where}: {one}")
            print(self.wrong[-1], flush=True)

    def line(self) -> str:
        """Format the counts as one line."""
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        missed = [step.value for step in Checkpoint if not self.steps[step]]
        counts = self.counts
        return "; ".join(
            [
                f"{counts['schedules']} schedules",
                f"{sum(self.kills.values())} kills ({kills})",
                f"{counts['power']} power cuts",
                f"{counts['faults']} faults of disks",
                f"{counts['dropped']} files dropped",
                f"steps never taken: {', '.join(missed) or 'none'}",
                f"lost {counts['lost']}, twice {counts['twice']}, otherwise wrong {counts['other']}",
            ]
        )


def kill(seed: int, summary: Summary) -> None:
    """Run one schedule of process kills."""
    with empty_folder() as root:
        wrong, kills = kill_often(root, seed, random.Random(seed).randrange(1, 12))  # noqa: S311 -- no secrets here
        summary.kills += kills
        summary.counts["dropped"] += sum(action.kind == "put" for action in ActionLog(root / "actions.jsonl").actions())
    summary.add(f"kill_often, seed {seed}", wrong)


def stop(seed: int, summary: Summary) -> None:
    """Run many schedules derived from one recorded run; some are interrupted two or three times."""
    rng, is_split = random.Random(seed), seed % 2 == 1  # noqa: S311 -- as above
    with empty_folder() as folder:
        first = empty_state(folder / "first")
        events, steps = run(folder / "run", first, rng, is_split=is_split, chance=rng.choice([0, 0.01, 0.05]))
        summary.steps += steps
        for number, one in enumerate(crash_points(first, events, rng, CUTS_A_RUN)):
            state, root = one.state, folder / "after"
            count(one.is_power_cut, state, summary)
            while rng.random() < 0.3:
                more, steps = run(root, state, rng, is_split=is_split, chance=0.01)
                summary.steps += steps
                shutil.rmtree(root)
                [again] = crash_points(state, more, rng, 1)
                state = again.state
                count(again.is_power_cut, state, summary)
            summary.add(f"stop, seed {seed}, number {number}, event {one.at}", problems_after_recovery(root, state, is_split=is_split))
            summary.counts["dropped"] += sum(action.kind == "put" for action in state.actions)
            shutil.rmtree(root)


def fail(seed: int, summary: Summary) -> None:
    """Run one schedule with intermittent disk errors."""
    with empty_folder() as root:
        wrong, faults = run_with_faults(root, random.Random(seed))  # noqa: S311 -- as above
    summary.counts["faults"] += faults
    summary.add(f"fail, seed {seed}", wrong)


def count(is_power_cut: bool, state: State, summary: Summary) -> None:
    """Count one interruption."""
    if is_power_cut:
        summary.counts["power"] += 1
    else:
        summary.kills[f"after {state.past[-1].kind}"] += 1


def main(minutes: float, seed: int) -> int:
    """Run until time is up; returns 1 if a problem was found."""
    logging.disable(logging.CRITICAL)
    summary, end = Summary(), time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        kill(seed, summary)
        stop(seed, summary)
        fail(seed, summary)
        seed += 1
        print(summary.line(), flush=True)
    return bool(summary.wrong)


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    sys.exit(main(float(arguments.get(0, 5)), int(arguments.get(1, time.time()))))
