"""Records a run of the service, from which the state after a kill or a power cut at any moment can be derived."""

import errno
import hashlib
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, event

from extractor.errors import StorageError
from extractor.runtime.checkpoints import Checkpoint
from extractor.service.app import build_service
from extractor.storage.archive import open_archive
from extractor.storage.database.connection import Database
from extractor.testing import ScriptedExtraction
from tests.crash.disk_model import Event, History, Recorder, Tree, as_past
from tests.crash.scenario import Action, FaultPlan, Script, ShiftedClock, User, check, problems, process_all, settings_in


@dataclass(frozen=True)
class State:
    """State of the disk when the service starts.

    Attributes:
        past: Events that led to it.
        actions: Actions of users so far.
    """

    tree: Tree
    past: list[Event]
    actions: list[Action]


@dataclass(frozen=True)
class CrashPoint:
    """A moment at which the service was stopped, and the resulting state."""

    is_power_cut: bool
    at: int
    state: State


def empty_state(folder: Path) -> State:
    """Return the state of a new installation."""
    open_archive(settings_in(folder)).close()
    folders = {path.relative_to(folder) for path in folder.rglob("*") if path.is_dir()}
    tree = Tree({Path(), *folders}, {}, (folder / "receipts.db").read_bytes())
    return State(tree, as_past(tree), [])


def run(root: Path, before: State, rng: random.Random, *, is_split: bool, chance: float) -> tuple[list[Event], Counter[Checkpoint]]:
    """Run without interruption during user actions; returns all events, past and new, and the passes of each checkpoint.

    Args:
        root: An empty folder.
        is_split: Whether inbox and outbox are on two volumes.
        chance: Probability of a user action at a checkpoint.
    """
    before.tree.make(root)
    settings = settings_in(root)
    with Recorder(root, before.past, is_split=is_split) as recorder:

        def on_action(action: Action, data: bytes) -> None:
            recorder.note(Event(action.kind, Path("inbox") / action.path, data=data))

        plan = FaultPlan(User(settings.inbox_dir, rng, on_action, recorder.paused), rng, chance=chance)
        clock = ShiftedClock()
        service = build_service(settings, extract=ScriptedExtraction(Script()), check=check, clock=clock, at_checkpoint=plan)
        plan.archive = service.archive
        _note_commits(service.archive.database, recorder)
        plan.begin()
        for _ in range(3):
            service.run_once()
            clock.days += 1
        service.archive.close()
    return recorder.events, plan.counts


def run_with_faults(root: Path, rng: random.Random) -> tuple[list[str], int]:
    """Return violated invariants after a run with intermittent disk errors, followed by a run without.

    The second value is the number of errors raised.
    """
    count = 0

    def fault(path: Path) -> None:
        nonlocal count
        if rng.random() < 0.05:
            count += 1
            code = rng.choice([errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.ESTALE])
            raise OSError(code, os.strerror(code), str(path))

    open_archive(settings_in(root)).close()
    settings, actions, is_split = settings_in(root), list[Action](), rng.random() < 0.3
    with Recorder(root, is_split=is_split, fault=fault) as recorder:
        plan = FaultPlan(User(settings.inbox_dir, rng, lambda action, _: actions.append(action), recorder.paused), rng, chance=0)
        clock = ShiftedClock()
        service = build_service(settings, extract=ScriptedExtraction(Script()), check=check, clock=clock, at_checkpoint=plan)
        plan.archive = service.archive
        plan.begin()
        for _ in range(5):
            with suppress(StorageError):  # at the start
                service.run_once()
            clock.days += 1
        service.archive.close()
    with Recorder(root, is_split=is_split):
        process_all(settings)
    return problems(settings, actions), count


def crash_points(before: State, events: Sequence[Event], rng: random.Random, count: int) -> Iterator[CrashPoint]:
    """Yield random moments of a run, each with one of the possible states of the disk."""
    history = History(events)
    for _ in range(count):
        at = rng.randrange(len(before.past) + 1, len(events) + 1)
        actions = before.actions + [
            Action(one.kind, str(one.path.relative_to("inbox")), hashlib.sha256(one.data).hexdigest())
            for one in events[len(before.past) : at]
            if one.kind == "put" or one.kind == "take"  # noqa: PLR1714 -- mypy narrows only this
        ]
        is_power_cut = rng.random() < 0.7
        if is_power_cut:
            tree = history.after_power_cut(at, rng)
            past = as_past(tree)
        else:
            tree, past = history.after_kill(at, rng)
        yield CrashPoint(is_power_cut, at, State(tree, past, actions))


def problems_after_recovery(root: Path, state: State, *, is_split: bool) -> list[str]:
    """Return violated invariants after the service has recovered from the state and finished all work."""
    state.tree.make(root)
    with Recorder(root, is_split=is_split):
        process_all(settings_in(root))
    return problems(settings_in(root), state.actions)


def _note_commits(database: Database, recorder: Recorder) -> None:
    """Record each transaction as an event with a copy of the database, since SQLite's own writes are not intercepted."""
    is_durable: list[bool] = []

    def committing(connection: Connection) -> None:
        if options := connection.get_execution_options().get("synchronous"):
            is_durable.append(options == "FULL")

    def returned(*_: object) -> None:
        if is_durable:
            with closing(sqlite3.connect(database.path)) as connection:
                recorder.note(Event("commit", data=connection.serialize(), is_durable=is_durable.pop()))

    event.listen(database._engine, "commit", committing)
    event.listen(database._engine, "checkin", returned)
