"""The real service in a process of its own, with its threads and folder events, is killed at a step or at any moment."""

import json
import logging
import multiprocessing
import os
import random
import signal
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path

from extractor.runtime.checkpoints import Checkpoint
from extractor.service.app import build_service
from extractor.testing import ScriptedExtraction
from tests.crash.world import Deed, Plot, Script, User, check, problems, settings_in, work_off

UP_SECONDS = 60.0
"""How long a service may take to come up, and to reach a step, on a busy machine."""


@dataclass(frozen=True)
class Death:
    """When a service kills itself: the `count`-th time that it has taken the step."""

    step: Checkpoint
    count: int = 1


@dataclass(frozen=True)
class Diary:
    """Deeds in a file, in their order, written by several processes."""

    path: Path

    def tell(self, deed: Deed, _: bytes = b"") -> None:
        """Writes down what is about to be done."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(deed)) + "\n")

    def deeds(self) -> list[Deed]:
        """All of them until now."""
        return [Deed(**json.loads(line)) for line in self.path.read_text(encoding="utf-8").splitlines()]


@cache
def processes() -> ForkServerContext:
    """Processes that start within milliseconds, because the imports are done once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.killing", "alembic.command"])
    return context


def serve(root: Path, seed: int, chance: float, death: Death | None, is_up: Event) -> None:
    """Runs the service under a plot, until it is killed."""
    logging.disable(logging.CRITICAL)
    rng, settings = random.Random(seed), settings_in(root)  # noqa: S311 -- no secrets here
    plot = Plot(User(settings.inbox_dir, rng, Diary(root / "diary").tell), rng, chance=chance)

    def at_checkpoint(step: Checkpoint) -> None:
        plot(step)
        if death and step is death.step and plot.counts[step] == death.count:
            os.kill(os.getpid(), signal.SIGKILL)

    service = build_service(settings, extract=ScriptedExtraction(Script()), check=check, at_checkpoint=at_checkpoint)
    plot.archive = service.archive
    plot.begin()
    is_up.set()
    service.run()


def kill_at(root: Path, seed: int, death: Death) -> list[str]:
    """What is wrong after a service was killed at the step and the next one has done what was left.

    Raises:
        AssertionError: The step was never reached.
    """
    is_up = processes().Event()
    service = processes().Process(target=serve, args=(root, seed, 0.0, death, is_up), daemon=True)
    service.start()
    service.join(UP_SECONDS)
    if service.is_alive():
        service.kill()
        service.join()
        raise AssertionError(f"the step {death.step} was not reached {death.count} times")
    assert service.exitcode == -signal.SIGKILL
    return _end(root)


def kill_often(root: Path, seed: int, times: int) -> tuple[list[str], Counter[str]]:
    """What is wrong after the service was killed so often, while users came and went; and how often at which step."""
    rng = random.Random(seed)  # noqa: S311 -- as above
    user = User(settings_in(root).inbox_dir, rng, Diary(root / "diary").tell, prefix="outside ")
    kills: Counter[str] = Counter()
    for number in range(times):
        death = Death(rng.choice(list(Checkpoint)), rng.randrange(1, 4)) if rng.random() < 0.5 else None
        is_up = processes().Event()
        service = processes().Process(target=serve, args=(root, seed * 1000 + number, 0.03, death, is_up), daemon=True)
        service.start()
        for _ in range(rng.randrange(5)):
            user.put(is_halved=rng.random() < 0.3)
        assert is_up.wait(UP_SECONDS) or service.exitcode is not None
        service.join(rng.uniform(0.0, 0.6))
        kills[death.step.value if death and not service.is_alive() else "any moment"] += 1
        service.kill()
        service.join()
        assert service.exitcode == -signal.SIGKILL, "the service ended by itself"
        _doubt_the_last_deed(root)
    return _end(root), kills


def _doubt_the_last_deed(root: Path) -> None:
    """The service's own user may have been killed before doing what the diary says; whoever is outside was not."""
    diary = Diary(root / "diary")
    for deed in reversed(diary.deeds()):
        if "outside " not in deed.path:
            diary.tell(Deed("take", deed.path))
            return


def _end(root: Path) -> list[str]:
    work_off(settings_in(root))
    return problems(settings_in(root), Diary(root / "diary").deeds())
