"""All errors that this package raises. `remedy` tells callers what to do; `exit_code` is that of the `receipts` command.

ExtractorError > ConfigError        REPORT   bad setting, missing extra
               > InputError         REPORT   Unreadable, UnsupportedFormat, Encrypted, TooLarge, FileCrashesReader
               > ReaderUnavailable  RETRY    time-out, rate limit, out of memory; ReaderDown: not about a file
               > ReaderRefused      REPORT   bad key, content filter
               > BadAnswer          REASK    not JSON, cut off, does not fit the schema; holds the answer
               > StorageError       RETRY    database busy, disk full
               > DatabaseDamaged    REPORT   database damaged, or another file in its place
               > Stopped            RETRY    stopped before the file was read
"""

from enum import StrEnum
from typing import Any, ClassVar


class Remedy(StrEnum):
    """How callers handle an error: try again later, ask the reader again, or report it to a person."""

    RETRY = "retry"
    REASK = "reask"
    REPORT = "report"


class ExtractorError(Exception):
    """Base class of all errors of this package. The message names the file or setting, the fact, and what to do."""

    remedy: ClassVar[Remedy] = Remedy.REPORT
    exit_code: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle arguments and attributes: errors pass between processes, and constructors of subclasses differ."""
        return _revive, (type(self), self.args, vars(self))


def _revive(kind: type[ExtractorError], args: tuple[Any, ...], values: dict[str, Any]) -> ExtractorError:
    error = kind.__new__(kind, *args)
    vars(error).update(values)
    return error


class ConfigError(ExtractorError):
    """A setting is wrong, folders contain one another, or an optional package is missing."""

    exit_code = 2


class InputError(ExtractorError):
    """A file cannot be read as a receipt."""

    exit_code = 3


class Unreadable(InputError):
    """Empty, truncated, damaged, or of unknown format. It may be a file that is still being copied."""


class UnsupportedFormat(InputError):
    """A known format that holds no pages, such as a video or an e-mail. Waiting for the rest of the file does not help."""


class Encrypted(InputError):
    """A PDF that asks for a password."""


class TooLarge(InputError):
    """More pixels, pages or bytes than the settings allow."""


class FileCrashesReader(InputError):
    """Every process that tried to read this file crashed or hung."""


class ReaderUnavailable(ExtractorError):
    """The reader cannot answer now: a time-out, a rate limit, too little memory, or a crash."""

    remedy = Remedy.RETRY
    exit_code = 4


class ReaderDown(ReaderUnavailable):
    """The reader cannot be started now. Raised, not returned with a file: no file is at fault, and all wait until it starts."""


class ReaderRefused(ExtractorError):
    """The reader refuses permanently: a bad key or a content filter."""

    exit_code = 4


class BadAnswer(ExtractorError):
    """The reader's answer is not JSON, is cut off, or does not fit the schema.

    Attributes:
        text: The raw answer.
    """

    remedy = Remedy.REASK
    exit_code = 4

    def __init__(self, message: str, *, text: str) -> None:
        super().__init__(message)
        self.text = text


class StorageError(ExtractorError):
    """The database is busy or damaged, a disk is full, or a folder cannot be written."""

    remedy = Remedy.RETRY
    exit_code = 5


class Stopped(ExtractorError):
    """The program was stopped before the file was read. The file is read when it runs again, and this counts as no attempt."""

    remedy = Remedy.RETRY
    exit_code = 130


class DatabaseDamaged(ExtractorError):
    """The database is damaged, or was replaced while in use. Nothing more is written to it, and the service stops."""

    exit_code = 5
