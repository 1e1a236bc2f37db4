"""The service runs under a recorder; then each moment at which it may have been stopped, by a kill or a power cut, can be tried."""

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
from tests.crash.disk import Event, History, Recorder, Tree, as_past
from tests.crash.world import Deed, Plot, Script, ShiftedClock, User, check, problems, settings_in, work_off


@dataclass(frozen=True)
class State:
    """What is on the disk when the service starts.

    Attributes:
        past: The events that have led to it.
        deeds: What users have done until then.
    """

    tree: Tree
    past: list[Event]
    deeds: list[Deed]


@dataclass(frozen=True)
class Stop:
    """A moment at which the service was stopped, and how."""

    is_power_cut: bool
    at: int
    state: State


def first_state(folder: Path) -> State:
    """An installation in which nothing has happened."""
    open_archive(settings_in(folder)).close()
    folders = {path.relative_to(folder) for path in folder.rglob("*") if path.is_dir()}
    tree = Tree({Path(), *folders}, {}, (folder / "receipts.db").read_bytes())
    return State(tree, as_past(tree), [])


def run(root: Path, before: State, rng: random.Random, *, is_split: bool, chance: float) -> tuple[list[Event], Counter[Checkpoint]]:
    """All events, past and new, of a run that nothing interrupts while users come and go; and how often each step was taken.

    Args:
        root: An empty folder.
        is_split: Whether inbox and outbox are on two volumes.
        chance: Of something that a user does at a step.
    """
    before.tree.make(root)
    settings = settings_in(root)
    with Recorder(root, before.past, is_split=is_split) as recorder:

        def tell(deed: Deed, data: bytes) -> None:
            recorder.note(Event(deed.kind, Path("inbox") / deed.path, data=data))

        plot = Plot(User(settings.inbox_dir, rng, tell, recorder.paused), rng, chance=chance)
        clock = ShiftedClock()
        service = build_service(settings, extract=ScriptedExtraction(Script()), check=check, clock=clock, at_checkpoint=plot)
        plot.archive = service.archive
        _note_commits(service.archive.database, recorder)
        plot.begin()
        for _ in range(3):
            service.run_once()
            clock.days += 1
        service.archive.close()
    return recorder.events, plot.counts


def run_with_faults(root: Path, rng: random.Random) -> tuple[list[str], int]:
    """What is wrong after a run in which disks were full, read-only or broken now and then, and one in which they were not.

    The second number says how often something failed.
    """
    count = 0

    def fault(path: Path) -> None:
        nonlocal count
        if rng.random() < 0.05:
            count += 1
            code = rng.choice([errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.ESTALE])
            raise OSError(code, os.strerror(code), str(path))

    open_archive(settings_in(root)).close()
    settings, deeds, is_split = settings_in(root), list[Deed](), rng.random() < 0.3
    with Recorder(root, is_split=is_split, fault=fault) as recorder:
        plot = Plot(User(settings.inbox_dir, rng, lambda deed, _: deeds.append(deed), recorder.paused), rng, chance=0)
        clock = ShiftedClock()
        service = build_service(settings, extract=ScriptedExtraction(Script()), check=check, clock=clock, at_checkpoint=plot)
        plot.archive = service.archive
        plot.begin()
        for _ in range(5):
            with suppress(StorageError):  # at the start
                service.run_once()
            clock.days += 1
        service.archive.close()
    with Recorder(root, is_split=is_split):
        work_off(settings)
    return problems(settings, deeds), count


def stops(before: State, events: Sequence[Event], rng: random.Random, count: int) -> Iterator[Stop]:
    """Some moments of such a run, and for each one of the states in which the disk may be then."""
    history = History(events)
    for _ in range(count):
        at = rng.randrange(len(before.past) + 1, len(events) + 1)
        deeds = before.deeds + [
            Deed(one.kind, str(one.path.relative_to("inbox")), hashlib.sha256(one.data).hexdigest())
            for one in events[len(before.past) : at]
            if one.kind == "put" or one.kind == "take"  # noqa: PLR1714 -- mypy narrows only this
        ]
        is_power_cut = rng.random() < 0.7
        if is_power_cut:
            tree = history.after_power_cut(at, rng)
            past = as_past(tree)
        else:
            tree, past = history.after_kill(at, rng)
        yield Stop(is_power_cut, at, State(tree, past, deeds))


def wrong_in_the_end(root: Path, state: State, *, is_split: bool) -> list[str]:
    """What is wrong after the service has gone on from the state until there is nothing left to do."""
    state.tree.make(root)
    with Recorder(root, is_split=is_split):
        work_off(settings_in(root))
    return problems(settings_in(root), state.deeds)


def _note_commits(database: Database, recorder: Recorder) -> None:
    """Each transaction as an event, with the database as it is then: SQLite's own writes are not seen."""
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
