"""One file to read, as it travels from the pipeline to whoever extracts its record."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from extractor.errors import ExtractorError
from schemas.record import Record

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

Foretell = Callable[[Sequence[Source]], None]
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
