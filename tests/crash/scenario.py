"""Actions of users while the service runs, and the invariants that must hold after recovery."""

import hashlib
import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from extractor.config.settings import InboxSettings, Settings, WorkSettings
from extractor.errors import Encrypted, ReaderUnavailable, StorageError, Unreadable
from extractor.jobs import Extracted, Job, JobState, Source, part_id
from extractor.runtime.checkpoints import Checkpoint
from extractor.runtime.clock import SystemClock
from extractor.schemas.record import Record
from extractor.service.app import build_service
from extractor.storage.archive import Archive, open_archive
from extractor.testing import ScriptedExtraction, make_record

# Ends every complete file.
END_MARKER = b"the end"

# First word of a file, which decides how it is read; see `Script` and `check`.
KINDS = ("good", "good", "good", "pair", "bad", "flaky", "curable", "damaged", "odd")


@dataclass(frozen=True)
class Action:
    """One action of a user on the inbox.

    Attributes:
        path: Relative to the inbox.
        sha256: Of the bytes that were put there.
    """

    kind: Literal["put", "take"]
    path: str
    sha256: str = ""


def settings_in(root: Path) -> Settings:
    """Settings under which no file fails merely because the service was killed."""
    return Settings(
        inbox_dir=root / "inbox",
        outbox_dir=root / "outbox",
        database=root / "receipts.db",
        inbox=InboxSettings(settle_seconds=0, patience_seconds=60, rescan_seconds=0.1),
        work=WorkSettings(max_attempts=10_000, backoff_seconds=0.01, batch_size=20),
    )


def check(path: Path) -> None:
    """Accept files that end with `END_MARKER`; files that begin with `damaged` count as encrypted."""
    data = path.read_bytes()
    if data.startswith(b"damaged"):
        raise Encrypted(f"{path.name} is encrypted. Remove the password.")
    if not data.endswith(END_MARKER):
        raise Unreadable(f"{path.name} is cut off. Copy the whole file again.")


@dataclass
class Script:
    """Scripted reader. The first word of the file decides: `pair` has two records, `bad` always fails, `curable` fails once, `odd` raises
    an unexpected exception once, and for `flaky` the reader is unavailable twice.
    """

    seen: Counter[str] = field(default_factory=Counter)

    def __call__(self, source: Source) -> Record | Extracted | None:
        self.seen[source.sha256] += 1
        kind, is_first = source.path.read_bytes().split()[0], self.seen[source.sha256] == 1
        if kind == b"bad" or (kind == b"curable" and is_first):
            return Unreadable(f"{source.name} is no receipt. Look at it.")
        if kind == b"flaky" and self.seen[source.sha256] <= 2:  # the first time may be that of a batch with an odd one, which is read again
            return ReaderUnavailable("The reader is away. It is asked again.")
        if kind == b"odd" and is_first:
            raise ZeroDivisionError
        if kind == b"pair":
            return tuple(make_record(source, receipt_id=part_id(source.receipt_id, number)) for number in (1, 2))
        return None


class User:
    """A user of the inbox. Files appear under their name atomically, or are written in two halves.

    Args:
        on_action: Called before each action, with the bytes of a put.
        at_work: Context in which files are changed.
        prefix: Prefix of the names of new files, so that users do not collide.
    """

    def __init__(
        self,
        inbox_dir: Path,
        rng: random.Random,
        on_action: Callable[[Action, bytes], None],
        at_work: Callable[[], AbstractContextManager[None]] = nullcontext,
        *,
        prefix: str = "",
    ) -> None:
        self._inbox_dir = inbox_dir
        self._rng = rng
        self._on_action = on_action
        self._at_work = at_work
        self._prefix = prefix
        self._there: list[str] = []
        self._contents: list[bytes] = []

    def new_bytes(self, kind: str | None = None) -> bytes:
        """Return new file contents, or sometimes contents that were used before."""
        if kind is None and self._contents and self._rng.random() < 0.2:
            return self._rng.choice(self._contents)
        data = f"{kind or self._rng.choice(KINDS)} {self._rng.getrandbits(64)} ".encode() * self._rng.randrange(1, 40) + END_MARKER
        self._contents.append(data)
        return data

    def new_name(self) -> str:
        """Return a file name, which is usually new."""
        folder = self._rng.choice(["", "", "trip/", "trip/2026/"])
        return f"{folder}{self._prefix}receipt {self._rng.randrange(100)}.{self._rng.choice(['jpg', 'pdf', 'json', 'PNG'])}"

    def put(self, path: str | None = None, data: bytes | None = None, *, is_halved: bool = False) -> None:
        """Put a file into the inbox; it replaces one of the same name."""
        path, data = path or self.new_name(), data or self.new_bytes()
        self._on_action(Action("put", path, hashlib.sha256(data).hexdigest()), data)
        full, hidden = self._inbox_dir / path, self._inbox_dir / f".{self._rng.getrandbits(64)}.part"
        with self._at_work():
            full.parent.mkdir(parents=True, exist_ok=True)
            hidden.write_bytes(data[: len(data) // 2] if is_halved else data)
            hidden.replace(full)
            if is_halved:
                with full.open("ab") as file:
                    file.write(data[len(data) // 2 :])
        self._there.append(path)

    def take(self, path: str | None = None) -> None:
        """Remove a file from the inbox if it is still there."""
        if path is None and not self._there:
            return
        path = path or self._rng.choice(self._there)
        self._on_action(Action("take", path), b"")
        with self._at_work():
            (self._inbox_dir / path).unlink(missing_ok=True)

    def replace(self) -> None:
        """Put another file under the name of an earlier one."""
        if self._there:
            self.put(self._rng.choice(self._there))


class FaultPlan:
    """User actions at checkpoints of the service. It provokes every checkpoint, and adds random actions.

    Args:
        chance: Probability of a random action at a checkpoint.
    """

    def __init__(self, user: User, rng: random.Random, *, chance: float) -> None:
        self.archive: Archive | None = None
        self.counts: Counter[Checkpoint] = Counter()
        self._user = user
        self._rng = rng
        self._chance = chance
        self._reported: set[str] = set()
        self._to_remove, self._to_replace = (f"{name} {rng.getrandbits(32)}.jpg" for name in ("goes", "replaced"))

    def begin(self) -> None:
        """Fill the inbox before the service starts: one file of each kind, one duplicate, one to be removed, one to be replaced."""
        twin = self._user.new_bytes("good")
        for number, kind in enumerate(sorted(set(KINDS))):
            self._user.put(f"{'trip/' * (number % 2)}{kind} {self._rng.getrandbits(32)}.jpg", self._user.new_bytes(kind))
        for folder in ("", "trip/"):
            self._user.put(f"{folder}twin {self._rng.getrandbits(32)}.jpg", twin)
        for name in (self._to_remove, self._to_replace):
            self._user.put(name, self._user.new_bytes("good"))

    def __call__(self, step: Checkpoint) -> None:
        self.counts[step] += 1
        if step is Checkpoint.CLAIMED and self._is_claimed(self._to_remove):
            self._user.take(self._to_remove)
        elif step is Checkpoint.READ and self._is_claimed(self._to_replace):
            self._user.put(self._to_replace, self._user.new_bytes("good"))
        elif step is Checkpoint.FILED and self._is_time_to_retry():
            self._retry()
        elif step is not Checkpoint.REQUEUED and self._rng.random() < self._chance:
            self._rng.choice([self._user.put, self._user.put, self._user.replace, self._user.take, self._retry])()

    def _is_claimed(self, path: str) -> bool:
        """Whether the file is being read; true at most once for each file."""
        if self.archive is None or path in self._reported:
            return False
        is_claimed = any(job.path == Path(path) for job in self.archive.job_queue.jobs(JobState.READING))
        if is_claimed:
            self._reported.add(path)
        return is_claimed

    def _is_time_to_retry(self) -> bool:
        return self.archive is not None and not self.counts[Checkpoint.REQUEUED] and bool(self._failed())

    def _failed(self) -> list[Job]:
        return [job for job in self.archive.job_queue.jobs(JobState.FAILED) if job.filed_at] if self.archive else []

    def _retry(self) -> None:
        if self.archive:
            # A failing disk is reported to the user who retries, not to the service.
            with suppress(StorageError):
                self.archive.retry([job.receipt_id for job in self._failed()[-2:]] or ["none"])


class ShiftedClock(SystemClock):
    """The system clock, shifted by a number of days."""

    def __init__(self) -> None:
        self.days = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


def process_all(settings: Settings) -> None:
    """Run the service until nothing is left to do, retries included."""
    clock, extraction = ShiftedClock(), ScriptedExtraction(Script())
    for _ in range(5):  # the first run may leave work that has to wait; then the reader is unavailable twice
        service = build_service(settings, extract=extraction, check=check, clock=clock)
        service.run_once()
        service.archive.close()
        clock.days += 1


def problems(settings: Settings, actions: Sequence[Action]) -> list[str]:
    """Return violated invariants after `process_all`: files lost, filed twice or left behind, and contradictions."""
    archive = open_archive(settings)
    try:
        return [*_wrong_files(archive), *_wrong_counts(archive, actions), *_wrong_database(archive)]
    finally:
        archive.close()


def _wrong_files(archive: Archive) -> Iterator[str]:
    """Check that folders and database agree on every file, and that no other files exist."""
    jobs, outbox = archive.job_queue.jobs(), archive.outbox
    expected: set[Path] = set()
    for job in jobs:
        if not job.filed_at:
            yield f"{job.name} is {job.state} still: {job.error_message}"
        elif job.state in {JobState.DONE, JobState.FAILED, JobState.DUPLICATE} and job.filed_as:
            place = outbox.root / job.filed_as
            beside = outbox.layout.record(job.filed_as) if job.state is JobState.DONE else outbox.layout.notice(job.filed_as)
            others = [outbox.layout.record(job.filed_as, number) for number in range(2, 1 + _records_of(place))] if _is_done(job) else []
            if job.state is JobState.FAILED and any(one.sha256 == job.sha256 for one in jobs if one.id != job.id) and not _has(place, job):
                continue  # the power cut came during its retry: the inbox accepted it as a new file, with a row of its own
            is_half_way_back = job.state is JobState.FAILED and not beside.exists()  # its notice is removed first
            yield from _wrong_pair(archive, job, place, None if is_half_way_back else beside)
            for number, other in enumerate(others, 2):
                yield from _wrong_record(archive, job, other, number)
            expected |= {place} if is_half_way_back else {place, beside, *others}
    yield from (f"{path} is left over" for path in sorted(_files(outbox.root) - expected))
    yield from (
        f"{path} is left over" for path in sorted(_files(archive.settings.inbox_dir)) if path.suffix != ".part"
    )  # left by a killed user


def _is_done(job: Job) -> bool:
    return job.state is JobState.DONE


def _records_of(original: Path) -> int:
    """Number of receipts in a filed file; see `Script`."""
    return 2 if original.exists() and original.read_bytes().startswith(b"pair") else 1


def _has(place: Path, job: Job) -> bool:
    """Whether the file at this place, and its notice if it has one, belong to the job."""
    notice = place.with_name(f"{place.name}.error.json")
    return place.exists() and (not notice.exists() or json.loads(notice.read_bytes())["receipt_id"] == job.receipt_id)


def _wrong_pair(archive: Archive, job: Job, place: Path, beside: Path | None) -> Iterator[str]:
    if not place.exists() or hashlib.sha256(place.read_bytes()).hexdigest() != job.sha256:
        yield f"{place} does not hold the bytes of {job.name}, {job.state}"
    if beside is None:
        return
    if _is_done(job):
        yield from _wrong_record(archive, job, beside, 1)
        return
    try:
        if json.loads(beside.read_bytes())["receipt_id"] != job.receipt_id:
            yield f"{beside} is about another file than {job.receipt_id}"
    except (OSError, ValueError) as error:
        yield f"{beside}: {error}"


def _wrong_record(archive: Archive, job: Job, beside: Path, number: int) -> Iterator[str]:
    try:
        if Record.model_validate_json(beside.read_bytes()) != archive.receipts.get(part_id(job.receipt_id, number)):
            yield f"{beside} is not as in the database"
    except (OSError, ValueError) as error:
        yield f"{beside}: {error}"


def _wrong_counts(archive: Archive, actions: Sequence[Action]) -> Iterator[str]:
    """Check that contents that were put and not removed are filed once, and that no more copies exist than were put."""
    put = Counter(action.sha256 for action in actions if action.kind == "put")
    there = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(archive.outbox.root))
    done = Counter(job.sha256 for job in archive.job_queue.jobs(JobState.DONE))
    filed = done + Counter(job.sha256 for job in archive.job_queue.jobs(JobState.FAILED))
    yield from (f"{sha256} is lost" for sha256 in sorted(_certain(actions)) if not there[sha256] or not filed[sha256])
    yield from (f"{sha256} is filed twice" for sha256, count in done.items() if count > 1)
    yield from (f"{sha256} was put {put[sha256]} times and is there {there[sha256]} times" for sha256 in put if there[sha256] > put[sha256])
    records = Counter(record.receipt_id for record in archive.receipts.list())
    expected = Counter(
        part_id(job.receipt_id, number)
        for job in archive.job_queue.jobs(JobState.DONE)
        for number in range(1, 1 + _records_of(archive.outbox.root / (job.filed_as or "")))
    )
    if records != expected:
        yield "records and jobs that are done are not the same"


def _certain(actions: Sequence[Action]) -> set[str]:
    """Hashes of contents that were put and neither removed nor replaced afterwards."""
    last: dict[str, Action] = {}
    for action in actions:
        last[action.path] = action
    return {action.sha256 for action in last.values() if action.kind == "put"}


def _wrong_database(archive: Archive) -> Iterator[str]:
    with closing(sqlite3.connect(archive.settings.database)) as connection:
        for pragma in ("integrity_check", "foreign_key_check"):
            found = connection.execute(f"PRAGMA {pragma}").fetchall()
            if found not in ([("ok",)], []):
                yield f"{pragma}: {found}"


def _files(folder: Path) -> set[Path]:
    return {Path(parent) / name for parent, _, names in os.walk(folder) for name in names}
