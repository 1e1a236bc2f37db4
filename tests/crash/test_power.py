"""Power cuts: unsynced changes are gone, and still no file is lost or filed twice."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.disk_model import Event, History
from tests.crash.power_cuts import crash_points, empty_state, problems_after_recovery, run, run_with_faults

CUTS = 12


@pytest.mark.parametrize("is_split", [False, True], ids=["one volume", "two volumes"])
def test_nothing_is_lost_or_filed_twice_whenever_the_power_goes(quick_folder: Path, is_split: bool) -> None:
    """From any state after a power cut or a kill, also a second one, recovery ends with every file in exactly one place."""
    rng = random.Random(20260314 + is_split)  # noqa: S311 -- no secrets here
    first = empty_state(quick_folder / "first")
    events, _ = run(quick_folder / "run", first, rng, is_split=is_split, chance=0.01)
    for number, stop in enumerate(crash_points(first, events, rng, CUTS)):
        root = quick_folder / f"after {number}"
        state = stop.state
        if number % 4 == 3:
            more, _ = run(root, state, rng, is_split=is_split, chance=0)
            [again] = crash_points(state, more, rng, 1)
            shutil.rmtree(root)
            state = again.state
        assert problems_after_recovery(root, state, is_split=is_split) == [], f"stopped after event {stop.at}, {events[stop.at - 1]}"
        shutil.rmtree(root)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_filed_twice_when_disks_fail_now_and_then(quick_folder: Path, seed: int) -> None:
    """Any change or sync may fail because a disk is full, read-only or broken; work resumes by itself afterwards."""
    wrong, faults = run_with_faults(quick_folder, random.Random(seed))  # noqa: S311 -- as above
    assert wrong == []
    assert faults >= 3


def outcomes(*events: Event) -> set[tuple[tuple[str, bytes], ...]]:
    """Trees that a power cut after these events may leave, sampled many times."""
    start = [Event("mkdir", Path("inbox")), Event("sync folder", Path("inbox")), Event("commit")]
    history, rng = History([*start, *events]), random.Random(1)  # noqa: S311 -- as above
    trees = [history.after_power_cut(len(history.events), rng) for _ in range(300)]
    return {tuple(sorted((path.name, file.now) for path, file in tree.files.items())) for tree in trees}


HIDDEN, SHOWN, INBOX = Path("inbox/.a"), Path("inbox/a"), Path("inbox")


def test_the_model_loses_what_is_not_synced() -> None:
    """A file that is written, synced and renamed in this order is complete or absent; in another order it may be corrupt."""
    written = (Event("create", HIDDEN), Event("sync file", HIDDEN, data=b"whole"))
    assert outcomes(*written) == {(), ((".a", b"whole"),)}
    assert outcomes(*written, Event("rename", HIDDEN, SHOWN)) == {(), ((".a", b"whole"),), (("a", b"whole"),)}
    assert outcomes(*written, Event("rename", HIDDEN, SHOWN), Event("sync folder", INBOX)) == {(("a", b"whole"),)}
    spoilt = outcomes(Event("create", HIDDEN), Event("rename", HIDDEN, SHOWN), Event("sync folder", INBOX))
    assert len(spoilt) > 1
    assert all(name == "a" for [(name, _)] in spoilt)


def test_the_model_keeps_what_users_drop_and_what_is_durable() -> None:
    """An unsynced removal may be undone, but never partly; transactions are lost from the newest back to the last durable one."""
    assert outcomes(Event("put", SHOWN, data=b"x"), Event("unlink", SHOWN)) == {(), (("a", b"x"),)}
    commits = [Event("commit", data=name.encode(), is_durable=name.isupper()) for name in "aBcd"]
    rng = random.Random(1)  # noqa: S311 -- as above
    history = History(commits)
    assert {history.after_power_cut(4, rng).database for _ in range(100)} == {b"B", b"c", b"d"}


def test_sqlite_brings_durable_transactions_to_disk_and_only_those(tmp_path: Path) -> None:
    """The model of the database matches SQLite, as the system calls of a separate process show."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    script = (
        "import os, sys; from pathlib import Path; from sqlalchemy import text\n"
        "from extractor.storage.database.connection import Database\n"
        "database = Database(Path(sys.argv[1]))\n"
        "for durable in (False, True, False):\n"
        "    os.write(1, b'begin')\n"
        "    with database.write(durable=durable) as connection: connection.execute(text(f'CREATE TABLE t{os.urandom(4).hex()} (x)'))\n"
        "os.write(1, b'begin')\n"
    )
    log, calls = tmp_path / "calls", "trace=fdatasync,fsync,write,pwrite64"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", calls, sys.executable, "-c", script, str(tmp_path / "receipts.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if "ptrace" in done.stderr:
        pytest.skip(f"processes cannot be traced here: {done.stderr.strip()}")
    _, *transactions, _ = log.read_text().split('"begin"')
    last_calls = [[line for line in one.splitlines() if "receipts.db-wal" in line][-1] for one in transactions]
    assert ["sync" in call for call in last_calls] == [False, True, False], done.stderr
