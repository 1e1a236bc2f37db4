"""Events of a folder, native or polled, become calls; whoever is called only takes a note. The only module that imports watchdog."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

logger = logging.getLogger(__name__)

# Not FileDeleted: our own moves out of the inbox would wake us. Not FileOpened: our own reading would.
_WANTED: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent,
]  # fmt: skip


class FolderEvents:
    """A context manager in which `on_touch` is called, from another thread, with each path that something happened to.

    Where the system has no native events left (the inotify limit), it polls and says so; where the folder is missing, no events come.

    Attributes:
        is_polling: Whether it looks every `poll_seconds` instead of waiting for events.
    """

    def __init__(self, folder: Path, on_touch: Callable[[Path], object], *, poll: bool, poll_seconds: float) -> None:
        self.is_polling = poll
        self._folder = folder
        self._handler = _Handler(on_touch)
        self._poll_seconds = poll_seconds
        self._observer: BaseObserver | None = None
        self._watched: os.stat_result | None = None

    def __enter__(self) -> Self:
        try:
            self._observer = self._started(PollingObserver(timeout=self._poll_seconds) if self.is_polling else Observer())
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EMFILE}:
                logger.warning("events_unavailable", extra={"folder": str(self._folder), "error": str(error)})
                return self  # the folder is not there: without events until it is
            self.is_polling = True
            way_out = "raise fs.inotify.max_user_watches and max_user_instances to have native events"
            logger.warning("events_polled", extra={"error": str(error), "every_seconds": self._poll_seconds, "way_out": way_out})
            self._observer = self._started(PollingObserver(timeout=self._poll_seconds))
        return self

    def is_alive(self) -> bool:
        """Whether events come still: no thread has ended, and the folder is the one that is watched, not one that came in its place."""
        try:
            now = self._folder.stat()
        except OSError:
            return True  # nothing can come from there now; whoever lists it hears that
        if self._observer is None or self._watched is None:
            return False
        threads = (self._observer, *self._observer.emitters)
        return all(thread.is_alive() for thread in threads) and os.path.samestat(now, self._watched)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()

    def _started(self, observer: BaseObserver) -> BaseObserver:
        self._watched = self._folder.stat()
        observer.schedule(self._handler, str(self._folder), recursive=True, event_filter=_WANTED)
        observer.start()
        return observer


class _Handler(FileSystemEventHandler):
    def __init__(self, on_touch: Callable[[Path], object]) -> None:
        self._on_touch = on_touch

    def on_any_event(self, event: FileSystemEvent) -> None:
        # What is moved is touched at its new place; where it left from, the listing shows.
        self._on_touch(Path(os.fsdecode(event.dest_path or event.src_path)))
