"""A file between inbox and outbox, as values that the steps of the pipeline hand over."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from extractor.errors import ExtractorError, InputError
from extractor.runtime.filenames import printable
from extractor.schemas.record import Record


class JobState(StrEnum):
    """The state of a file's job."""

    QUEUED = "queued"  # complete; waits for a worker
    READING = "reading"  # leased by a worker
    STORED = "stored"  # its records are in the database; its files are not filed yet
    DONE = "done"  # record, JSON and original are in place
    FAILED = "failed"  # will not be read, with the reason
    DUPLICATE = "duplicate"  # a job with the same bytes exists
    WITHDRAWN = "withdrawn"  # gone or changed in the inbox before it was read


class Refused(InputError):
    """Left in the inbox and reported by name: no regular file (a link, FIFO, device), not readable, or enormous."""


@dataclass(frozen=True)
class Arrival:
    """A file that was found in the inbox.

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
    """One file's row in the job queue, as it was when it was queried; see `Arrival` for the first fields.

    Attributes:
        receipt_id: Its identifier, also that of its first record.
        attempts: Attempts that ended in an error that counts.
        interruptions: How often the program died while reading it.
        waits: Waits for storage since the last success; they do not count as attempts.
        next_attempt_at: Seconds since 1970; it is not tried earlier.
        duplicate_of: `receipt_id` of the job with the same bytes.
        filed_as: Its present or planned path, relative to the outbox.
        filed_at: When all its files were in place; `None` while the job is open.
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
    """A file to be read.

    Attributes:
        path: A private copy that nothing else writes to.
        name: File name as it was dropped, valid Unicode: a byte that is not UTF-8 is written as a backslash and its hexadecimal value.
        sha256: Of the raw bytes, 64 lower-case hexadecimal digits.
        receipt_id: 26 characters, sorts by time of arrival.
        received_at: When the file was queued, with time zone.
        tags: Names of the inbox subfolders that it was dropped in, outermost first.
    """

    path: Path
    name: str
    sha256: str
    receipt_id: str
    received_at: datetime
    tags: tuple[str, ...] = ()


# The result for a file: a record for each receipt that it shows, in order, or the reason why there is none.
Extracted = tuple[Record, ...] | ExtractorError


# Reads a batch of files: the result for each source, in their order; each may be yielded as soon as it is known.
Extract = Callable[[Sequence[Source]], Iterable[Extracted]]


class ExtractAhead(Protocol):
    """Reads a batch of files, yields each result as soon as it is known, and may prepare the files of its next call meanwhile."""

    def __call__(self, sources: Sequence[Source], upcoming: Sequence[Source] = (), /) -> Iterable[Extracted]:
        """The result for each source, in their order.

        Args:
            upcoming: Files of the next call.
        """
        ...


def new_receipt_id(received_at: datetime) -> str:
    """A new identifier: a ULID, 10 characters of time in milliseconds and 16 random ones in Crockford's base 32.

    Source: https://github.com/ulid/spec
    """
    number = int(received_at.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def part_id(receipt_id: str, number: int) -> str:
    """The identifier of a file's receipt: the job's own for the first, and the ones following it for the others.

    Args:
        number: Which of the file's receipts, from 1.
    """
    value = number - 1
    for place, character in enumerate(reversed(receipt_id)):
        value += _CROCKFORD.index(character) << 5 * place
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))
