"""The long round: `python -m tests.crash [MINUTES] [SEED]` kills the service and cuts the power until the time is over."""

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
from tests.crash.killing import Diary, kill_often
from tests.crash.power import State, first_state, run, run_with_faults, stops, wrong_in_the_end

CUTS_A_RUN = 25


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder for one schedule, in memory where the system has such a thing."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Figures:
    """What was done, and what was found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.steps: Counter[Checkpoint] = Counter()
        self.wrong: list[str] = []

    def add(self, where: str, found: list[str]) -> None:
        """Counts a schedule that has come to its end, and prints at once what is wrong with it."""
        self.counts["schedules"] += 1
        for one in found:
            kind = "lost" if one.endswith(("is lost", "still: None")) else "twice" if "is there" in one or "filed twice" in one else "other"
            self.counts[kind] += 1
            self.wrong.append(f"{where}: {one}")
            print(self.wrong[-1], flush=True)

    def line(self) -> str:
        """All of it in one line."""
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


def kill(seed: int, figures: Figures) -> None:
    """One schedule of kills in processes."""
    with empty_folder() as root:
        wrong, kills = kill_often(root, seed, random.Random(seed).randrange(1, 12))  # noqa: S311 -- no secrets here
        figures.kills += kills
        figures.counts["dropped"] += sum(deed.kind == "put" for deed in Diary(root / "diary").deeds())
    figures.add(f"kill_often, seed {seed}", wrong)


def stop(seed: int, figures: Figures) -> None:
    """Many schedules that begin with one run under the recorder; some are stopped two or three times."""
    rng, is_split = random.Random(seed), seed % 2 == 1  # noqa: S311 -- as above
    with empty_folder() as folder:
        first = first_state(folder / "first")
        events, steps = run(folder / "run", first, rng, is_split=is_split, chance=rng.choice([0, 0.01, 0.05]))
        figures.steps += steps
        for number, one in enumerate(stops(first, events, rng, CUTS_A_RUN)):
            state, root = one.state, folder / "after"
            count(one.is_power_cut, state, figures)
            while rng.random() < 0.3:
                more, steps = run(root, state, rng, is_split=is_split, chance=0.01)
                figures.steps += steps
                shutil.rmtree(root)
                [again] = stops(state, more, rng, 1)
                state = again.state
                count(again.is_power_cut, state, figures)
            figures.add(f"stop, seed {seed}, number {number}, event {one.at}", wrong_in_the_end(root, state, is_split=is_split))
            figures.counts["dropped"] += sum(deed.kind == "put" for deed in state.deeds)
            shutil.rmtree(root)


def fail(seed: int, figures: Figures) -> None:
    """One schedule of disks that fail now and then."""
    with empty_folder() as root:
        wrong, faults = run_with_faults(root, random.Random(seed))  # noqa: S311 -- as above
    figures.counts["faults"] += faults
    figures.add(f"fail, seed {seed}", wrong)


def count(is_power_cut: bool, state: State, figures: Figures) -> None:
    """Counts a stop."""
    if is_power_cut:
        figures.counts["power"] += 1
    else:
        figures.kills[f"after {state.past[-1].kind}"] += 1


def main(minutes: float, seed: int) -> int:
    """Exit code: 1 where something is wrong."""
    logging.disable(logging.CRITICAL)
    figures, end = Figures(), time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        kill(seed, figures)
        stop(seed, figures)
        fail(seed, figures)
        seed += 1
        print(figures.line(), flush=True)
    return bool(figures.wrong)


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    sys.exit(main(float(arguments.get(0, 5)), int(arguments.get(1, time.time()))))
