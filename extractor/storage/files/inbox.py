"""A folder becomes settled files. Listing is the truth; events only say that it is time to look.

A file is handed over when nothing has touched it for the settle time, its size and times stand still, it is a regular file, and it
decodes to the end. One that does not decode is looked at again, less and less often, until the patience ends; then it is handed over
with the reason.
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
from extractor.storage.files.atomic import digest, leads_away

logger = logging.getLogger(__name__)

IGNORED = (
    ".*", "._*", "*.part", "*.partial", "*.crdownload", "*.download", "*.tmp", "*.temp", "*.swp", "~$*", "*~",
    "Thumbs.db", "desktop.ini",
    "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", ".stfolder", ".stversions", "~syncthing~*",
    ".receipts-*",
)  # fmt: skip
"""Files and folders that are never receipts, whatever the case of their letters: hidden ones, downloads under way, what systems leave."""

MIN_WAIT_SECONDS = 0.5
"""Shortest wait before an incomplete file is looked at again, also where the settle time is 0."""

Check = Callable[[Path], None]


@dataclass(frozen=True)
class Settled:
    """What became of a file in the inbox: ready to be read, or not to be read because of `error`."""

    arrival: Arrival
    error: InputError | None = None


@dataclass
class _Watched:
    """A file that has not settled; times are monotonic seconds."""

    fingerprint: tuple[int, ...]
    quiet_since: float
    look_at: float
    looks: int = 0


class Inbox:
    """One inbox folder and what is settling in it. `scan` belongs to one thread; `touch` may be called from any.

    Args:
        check: Raises InputError for a file that does not decode to the end.
        most_bytes: What is larger is refused by name: to hash it for the outbox would keep all others waiting. By default nothing is.
    """

    def __init__(self, root: Path, settings: InboxSettings, check: Check, clock: Clock, *, most_bytes: float = math.inf) -> None:
        self.root = root
        self._settings = settings
        self._check = check
        self._clock = clock
        self._most_bytes = most_bytes
        self._ignored = tuple(pattern.lower() for pattern in (*IGNORED, *settings.ignore))
        self._watched: dict[Path, _Watched] = {}
        self._touched: deque[Path] = deque()
        self._warned: set[Path] = set()

    def touch(self, path: Path) -> bool:
        """Whether an event for this absolute path matters; the file's time of rest begins anew then."""
        try:
            relative = path.relative_to(self.root)
        except ValueError:
            return False
        if self.is_ignored(relative):
            return False
        self._touched.append(relative)
        return True

    def is_ignored(self, relative: Path) -> bool:
        """Whether the path, or a folder that it lies in, matches the ignore list."""
        parts = (part.lower() for part in relative.parts)
        return any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in self._ignored)

    def scan(self, open_paths: Collection[Path], refused: Collection[Path], *, patience_seconds: float | None = None) -> Iterator[Settled]:
        """Files that have settled by now, one at a time, each as soon as it is known to be complete.

        Args:
            open_paths: Files that are being worked on already, relative to the inbox.
            refused: Things that were handed over as refused before.
            patience_seconds: Instead of the setting.
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
            elif not stat.S_ISREG(status.st_mode) or status.st_size > self._most_bytes:
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
        """Every file in the folder, settled or not, relative to it, with the time in seconds since 1970 at which it came or changed."""
        for relative, status in self._list(self.root):
            if not isinstance(status, OSError) and stat.S_ISREG(status.st_mode):
                yield relative, status.st_ctime

    def next_look(self) -> float | None:
        """Monotonic time at which the next file may settle; `None` where none is settling."""
        return min((watched.look_at for watched in self._watched.values()), default=None)

    def _restart_touched(self, now: float) -> None:
        for _ in range(len(self._touched)):
            if watched := self._watched.get(self._touched.popleft()):
                watched.quiet_since, watched.look_at, watched.looks = now, now + self._settings.settle_seconds, 0

    def _list(self, folder: Path) -> Iterator[tuple[Path, os.stat_result | PermissionError]]:
        """Everything but folders below `folder`, without following links, in order of name; folders that may not be looked into, too."""
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            if folder == self.root:
                way_out = "Make the folder, or mount its volume again."
                raise StorageError(f"The inbox {printable(folder)} cannot be listed ({error.strerror}). {way_out}") from error
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
        """What may not be looked at is told of by name; what is gone since it was listed is not; the rest is looked at again."""
        if isinstance(error, PermissionError):
            yield path.relative_to(self.root), error
        elif not isinstance(error, FileNotFoundError | NotADirectoryError) and path not in self._warned:  # once, not at every scan
            self._warned.add(path)
            logger.warning("inbox_skipped", extra={"path": printable(path), "error": error.strerror})

    def _is_due(self, relative: Path, status: os.stat_result, now: float) -> bool:
        """Whether the file has been at rest long enough to be looked at."""
        watched = self._watched.get(relative)
        fingerprint = _fingerprint(status)
        if watched is None or watched.fingerprint != fingerprint:
            watched = self._watched[relative] = _Watched(fingerprint, now, now + self._settings.settle_seconds)
        return now >= watched.look_at

    def _examine(self, relative: Path, patience: float) -> Settled | None:
        """The file if it is complete, or if there is no more patience with it; `None` where it is to be looked at again."""
        watched, now = self._watched[relative], self._clock.monotonic()
        if leads_away(self.root, relative):
            return None  # the next scan finds the link, and refuses it
        sha256, error = self._look(self.root / relative)
        try:
            status = (self.root / relative).lstat()
        except OSError:
            return None  # gone, or away: the next scan shows
        if _fingerprint(status) != watched.fingerprint:
            return None  # it changed while it was looked at: the next scan begins anew
        patience_ends = watched.quiet_since + patience
        if isinstance(error, Unreadable | Refused) and now < patience_ends:
            watched.looks += 1
            wait = max(self._settings.settle_seconds, MIN_WAIT_SECONDS) * 2.0 ** min(watched.looks, 60)
            watched.look_at = min(now + wait, patience_ends)
            logger.info("file_incomplete", extra={"file": printable(relative), "error": str(error), "wait_seconds": watched.look_at - now})
            return None
        return Settled(Arrival(relative, status.st_size, sha256), error)

    def _look(self, path: Path) -> tuple[str | None, InputError | None]:
        """The hash of the file's bytes where they can be read, and why it is not complete where it is not."""
        sha256 = None
        try:
            sha256 = digest(path)
            self._check(path)
        except InputError as error:
            return sha256, error
        except ExtractorError:
            raise  # the check cannot be made now: no fault of the file
        except OSError as error:
            return None, _unopened(path, error)
        except Exception as error:
            logger.exception("check_crashed", extra={"file": printable(path.name)})
            way_out = "Open it in another program and save it anew."
            return sha256, Unreadable(f"{printable(path.name)} cannot be decoded ({type(error).__name__}). {way_out}")
        return sha256, None


def _fingerprint(status: os.stat_result) -> tuple[int, ...]:
    """What stands still while nobody writes to a file, and differs when another file takes its name."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _unopened(path: Path, error: OSError) -> Refused:
    way_out = "Give this user the right to read it; it stays in the inbox until then."
    return Refused(f"{printable(path.name)} cannot be opened ({error.strerror or error}). {way_out}")


def _refusal(relative: Path, status: os.stat_result) -> Settled:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    if stat.S_ISREG(status.st_mode):
        fact = f"{printable(relative.name)} has {status.st_size:,} bytes, far more than limits.max_bytes; it was not looked at."
        return Settled(Arrival(relative, status.st_size, None), Refused(f"{fact} Take it out of the inbox."))
    fact = f"{printable(relative.name)} is {kinds.get(stat.S_IFMT(status.st_mode), 'no regular file')}, which is never opened or followed."
    return Settled(Arrival(relative, 0, None), Refused(f"{fact} Put the file itself in the inbox."))
