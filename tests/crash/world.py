"""What users drop, change and take back while the service works; and what must be true of it in the end."""

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

END = b"the end"
"""Of every complete file."""

KINDS = ("good", "good", "good", "pair", "bad", "flaky", "curable", "damaged", "odd")
"""What the first word of a file says about reading it; see `Script` and `check`."""


@dataclass(frozen=True)
class Deed:
    """Something that a user did.

    Attributes:
        path: Relative to the inbox.
        sha256: Of the bytes that were put there.
    """

    kind: Literal["put", "take"]
    path: str
    sha256: str = ""


def settings_in(root: Path) -> Settings:
    """An installation that gives up on nothing because it was killed."""
    return Settings(
        inbox_dir=root / "inbox",
        outbox_dir=root / "outbox",
        database=root / "receipts.db",
        inbox=InboxSettings(settle_seconds=0, patience_seconds=60, rescan_seconds=0.1),
        work=WorkSettings(max_attempts=10_000, backoff_seconds=0.01, batch_size=20),
    )


def check(path: Path) -> None:
    """A file is complete when it has an end, and encrypted when it says so."""
    data = path.read_bytes()
    if data.startswith(b"damaged"):
        raise Encrypted(f"{path.name} is encrypted. Remove the password.")
    if not data.endswith(END):
        raise Unreadable(f"{path.name} is cut off. Copy the whole file again.")


@dataclass
class Script:
    """How reading goes, by the file's first word: a pair has two records, bad always fails, curable once, flaky is away twice, odd is a
    bug once."""

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
    """Whoever uses the inbox; each file comes under its name in one step, or in two halves.

    Args:
        tell: Called before each deed, with the bytes of a put.
        at_work: Entered while files are changed.
        prefix: Begins the names of new files, to keep users apart.
    """

    def __init__(
        self,
        inbox_dir: Path,
        rng: random.Random,
        tell: Callable[[Deed, bytes], None],
        at_work: Callable[[], AbstractContextManager[None]] = nullcontext,
        *,
        prefix: str = "",
    ) -> None:
        self._inbox_dir = inbox_dir
        self._rng = rng
        self._tell = tell
        self._at_work = at_work
        self._prefix = prefix
        self._there: list[str] = []
        self._contents: list[bytes] = []

    def new_bytes(self, kind: str | None = None) -> bytes:
        """A file that nobody has had, now and then one that somebody has."""
        if kind is None and self._contents and self._rng.random() < 0.2:
            return self._rng.choice(self._contents)
        data = f"{kind or self._rng.choice(KINDS)} {self._rng.getrandbits(64)} ".encode() * self._rng.randrange(1, 40) + END
        self._contents.append(data)
        return data

    def new_name(self) -> str:
        """Most names are new."""
        folder = self._rng.choice(["", "", "trip/", "trip/2026/"])
        return f"{folder}{self._prefix}receipt {self._rng.randrange(100)}.{self._rng.choice(['jpg', 'pdf', 'json', 'PNG'])}"

    def put(self, path: str | None = None, data: bytes | None = None, *, is_halved: bool = False) -> None:
        """A file appears, in the place of one that has its name."""
        path, data = path or self.new_name(), data or self.new_bytes()
        self._tell(Deed("put", path, hashlib.sha256(data).hexdigest()), data)
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
        """A file is taken back, if it is there yet."""
        if path is None and not self._there:
            return
        path = path or self._rng.choice(self._there)
        self._tell(Deed("take", path), b"")
        with self._at_work():
            (self._inbox_dir / path).unlink(missing_ok=True)

    def replace(self) -> None:
        """Another file gets the name of one that was put before."""
        if self._there:
            self.put(self._rng.choice(self._there))


class Plot:
    """Called at every step: does what users do just then. Every step happens under it, and random deeds come on top.

    Args:
        chance: Of a random deed at a step.
    """

    def __init__(self, user: User, rng: random.Random, *, chance: float) -> None:
        self.archive: Archive | None = None
        self.counts: Counter[Checkpoint] = Counter()
        self._user = user
        self._rng = rng
        self._chance = chance
        self._said: set[str] = set()
        self._goes, self._replaced = (f"{name} {rng.getrandbits(32)}.jpg" for name in ("goes", "replaced"))

    def begin(self) -> None:
        """What lies in the inbox before the service starts: one of each kind, one twice, one that goes, one that is replaced."""
        twin = self._user.new_bytes("good")
        for number, kind in enumerate(sorted(set(KINDS))):
            self._user.put(f"{'trip/' * (number % 2)}{kind} {self._rng.getrandbits(32)}.jpg", self._user.new_bytes(kind))
        for folder in ("", "trip/"):
            self._user.put(f"{folder}twin {self._rng.getrandbits(32)}.jpg", twin)
        for name in (self._goes, self._replaced):
            self._user.put(name, self._user.new_bytes("good"))

    def __call__(self, step: Checkpoint) -> None:
        self.counts[step] += 1
        if step is Checkpoint.CLAIMED and self._is_claimed(self._goes):
            self._user.take(self._goes)
        elif step is Checkpoint.READ and self._is_claimed(self._replaced):
            self._user.put(self._replaced, self._user.new_bytes("good"))
        elif step is Checkpoint.FILED and self._is_time_to_retry():
            self._retry()
        elif step is not Checkpoint.REQUEUED and self._rng.random() < self._chance:
            self._rng.choice([self._user.put, self._user.put, self._user.replace, self._user.take, self._retry])()

    def _is_claimed(self, path: str) -> bool:
        """Whether the file is being read; said once."""
        if self.archive is None or path in self._said:
            return False
        is_claimed = any(job.path == Path(path) for job in self.archive.job_queue.jobs(JobState.READING))
        if is_claimed:
            self._said.add(path)
        return is_claimed

    def _is_time_to_retry(self) -> bool:
        return self.archive is not None and not self.counts[Checkpoint.REQUEUED] and bool(self._failed())

    def _failed(self) -> list[Job]:
        return [job for job in self.archive.job_queue.jobs(JobState.FAILED) if job.filed_at] if self.archive else []

    def _retry(self) -> None:
        if self.archive:
            # A disk that fails just now is told to whoever retries, and not to the service.
            with suppress(StorageError):
                self.archive.retry([job.receipt_id for job in self._failed()[-2:]] or ["none"])


class ShiftedClock(SystemClock):
    """The machine's clock, some days later where a test wants that."""

    def __init__(self) -> None:
        self.days = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


def work_off(settings: Settings) -> None:
    """All that can be done without users is done, what is to be tried again included."""
    clock, extraction = ShiftedClock(), ScriptedExtraction(Script())
    for _ in range(5):  # the first time something may have to wait, then the reader is away twice
        service = build_service(settings, extract=extraction, check=check, clock=clock)
        service.run_once()
        service.archive.close()
        clock.days += 1


def problems(settings: Settings, deeds: Sequence[Deed]) -> list[str]:
    """What is not as it should be after `work_off`: lost, filed twice, left behind, or told differently in two places."""
    archive = open_archive(settings)
    try:
        return [*_wrong_files(archive), *_wrong_counts(archive, deeds), *_wrong_database(archive)]
    finally:
        archive.close()


def _wrong_files(archive: Archive) -> Iterator[str]:
    """Whether folders and database agree on every file, and nothing lies there that should not."""
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
                continue  # it was on its way back when the power went: the inbox has taken it as a new file, and has a row for that
            is_half_way_back = job.state is JobState.FAILED and not beside.exists()  # its notice goes first
            yield from _wrong_pair(archive, job, place, None if is_half_way_back else beside)
            for number, other in enumerate(others, 2):
                yield from _wrong_record(archive, job, other, number)
            expected |= {place} if is_half_way_back else {place, beside, *others}
    yield from (f"{path} is left" for path in sorted(_files(outbox.root) - expected))
    yield from (f"{path} is left" for path in sorted(_files(archive.settings.inbox_dir)) if path.suffix != ".part")  # a user was killed


def _is_done(job: Job) -> bool:
    return job.state is JobState.DONE


def _records_of(original: Path) -> int:
    """How many receipts a filed file shows; see `Script`."""
    return 2 if original.exists() and original.read_bytes().startswith(b"pair") else 1


def _has(place: Path, job: Job) -> bool:
    """Whether the notice beside the place, if there is one, and the file there are those of the job."""
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


def _wrong_counts(archive: Archive, deeds: Sequence[Deed]) -> Iterator[str]:
    """Whether each content that was put and not taken back is there, once, and not more copies of it than were put."""
    put = Counter(deed.sha256 for deed in deeds if deed.kind == "put")
    there = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(archive.outbox.root))
    done = Counter(job.sha256 for job in archive.job_queue.jobs(JobState.DONE))
    filed = done + Counter(job.sha256 for job in archive.job_queue.jobs(JobState.FAILED))
    yield from (f"{sha256} is lost" for sha256 in sorted(_certain(deeds)) if not there[sha256] or not filed[sha256])
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


def _certain(deeds: Sequence[Deed]) -> set[str]:
    """Contents that were put at least once without being taken back or replaced."""
    last: dict[str, Deed] = {}
    for deed in deeds:
        last[deed.path] = deed
    return {deed.sha256 for deed in last.values() if deed.kind == "put"}


def _wrong_database(archive: Archive) -> Iterator[str]:
    with closing(sqlite3.connect(archive.settings.database)) as connection:
        for pragma in ("integrity_check", "foreign_key_check"):
            found = connection.execute(f"PRAGMA {pragma}").fetchall()
            if found not in ([("ok",)], []):
                yield f"{pragma}: {found}"


def _files(folder: Path) -> set[Path]:
    return {Path(parent) / name for parent, _, names in os.walk(folder) for name in names}
