"""A file on its way from inbox to outbox, as a value that travels."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from extractor.errors import InputError
from extractor.files import printable


class JobState(StrEnum):
    """Where a file is."""

    QUEUED = "queued"  # settled and complete; waits for a worker
    READING = "reading"  # a worker has it until its lease ends
    STORED = "stored"  # its record is saved; its files are on their way
    DONE = "done"  # record, JSON and original are in place
    FAILED = "failed"  # will not be read, with the reason
    DUPLICATE = "duplicate"  # the same bytes are filed or on their way already
    WITHDRAWN = "withdrawn"  # gone or changed in the inbox before it was read


class Refused(InputError):
    """Something in the inbox that is no file (a link, FIFO, device), may not be opened, or is enormous: left there, refused by name."""


@dataclass(frozen=True)
class Arrival:
    """A file that the inbox hands over.

    Attributes:
        path: Relative to the inbox.
        size_bytes: 0 where it is not a file.
        sha256: Of its bytes; `None` where they cannot be read.
    """

    path: Path
    size_bytes: int
    sha256: str | None

    @property
    def name(self) -> str:
        return printable(self.path.name)

    @property
    def tags(self) -> tuple[str, ...]:
        """The subfolders' names, outermost first."""
        return tuple(printable(part) for part in self.path.parent.parts)


@dataclass(frozen=True)
class Job:
    """One file's row as it was when it was read; see `Arrival` for the first fields.

    Attributes:
        receipt_id: Its identifier, also that of its record if it gets one.
        attempts: Attempts that ended in an error that counts.
        interruptions: Times that the program died while reading it.
        waits: Waits for storage since the last success; they do not count as attempts.
        next_attempt_at: Seconds since 1970; not tried before.
        duplicate_of: `receipt_id` of the job with the same bytes.
        filed_as: Where the file lies, or is to lie, relative to the outbox.
        filed_at: When everything was in place; `None` while the job is open.
    """

    id: int
    receipt_id: str
    path: Path
    name: str
    sha256: str | None
    size_bytes: int
    tags: tuple[str, ...]
    received_at: datetime
    state: JobState
    worker: str | None
    attempts: int
    interruptions: int
    waits: int
    next_attempt_at: float
    error_kind: str | None
    error_message: str | None
    duplicate_of: str | None
    filed_as: str | None
    filed_at: datetime | None
