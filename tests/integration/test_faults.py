"""Faults around the service: volumes that are full, read-only or unmounted, a damaged or missing database, clocks, threads."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from watchdog.observers import Observer

from extractor.config.settings import InboxSettings, Settings, WorkSettings
from extractor.errors import ConfigError, DatabaseDamaged, StorageError, Unreadable
from extractor.jobs import Arrival, Job, JobState, Source
from extractor.service.app import build_service
from extractor.service.lifecycle import Service
from extractor.service.lock import InstanceLock
from extractor.service.supervisor import Supervisor, ThreadGroup
from extractor.storage.archive import Archive, open_archive, prepare
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.files import folder_events
from extractor.storage.files.atomic import rename_to_free
from extractor.storage.files.folder_events import FolderEvents
from extractor.storage.files.inbox import Inbox
from extractor.testing import ManualClock, ScriptedExtraction

DEADLINE_SECONDS = 90.0  # a filing that is tried while the volume is away waits longer each time
DAY = 86_400.0


def eventually(condition: Callable[[], object], what: str) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


@contextmanager
def running(settings: Settings, **options: object) -> Iterator[Service]:
    """The service in a thread, looking often, stopped at the end."""
    inbox = InboxSettings(settle_seconds=0, rescan_seconds=0.1)
    quick = settings.model_copy(update={"inbox": inbox, "work": WorkSettings(backoff_seconds=0.05, max_backoff_seconds=0.2)})
    service = build_service(quick, extract=ScriptedExtraction(), check=lambda _: None, **options)  # type: ignore[arg-type]
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield service
    finally:
        service.stop()
        thread.join(DEADLINE_SECONDS)
        service.archive.close()
    assert not thread.is_alive()


def counts(service: Service) -> dict[JobState, int]:
    return service.archive.job_queue.counts()


def put(settings: Settings, name: str, data: bytes | None = None) -> None:
    """A file appears in the inbox in one step; by default it holds its name."""
    settings.inbox_dir.mkdir(exist_ok=True)
    hidden = settings.inbox_dir / ".put.part"
    hidden.write_bytes(name.encode() if data is None else data)
    hidden.replace(settings.inbox_dir / name)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mounts a volume of its own in a folder: `mount(folder, "size=256k")`, and again with other options to change them."""
    mounted: list[Path] = []

    def change(folder: Path, options: str) -> None:
        folder.mkdir(exist_ok=True)
        wanted = f"remount,{options}" if folder in mounted else options
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", wanted, "none", str(folder)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"volumes cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)

    yield change
    for folder in reversed(dict.fromkeys(mounted)):
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


# Volumes


@pytest.mark.parametrize(("place", "options"), [("inbox", "full"), ("inbox", "ro"), ("outbox", "full"), ("outbox", "ro"), ("data", "full")])
def test_a_volume_that_is_full_or_read_only_is_waited_for(settings: Settings, mount: Callable[..., None], place: str, options: str) -> None:
    """Nothing fails or leaves the inbox half-way; when there is space, or the volume is writable again, all is filed by itself."""
    folder = settings.inbox_dir.with_name(place)
    settings.inbox_dir.with_name("data").mkdir()
    settings = settings.model_copy(update={"database": settings.inbox_dir.with_name("data") / "receipts.db"})
    mount(folder, "size=64m")
    with running(settings) as service:
        if options == "ro":
            mount(folder, "size=64m,ro")
        else:
            fill(folder)
        if place != "inbox":
            for number in range(3):
                put(settings, f"{number}.jpg", os.urandom(100_000))
            eventually(service.heartbeat.troubles, "the first sign of trouble")
            assert counts(service).get(JobState.DONE, 0) + counts(service).get(JobState.FAILED, 0) == 0
            assert files(settings.inbox_dir) == ["0.jpg", "1.jpg", "2.jpg"]
        mount(folder, "size=64m,rw")
        for path in folder.glob("filler*"):
            path.unlink()
        if place == "inbox":
            put(settings, "0.jpg")
        eventually(lambda: counts(service) == {JobState.DONE: 1 if place == "inbox" else 3}, "the filing of all")
    assert files(settings.inbox_dir) == []


def fill(folder: Path) -> None:
    """Leaves no space in the volume."""
    filler = folder / "filler.tmp"
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(1 << 16))
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 -- the loop ends so
                return


def test_a_read_only_inbox_keeps_its_file_and_the_record_is_there(settings: Settings, mount: Callable[..., None]) -> None:
    """Record and original are filed; only the last step waits until the file can leave the inbox."""
    mount(settings.inbox_dir, "size=1m")
    (settings.inbox_dir / "lunch.jpg").write_bytes(b"lunch")
    mount(settings.inbox_dir, "size=1m,ro")
    with running(settings) as service:
        eventually(lambda: counts(service) == {JobState.STORED: 1} and len(files(settings.outbox_dir)) >= 2, "the record and its original")
        assert files(settings.inbox_dir) == ["lunch.jpg"]
        mount(settings.inbox_dir, "size=1m,rw")
        eventually(lambda: counts(service) == {JobState.DONE: 1}, "the end")
    assert files(settings.inbox_dir) == []


def test_an_unmounted_inbox_is_not_taken_for_an_empty_one(settings: Settings, mount: Callable[..., None]) -> None:
    """What was queued waits while an empty mount point is seen in its place, and is read when the volume is back."""
    mount(settings.inbox_dir, "size=1m")
    away = settings.inbox_dir.with_name("away")
    away.mkdir()
    may_read = threading.Event()

    def wait(_: Source) -> None:
        may_read.wait(DEADLINE_SECONDS)

    for number in range(6):  # more than are read at once
        (settings.inbox_dir / f"{number}.jpg").write_bytes(b"%d" % number)
    service = build_service(
        settings.model_copy(update={"inbox": InboxSettings(settle_seconds=0, rescan_seconds=0.1)}),
        extract=ScriptedExtraction(wait),
        check=lambda _: None,
    )
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        eventually(lambda: len(service.archive.job_queue.jobs()) == 6, "the queue")
        subprocess.run(["mount", "--move", str(settings.inbox_dir), str(away)], check=False, capture_output=True)
        if os.path.ismount(settings.inbox_dir):
            subprocess.run(["mount", "--bind", str(settings.inbox_dir), str(away)], check=True)
            subprocess.run(["umount", "--lazy", str(settings.inbox_dir)], check=True)
        may_read.set()
        eventually(lambda: any("is not available" in (job.error_message or "") for job in service.archive.job_queue.jobs()), "the waiting")
        assert JobState.WITHDRAWN not in counts(service)
        subprocess.run(["mount", "--bind", str(away), str(settings.inbox_dir)], check=True)
        eventually(lambda: counts(service) == {JobState.DONE: 6}, "the filing of all")
    finally:
        service.stop()
        thread.join(DEADLINE_SECONDS)
        for folder in (settings.inbox_dir, away):
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        service.archive.close()
    assert not thread.is_alive()


def test_an_inbox_whose_volume_is_away_keeps_its_jobs(
    archive: Archive, queued_job: Callable[..., Job], leased_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing files are not withdrawn while the folder is on another volume than before, or is not there at all."""
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "ismount", lambda path: Path(path) in {archive.settings.inbox_dir, Path("/")})
        filing = open_archive(archive.settings).filing
    job = leased_job("lunch.jpg")
    (archive.settings.inbox_dir / "lunch.jpg").unlink()
    with pytest.raises(StorageError, match="is not available"):
        filing.claim_copy(job)
    shutil.rmtree(archive.settings.inbox_dir)
    with pytest.raises(StorageError, match="is not available"):
        archive.filing.claim_copy(job)
    archive.settings.inbox_dir.mkdir()
    assert archive.filing.claim_copy(job) is None


def test_an_empty_folder_in_the_place_of_the_outbox_takes_nothing(settings: Settings) -> None:
    """As when its volume is not mounted: files wait in the inbox, also after a new start, and are filed when it is back."""
    with running(settings) as service:
        put(settings, "first.png")
        eventually(lambda: counts(service) == {JobState.DONE: 1}, "the first file")
        away = settings.outbox_dir.rename(settings.outbox_dir.with_name("away"))
        settings.outbox_dir.mkdir()
        put(settings, "second.png")
        eventually(service.heartbeat.troubles, "the waiting")
    with running(settings) as service:
        eventually(service.heartbeat.troubles, "the waiting after a new start")
        assert files(settings.outbox_dir) == []
        assert files(settings.inbox_dir) == ["second.png"]
        settings.outbox_dir.rmdir()
        away.rename(settings.outbox_dir)
        eventually(lambda: counts(service) == {JobState.DONE: 2}, "the second file")


def test_an_outbox_that_was_emptied_is_used_again_after_init(settings: Settings) -> None:
    """After moving everything away, `receipts init` starts a new outbox."""
    put(settings, "first.png")
    with running(settings) as service:
        eventually(lambda: counts(service) == {JobState.DONE: 1}, "the first file")
        shutil.rmtree(settings.outbox_dir)
        put(settings, "second.png")
        eventually(service.heartbeat.troubles, "the waiting")
        assert prepare(settings) == (settings.outbox_dir,)
        eventually(lambda: counts(service) == {JobState.DONE: 2}, "the second file")


# The database


def test_a_damaged_database_ends_the_service_and_a_copy_is_kept(settings: Settings) -> None:
    """The error says what to do. Neither database nor copy changes afterwards, however often it is started; files stay in the inbox."""
    prepare(settings)
    for number in range(30):
        put(settings, f"{number}.png")
    build_service(settings, extract=ScriptedExtraction(), check=lambda _: None).run_once()
    put(settings, "waits.png")
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with settings.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(settings.database.stat().st_size - 4096))
    damaged, copy = settings.database.read_bytes(), settings.database.with_name("receipts.db.damaged")
    for _ in range(2):
        with pytest.raises(DatabaseDamaged, match=r"receipts\.db\.damaged.*receipts restore"):
            build_service(settings, extract=ScriptedExtraction(), check=lambda _: None).run_once()
        assert settings.database.read_bytes() == damaged
        assert copy.read_bytes() == damaged
    assert files(settings.inbox_dir) == ["waits.png"]


def test_what_is_no_database_is_not_overwritten(tmp_path: Path) -> None:
    """A file in its place is left as it is, and copied."""
    path = tmp_path / "receipts.db"
    path.write_text("dear diary, " * 1000)
    with pytest.raises(DatabaseDamaged, match=r"receipts\.db is damaged: file is not a database"):
        Database(path)
    assert path.read_text() == path.with_name("receipts.db.damaged").read_text() == "dear diary, " * 1000


def test_damage_is_no_fault_of_the_files_that_are_read(settings: Settings) -> None:
    """Damage that is met while a receipt is read ends the worker; the receipt is not failed for it."""
    put(settings, "lunch.png")

    def damage(_: Source) -> None:
        raise DatabaseDamaged("receipts.db is damaged. Restore a backup.")

    service = build_service(settings, extract=ScriptedExtraction(damage), check=lambda _: None)
    with pytest.raises(DatabaseDamaged):
        service.run()
    assert counts(service) == {JobState.QUEUED: 1}


def test_a_database_that_is_removed_is_waited_for_and_never_made_anew(settings: Settings) -> None:
    """While the file is gone nothing is written to what others cannot see; when it is put back, work goes on."""
    with running(settings) as service:
        put(settings, "first.png")
        eventually(lambda: counts(service) == {JobState.DONE: 1}, "the first file")
        away = settings.database.rename(settings.database.with_name("away.db"))
        put(settings, "second.png")
        eventually(service.heartbeat.troubles, "the waiting")
        with pytest.raises(StorageError, match=r"does not exist any more\. Put it back"):
            counts(service)
        assert not settings.database.exists()
        away.rename(settings.database)
        eventually(lambda: counts(service) == {JobState.DONE: 2}, "the second file")


def test_a_database_that_is_replaced_ends_the_service(settings: Settings) -> None:
    """Anything written to the old file would be lost."""
    prepare(settings)
    shutil.copy(settings.database, settings.database.with_name("other.db"))
    service = build_service(settings, extract=ScriptedExtraction(), check=lambda _: None)
    settings.database.with_name("other.db").replace(settings.database)
    put(settings, "lunch.png")
    with pytest.raises(DatabaseDamaged, match="was replaced"):
        service.run()
    assert files(settings.inbox_dir) == ["lunch.png"]


def test_a_used_outbox_gets_no_new_database_silently(settings: Settings) -> None:
    """A database that is missing at the start is asked for; `receipts init` begins a new one."""
    open_archive(settings).close()
    settings.database.unlink()
    with pytest.raises(ConfigError, match="receipts restore BACKUP"):
        open_archive(settings)
    assert not settings.database.exists()
    assert prepare(settings) == (settings.database,)
    open_archive(settings).close()


def test_a_database_that_cannot_grow_is_waited_for(settings: Settings) -> None:
    """A limit of the system on the size of files is like a full disk: no file fails for it."""
    resource = pytest.importorskip("resource")
    with running(settings) as service:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, limits[1]))
        try:
            for number in range(6):
                put(settings, f"{number}.png")
            eventually(service.heartbeat.troubles, "the waiting")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        eventually(lambda: counts(service) == {JobState.DONE: 6}, "the filing of all")


# Folders in the inbox, and the lock


@pytest.mark.parametrize("call", ["scandir", "stat"])
def test_a_subfolder_without_permission_is_reported_and_stops_nothing(
    settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """It is refused by name, once; the other files are taken."""
    scandir, private = os.scandir, settings.inbox_dir / "private"
    private.mkdir(parents=True)
    inbox = Inbox(settings.inbox_dir, settings.inbox, lambda _: None, clock)

    class Entry:
        """As the system gives for what lies in a folder without the right to search it."""

        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self.path = entry.name, entry.path

        def stat(self, **_: bool) -> os.stat_result:
            raise PermissionError(errno.EACCES, "Permission denied", self.path)

    @contextmanager
    def listed(folder: Path) -> Iterator[Iterator[Entry]]:
        with scandir(folder) as entries:
            yield (Entry(entry) for entry in entries)

    def refuse(folder: Path) -> object:
        if Path(folder) != private:
            return scandir(folder)
        if call == "stat":
            return listed(folder)
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    put(settings, "lunch.jpg")
    (private / "bill.jpg").write_bytes(b"bill")
    monkeypatch.setattr(os, "scandir", refuse)
    settled = {str(one.arrival.path): str(one.error) for one in inbox.scan((), ())}
    told = "private" if call == "scandir" else "private/bill.jpg"
    assert settled["lunch.jpg"] == "None"
    assert "cannot be opened (Permission denied). Give this user permission" in settled[told]
    assert len(settled) == 2
    assert [str(one.arrival.path) for one in inbox.scan((), {Path(told)})] == ["lunch.jpg"]


def test_a_volume_without_locks_is_not_taken_for_another_service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's error is retried or reported as a storage error."""
    fcntl = pytest.importorskip("fcntl")
    prepare(settings)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match="No locks available"), InstanceLock(settings.database):
        pass


# The clock


@pytest.mark.parametrize("days", [-3000, -30, -1, 1, 30])
def test_a_clock_that_jumps_keeps_no_file_waiting(archive: Archive, clock: ManualClock, drop: Callable[..., Path], days: int) -> None:
    """Whatever the clock showed when a file came, or was stored, or failed to be filed: it goes on at once, or after the longest wait."""
    job_queue = JobQueue(archive.database, clock, WorkSettings(backoff_seconds=10, max_backoff_seconds=100))
    for name in ("fresh.jpg", "tried.jpg", "decided.jpg"):
        path = drop(name)
        assert job_queue.enqueue(Arrival(path.relative_to(archive.settings.inbox_dir), 1, name))
    jobs = {job.name: job for job in job_queue.claim("w", 3)}
    job_queue.try_again(jobs["tried.jpg"], StorageError("No space left on device."))
    job_queue.fail(jobs["decided.jpg"], Unreadable("decided.jpg is cut off."))
    job_queue.release("w")
    clock.set_by(days * DAY)
    job_queue.reclaim()
    claimed = {job.name for job in job_queue.claim("w", 3)}
    assert "fresh.jpg" in claimed
    assert [job.name for job in job_queue.to_file(3)] == ["decided.jpg"]
    clock.advance(100)
    assert "tried.jpg" in claimed | {job.name for job in job_queue.claim("w", 3)}


def test_a_clock_that_jumps_does_not_settle_a_file(settings: Settings, clock: ManualClock) -> None:
    """The settle time is measured with the monotonic clock."""
    inbox = InboxSettings(settle_seconds=5)
    service = build_service(settings.model_copy(update={"inbox": inbox}), extract=ScriptedExtraction(), check=lambda _: None, clock=clock)
    put(settings, "lunch.png")
    for days in (10, -20):
        clock.set_by(days * DAY)
        assert service.scanner.scan() == 0
    clock.advance(5)
    assert service.scanner.scan() == 1


# Events and threads


def test_the_real_limit_of_inotify_leads_to_polling(tmp_path: Path) -> None:
    """Where the kernel gives no more watches, files are found all the same, and the log says so."""
    script = (
        "import logging, sys, time; from pathlib import Path; from extractor.storage.files.folder_events import FolderEvents\n"
        "logging.basicConfig(stream=sys.stdout, format='%(message)s'); seen = []; folder = Path(sys.argv[1])\n"
        "with FolderEvents(folder, seen.append, poll=False, poll_seconds=0.05) as events:\n"
        "    print(events.is_polling, flush=True); (folder / 'lunch.jpg').write_bytes(b'x')\n"
        "    end = time.monotonic() + 20\n"
        "    while not seen and time.monotonic() < end: time.sleep(0.02)\n"
        "print(len(seen) > 0)"
    )
    limit = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh", sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0 and "Traceback" not in done.stderr:
        pytest.skip(f"no limits of its own for a process here: {done.stderr.strip()}")
    assert done.stdout.split() == ["events_polled", "True", "True"], done.stderr


def test_events_that_end_are_begun_anew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of the events that dies, or another folder in the inbox's place, is noticed at the next scan and said."""
    started: list[object] = []

    def make() -> object:
        started.append(Observer())
        return started[-1]

    monkeypatch.setattr(folder_events, "Observer", make)
    with running(settings):
        eventually(lambda: len(started) == 1, "the first events")
        started[0].stop()  # type: ignore[attr-defined]
        eventually(lambda: len(started) == 2, "new events")
        settings.inbox_dir.rename(settings.inbox_dir.with_name("old"))
        settings.inbox_dir.mkdir()
        eventually(lambda: len(started) == 3, "events of the new folder")


def test_events_know_whether_they_are_alive(tmp_path: Path) -> None:
    """Alive while the threads run and the folder is the same; a missing folder does not count as dead."""
    folder = tmp_path / "inbox"
    with FolderEvents(folder, lambda _: None, poll=False, poll_seconds=1) as without:
        assert without.is_alive()
        folder.mkdir()
        assert not without.is_alive()
    with FolderEvents(folder, lambda _: None, poll=False, poll_seconds=1) as events_of_it:
        assert events_of_it.is_alive()
    assert not events_of_it.is_alive()


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt, MemoryError])
def test_a_thread_that_ends_in_whatever_way_ends_the_service(end: type[BaseException]) -> None:
    """A service with a thread less does not look alive."""

    def task() -> None:
        raise end

    with pytest.raises(end):
        Supervisor().run(ThreadGroup((task,), lambda: None, lambda _: None))


# Names


@pytest.mark.parametrize("has_links", [True, False])
def test_giving_a_name_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    """Whoever took the name first keeps it; also where the volume has no links."""
    if not has_links:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    source, taken, free = tmp_path / "source", tmp_path / "taken", tmp_path / "free"
    source.write_bytes(b"source")
    taken.write_bytes(b"taken")
    with pytest.raises(FileExistsError):
        rename_to_free(source, taken)
    assert (source.read_bytes(), taken.read_bytes()) == (b"source", b"taken")
    rename_to_free(source, free)
    assert (free.read_bytes(), source.exists()) == (b"source", False)
