"""Every error that this project raises, each with what to do next.

ExtractorError > ConfigError        REPORT   bad setting, missing extra
               > InputError         REPORT   Unreadable, UnsupportedFormat, Encrypted, TooLarge, FileCrashesReader
               > ReaderUnavailable  RETRY    time-out, rate limit, out of memory; ReaderDown: no file's fault
               > ReaderRefused      REPORT   bad key, content filter
               > BadAnswer          REASK    not JSON, cut off, does not fit the schema; holds the answer
               > StorageError       RETRY    database busy, disk full
               > DatabaseDamaged    REPORT   database damaged, or another file in its place
               > Stopped            RETRY    told to stop before this was read
"""

from enum import StrEnum
from typing import Any, ClassVar


class Remedy(StrEnum):
    """What the caller does about an error."""

    RETRY = "retry"
    REASK = "reask"
    REPORT = "report"


class ExtractorError(Exception):
    """Base of all errors of this project. The message names the file or setting, the fact, and the way out."""

    remedy: ClassVar[Remedy] = Remedy.REPORT
    exit_code: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes as they are, whatever their constructors want."""
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
    """A file that ended or hung every process that tried to read it."""


class ReaderUnavailable(ExtractorError):
    """The reader cannot answer now: time-out, rate limit, out of memory, crashed."""

    remedy = Remedy.RETRY
    exit_code = 4


class ReaderDown(ReaderUnavailable):
    """The reader cannot be started now. It is raised, not returned: no file is to blame, and all wait until it can."""


class ReaderRefused(ExtractorError):
    """The reader will not answer this, however often it is asked: bad key, content filter."""

    exit_code = 4


class BadAnswer(ExtractorError):
    """An answer that is not JSON, is cut off, or does not fit the schema.

    Attributes:
        text: The answer as the reader gave it.
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
    """The program was told to stop before this file was read; it is as if nobody had begun."""

    remedy = Remedy.RETRY
    exit_code = 130


class DatabaseDamaged(ExtractorError):
    """The database is damaged or was replaced while it was in use. Nothing more is written to it; the service ends."""

    exit_code = 5
