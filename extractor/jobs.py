"""A file on its way from inbox to outbox, as a value that travels."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from extractor.errors import ExtractorError, InputError
from extractor.runtime.filenames import printable
from extractor.schemas.record import Record


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


RECEIPT_ID_LENGTH = 26
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Source:
    """A file and what is known of it before it is read.

    Attributes:
        path: Where its bytes lie while they are read; nobody else writes there.
        name: File name as it was dropped, valid Unicode: bytes that are not UTF-8 are written with a backslash and their hexadecimal value.
        sha256: Of the raw bytes, 64 lower-case hexadecimal digits.
        receipt_id: 26 characters, sorts by time of arrival.
        received_at: When the file was taken, with its zone.
        tags: Names of the inbox subfolders that it lay in, outermost first.
    """

    path: Path
    name: str
    sha256: str
    receipt_id: str
    received_at: datetime
    tags: tuple[str, ...] = ()


Extracted = tuple[Record, ...] | ExtractorError
"""What a file gave: a record for each receipt that it shows, in order, or the reason why there is none."""

Extract = Callable[[Sequence[Source]], list[Extracted]]
"""Reads a batch: what each source gave, in their order."""

ExtractEach = Callable[[Sequence[Source]], Iterable[Extracted]]
"""The same, but each result may be yielded as soon as it is known."""

Prefetch = Callable[[Sequence[Source]], None]
"""Hears of files that will be read after the next batch."""


def new_receipt_id(received_at: datetime) -> str:
    """A new identifier: 10 characters of time in milliseconds, then 16 random ones, in Crockford's base 32.

    Source: https://github.com/ulid/spec, whose layout it has.
    """
    number = int(received_at.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def part_id(receipt_id: str, number: int) -> str:
    """The identifier of one of several receipts in a file: the file's own for the first, and those that follow it for the others."""
    value = number - 1
    for place, character in enumerate(reversed(receipt_id)):
        value += _CROCKFORD.index(character) << 5 * place
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))
