"""Finds complete files in the inbox. The folder's listing decides; events only trigger it.

A file is yielded when no event has touched it for the settle time, its size and times have not changed, it is a regular file, and it
decodes to the end. A file that may still be growing is checked again at increasing intervals until the patience ends; then it is yielded
with the error. Any other error, such as that of a format that is never read, is yielded at once.
"""

import fnmatch
import logging
import math
import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from extractor.config.settings import InboxSettings
from extractor.errors import ExtractorError, InputError, StorageError, Unreadable
from extractor.jobs import Arrival, Refused
from extractor.runtime.clock import Clock
from extractor.runtime.filenames import printable
from extractor.runtime.logs import for_terminal
from extractor.storage.files.atomic import digest, leads_away

logger = logging.getLogger(__name__)

# Files and folders that are never receipts, in any letter case: hidden ones, unfinished downloads, files that systems create.
IGNORED = (
    ".*", "._*", "*.part", "*.partial", "*.crdownload", "*.download", "*.tmp", "*.temp", "*.swp", "~$*", "*~",
    "Thumbs.db", "desktop.ini",
    "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", ".stfolder", ".stversions", "~syncthing~*",
    ".receipts-*",
)  # fmt: skip

# Shortest wait before an incomplete file is checked again, also if the settle time is 0.
MIN_WAIT_SECONDS = 0.5

# Raises InputError for a file that does not decode to the end.
Check = Callable[[Path], None]


@dataclass(frozen=True)
class Settled:
    """A file that can be read, or cannot because of `error`."""

    arrival: Arrival
    error: InputError | None = None


@dataclass
class _Watched:
    """A file that has not settled.

    Attributes:
        quiet_since: Monotonic time of the last change.
        check_at: Monotonic time of the next check.
        checks: Checks that have found the file incomplete.
    """

    fingerprint: tuple[int, ...]
    quiet_since: float
    check_at: float
    checks: int = 0


class Inbox:
    """The inbox folder and the files that are settling in it. `scan` is for one thread; `touch` may be called from any.

    Args:
        max_bytes: Larger files are refused without being read: hashing one would delay all others. There is no limit by default.
    """

    def __init__(self, root: Path, settings: InboxSettings, check: Check, clock: Clock, *, max_bytes: float = math.inf) -> None:
        self.root = root
        self._settings = settings
        self._check = check
        self._clock = clock
        self._max_bytes = max_bytes
        self._ignored = tuple(pattern.lower() for pattern in (*IGNORED, *settings.ignore))
        self._watched: dict[Path, _Watched] = {}
        self._touched: deque[Path] = deque()
        self._warned: set[Path] = set()

    def touch(self, path: Path) -> bool:
        """Restarts the settle time of the file at this absolute path, and returns whether the path is watched and not ignored."""
        try:
            relative = path.relative_to(self.root)
        except ValueError:
            return False
        if self.is_ignored(relative):
            return False
        self._touched.append(relative)
        return True

    def is_ignored(self, relative: Path) -> bool:
        """Whether the path or one of its folders matches the ignore list."""
        parts = (part.lower() for part in relative.parts)
        return any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in self._ignored)

    def scan(self, open_paths: Collection[Path], refused: Collection[Path], *, patience_seconds: float | None = None) -> Iterator[Settled]:
        """Yields each file that has settled, as soon as it is known to be complete.

        Args:
            open_paths: Files with an open job, relative to the inbox; they are skipped.
            refused: Paths that were yielded as refused before; they are skipped as well.
            patience_seconds: Overrides the setting.
        Raises:
            StorageError: The inbox cannot be listed.
        """
        patience = self._settings.patience_seconds if patience_seconds is None else patience_seconds
        now = self._clock.monotonic()
        self._restart_touched(now)
        seen: set[Path] = set()
        for relative, status in self._list(self.root):
            seen.add(relative)
            if isinstance(status, OSError):
                if relative not in refused:
                    yield Settled(Arrival(relative, 0, None), _unopened(relative, status))
            elif not stat.S_ISREG(status.st_mode) or status.st_size > self._max_bytes:
                if relative not in refused:
                    yield _refusal(relative, status)
            elif relative not in open_paths and self._is_due(relative, status, now):
                settled = self._examine(relative, patience)
                if settled:
                    if not (isinstance(settled.error, Refused) and relative in refused):
                        yield settled
                    self._watched.pop(relative, None)
        for vanished in self._watched.keys() - (seen - set(open_paths)):
            del self._watched[vanished]

    def files(self) -> Iterator[tuple[Path, float]]:
        """Every file in the folder, settled or not: path relative to it, and time of the last change in seconds since 1970."""
        for relative, status in self._list(self.root):
            if not isinstance(status, OSError) and stat.S_ISREG(status.st_mode):
                yield relative, status.st_ctime

    def next_check(self) -> float | None:
        """Monotonic time at which the next file may settle; `None` if none is settling."""
        return min((watched.check_at for watched in self._watched.values()), default=None)

    def _restart_touched(self, now: float) -> None:
        for _ in range(len(self._touched)):
            if watched := self._watched.get(self._touched.popleft()):
                watched.quiet_since, watched.check_at, watched.checks = now, now + self._settings.settle_seconds, 0

    def _list(self, folder: Path) -> Iterator[tuple[Path, os.stat_result | PermissionError]]:
        """All files below `folder`, sorted by name, without following links; also folders that may not be listed, with the error."""
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            if folder == self.root:
                advice = "Make the folder, or mount its volume again."
                raise StorageError(f"The inbox {printable(folder)} cannot be listed ({error.strerror}). {advice}") from error
            yield from self._skip(folder, error)
            return
        for entry in entries:
            path = Path(entry.path)
            relative = path.relative_to(self.root)
            if self.is_ignored(relative):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                yield from self._skip(path, error)
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._list(path)
            else:
                yield relative, status

    def _skip(self, path: Path, error: OSError) -> Iterator[tuple[Path, PermissionError]]:
        """Yields the path if permission is missing; logs other errors once. A file that has vanished meanwhile is no error."""
        if isinstance(error, PermissionError):
            yield path.relative_to(self.root), error
        elif not isinstance(error, FileNotFoundError | NotADirectoryError) and path not in self._warned:  # not at every scan
            self._warned.add(path)
            logger.warning("inbox_skipped", extra={"path": printable(path), "error": error.strerror})

    def _is_due(self, relative: Path, status: os.stat_result, now: float) -> bool:
        """Whether the file has been unchanged long enough to be checked."""
        watched = self._watched.get(relative)
        fingerprint = _fingerprint(status)
        if watched is None or watched.fingerprint != fingerprint:
            watched = self._watched[relative] = _Watched(fingerprint, now, now + self._settings.settle_seconds)
        return now >= watched.check_at

    def _examine(self, relative: Path, patience: float) -> Settled | None:
        """Checks the file; `None` if it may still change and has to be checked again."""
        watched, now = self._watched[relative], self._clock.monotonic()
        if leads_away(self.root, relative):
            return None  # the next scan finds the link and refuses it
        sha256, error = self._hash_and_check(self.root / relative)
        try:
            status = (self.root / relative).lstat()
        except OSError:
            return None  # it has vanished, or its volume has: the next scan decides
        if _fingerprint(status) != watched.fingerprint:
            return None  # it changed during the check: the next scan starts again
        patience_ends = watched.quiet_since + patience
        if isinstance(error, Unreadable | Refused) and now < patience_ends:
            watched.checks += 1
            wait = max(self._settings.settle_seconds, MIN_WAIT_SECONDS) * 2.0 ** min(watched.checks, 60)
            watched.check_at = min(now + wait, patience_ends)
            level = logging.INFO if watched.checks == 1 else logging.DEBUG
            extra = {"file": printable(relative), "error": str(error), "wait_seconds": watched.check_at - now}
            logger.log(level, "file_incomplete", extra=extra | for_terminal(f"waiting for {printable(relative)}: {error}"))
            return None
        return Settled(Arrival(relative, status.st_size, sha256), error)

    def _hash_and_check(self, path: Path) -> tuple[str | None, InputError | None]:
        """SHA-256 of the file, if it can be read, and the error of the check, if there is one."""
        sha256 = None
        try:
            sha256 = digest(path)
            self._check(path)
        except InputError as error:
            return sha256, error
        except ExtractorError:
            raise  # the check itself failed
        except OSError as error:
            return None, _unopened(path, error)
        except Exception as error:
            logger.exception("check_crashed", extra={"file": printable(path.name)})
            advice = "Open it in another program and save it again."
            return sha256, Unreadable(f"{printable(path.name)} cannot be decoded ({type(error).__name__}). {advice}")
        return sha256, None


def _fingerprint(status: os.stat_result) -> tuple[int, ...]:
    """Values that stay the same while nobody writes to a file, and differ if another file takes its name."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _unopened(path: Path, error: OSError) -> Refused:
    advice = "Give this user permission to read it; it stays in the inbox until then."
    return Refused(f"{printable(path.name)} cannot be opened ({error.strerror or error}). {advice}")


def _refusal(relative: Path, status: os.stat_result) -> Settled:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    if stat.S_ISREG(status.st_mode):
        fact = f"{printable(relative.name)} has {status.st_size:,} bytes, far more than limits.max_bytes; it was not read."
        return Settled(Arrival(relative, status.st_size, None), Refused(f"{fact} Take it out of the inbox."))
    fact = f"{printable(relative.name)} is {kinds.get(stat.S_IFMT(status.st_mode), 'no regular file')}, which is never opened or followed."
    return Settled(Arrival(relative, 0, None), Refused(f"{fact} Put the file itself in the inbox."))
