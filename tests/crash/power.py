"""The service is run once under a recorder; then every moment at which it may have been stopped can be tried."""

import hashlib
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, event

from extractor.db import Database
from extractor.service import build, open_archive
from extractor.steps import Step
from extractor.testing import ScriptedExtraction
from tests.crash.disk import Event, File, History, Recorder, Tree, as_past
from tests.crash.world import Deed, Plot, Script, ShiftedClock, User, check, problems, settings_in, work_off


def first_state(root: Path) -> list[Event]:
    """An installation in which nothing has happened, and the events that have led to it."""
    open_archive(settings_in(root)).close()
    folders = {path.relative_to(root) for path in root.rglob("*") if path.is_dir()}
    return as_past(Tree({Path(), *folders}, {}, (root / "receipts.db").read_bytes()))


def record(root: Path, past: Sequence[Event], rng: random.Random, *, is_split: bool, chance: float) -> list[Event]:
    """All events, past and new, of a run that nothing interrupts, while users come and go."""
    settings = settings_in(root)
    with Recorder(root, past, is_split=is_split) as recorder:

        def tell(deed: Deed, data: bytes) -> None:
            recorder.note(Event(deed.kind, Path("inbox") / deed.path, data=data))

        user = User(settings.inbox_dir, rng, tell, recorder.paused)
        plot = Plot(user, rng, chance=chance)

        def at_step(step: Step) -> None:
            recorder.note(Event("step", Path(step)))
            plot(step)

        clock = ShiftedClock()
        service = build(settings, extract=ScriptedExtraction(Script()), check=check, clock=clock, at_step=at_step)
        plot.archive = service.archive
        _note_commits(service.archive.database, recorder)
        plot.begin()
        for _ in range(3):
            service.run_once()
            clock.days += 1
        service.archive.close()
    return recorder.events


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


def deeds_in(events: Sequence[Event]) -> list[Deed]:
    """What users did."""
    return [
        Deed(one.kind, str(one.path.relative_to("inbox")), hashlib.sha256(one.data).hexdigest()) for one in events if one.kind in {"put", "take"}
    ]


def go_on(tree: Tree, root: Path, contents: Callable[[File], bytes], deeds: Sequence[Deed]) -> list[str]:
    """What is wrong after the service has gone on from such a state to the end."""
    tree.make(root, contents)
    work_off(settings_in(root))
    return problems(settings_in(root), deeds)
