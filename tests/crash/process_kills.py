"""Kills the real service, in its own process with threads and folder events, at a checkpoint or at any moment."""

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
from tests.crash.scenario import Action, FaultPlan, Script, User, check, problems, process_all, settings_in

# Time that a service may take to start, or to reach a checkpoint, on a busy machine.
UP_SECONDS = 60.0


@dataclass(frozen=True)
class KillPoint:
    """When a service kills itself: at the `count`-th pass of a checkpoint."""

    step: Checkpoint
    count: int = 1


@dataclass(frozen=True)
class ActionLog:
    """Actions in order, in a file that several processes append to."""

    path: Path

    def record(self, action: Action, _: bytes = b"") -> None:
        """Append an action before it is carried out."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(action)) + "\n")

    def actions(self) -> list[Action]:
        """Return all actions so far."""
        return [Action(**json.loads(line)) for line in self.path.read_text(encoding="utf-8").splitlines()]


@cache
def processes() -> ForkServerContext:
    """Return a fork server with the imports preloaded, so that processes start within milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.process_kills", "alembic.command"])
    return context


def serve(root: Path, seed: int, chance: float, kill_point: KillPoint | None, is_up: Event) -> None:
    """Run the service under a fault plan until it is killed."""
    logging.disable(logging.CRITICAL)
    rng, settings = random.Random(seed), settings_in(root)  # noqa: S311 -- no secrets here
    plan = FaultPlan(User(settings.inbox_dir, rng, ActionLog(root / "actions.jsonl").record), rng, chance=chance)

    def at_checkpoint(step: Checkpoint) -> None:
        plan(step)
        if kill_point and step is kill_point.step and plan.counts[step] == kill_point.count:
            os.kill(os.getpid(), signal.SIGKILL)

    service = build_service(settings, extract=ScriptedExtraction(Script()), check=check, at_checkpoint=at_checkpoint)
    plan.archive = service.archive
    plan.begin()
    is_up.set()
    service.run()


def kill_at(root: Path, seed: int, kill_point: KillPoint) -> list[str]:
    """Return violated invariants after a service was killed at a checkpoint and the next one finished the work.

    Raises:
        AssertionError: The checkpoint was never reached.
    """
    is_up = processes().Event()
    service = processes().Process(target=serve, args=(root, seed, 0.0, kill_point, is_up), daemon=True)
    service.start()
    service.join(UP_SECONDS)
    if service.is_alive():
        service.kill()
        service.join()
        raise AssertionError(f"the step {kill_point.step} was not reached {kill_point.count} times")
    assert service.exitcode == -signal.SIGKILL
    return _end(root)


def kill_often(root: Path, seed: int, times: int) -> tuple[list[str], Counter[str]]:
    """Return violated invariants after the service was killed `times` times during user actions, and the kills by checkpoint."""
    rng = random.Random(seed)  # noqa: S311 -- as above
    user = User(settings_in(root).inbox_dir, rng, ActionLog(root / "actions.jsonl").record, prefix="outside ")
    kills: Counter[str] = Counter()
    for number in range(times):
        kill_point = KillPoint(rng.choice(list(Checkpoint)), rng.randrange(1, 4)) if rng.random() < 0.5 else None
        is_up = processes().Event()
        service = processes().Process(target=serve, args=(root, seed * 1000 + number, 0.03, kill_point, is_up), daemon=True)
        service.start()
        for _ in range(rng.randrange(5)):
            user.put(is_halved=rng.random() < 0.3)
        assert is_up.wait(UP_SECONDS) or service.exitcode is not None
        service.join(rng.uniform(0.0, 0.6))
        kills[kill_point.step.value if kill_point and not service.is_alive() else "any moment"] += 1
        service.kill()
        service.join()
        assert service.exitcode == -signal.SIGKILL, "the service ended by itself"
        _revoke_uncertain_action(root)
    return _end(root), kills


def _revoke_uncertain_action(root: Path) -> None:
    """Log a removal for the last action inside the killed process, which may not have been carried out."""
    log = ActionLog(root / "actions.jsonl")
    for action in reversed(log.actions()):
        if "outside " not in action.path:
            log.record(Action("take", action.path))
            return


def _end(root: Path) -> list[str]:
    process_all(settings_in(root))
    return problems(settings_in(root), ActionLog(root / "actions.jsonl").actions())
