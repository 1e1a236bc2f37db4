"""Calls a function for each change in a folder, found by native events or by polling. The only module that imports watchdog."""

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
    """A context manager that calls `on_touch`, in another thread, with each path that is created, changed or moved.

    Falls back to polling, with a log line, if the system has no native events left (the inotify limit). If the folder is missing, there
    are no events.

    Attributes:
        is_polling: Whether the folder is polled every `poll_seconds`.
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
            self._observer = self._start()
        except OSError as error:
            logger.warning("events_unavailable", extra={"folder": str(self._folder), "error": str(error)})
        return self

    def is_alive(self) -> bool:
        """Whether events still arrive: all threads run, and the folder is the one that is watched, not one that has replaced it."""
        try:
            now = self._folder.stat()
        except OSError:
            return True  # no events can be missed; listing the folder reports the error
        if self._observer is None or self._watched is None:
            return False
        threads = (self._observer, *self._observer.emitters)
        return all(thread.is_alive() for thread in threads) and os.path.samestat(now, self._watched)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()

    def _start(self) -> BaseObserver:
        """Starts the observer, or a polling one if there are no native events left."""
        if not self.is_polling:
            try:
                return self._observe(Observer())
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EMFILE}:
                    raise
                advice = "raise fs.inotify.max_user_watches and max_user_instances to have native events"
                extra = {"error": str(error), "every_seconds": self._poll_seconds, "what_to_do": advice}
                logger.warning("events_polled", extra=extra)
                self.is_polling = True
        return self._observe(PollingObserver(timeout=self._poll_seconds))

    def _observe(self, observer: BaseObserver) -> BaseObserver:
        self._watched = self._folder.stat()
        observer.schedule(self._handler, str(self._folder), recursive=True, event_filter=_WANTED)
        observer.start()
        return observer


class _Handler(FileSystemEventHandler):
    def __init__(self, on_touch: Callable[[Path], object]) -> None:
        self._on_touch = on_touch

    def on_any_event(self, event: FileSystemEvent) -> None:
        # A moved file counts at its new path; the listing shows that the old one is gone.
        self._on_touch(Path(os.fsdecode(event.dest_path or event.src_path)))
