"""A bar at the bottom of the terminal that says how much a service has done and how much waits; the log goes on above it."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from extractor.cli.display import Bar
from extractor.errors import StorageError
from extractor.service.lifecycle import Service

SECONDS = 1.0
"""Between two looks; the bar is drawn as often, and not more: an idle service stays idle."""

Show = Callable[[Callable[[], Service]], AbstractContextManager[None]]
"""Shows, while it is open, how the service does that it is given the way to."""


@contextmanager
def live() -> Iterator[Show]:
    """What shows a service where stderr is a terminal, and shows nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: nullcontext()
        return
    with Bar(is_shown=True, refresh_per_second=1 / SECONDS) as bar:
        yield lambda service: _shown(service, bar)


@contextmanager
def _shown(service: Callable[[], Service], bar: Bar) -> Iterator[None]:
    stop = threading.Event()

    def show() -> None:
        while not stop.wait(SECONDS):
            try:
                waiting = sum(service().archive.job_queue.open_counts().values())
            except StorageError as error:
                bar.show(f"the database cannot be read ({type(error).__name__})", 0, 0)
                continue
            done = sum(service().telemetry.counts().receipts.values())
            bar.show(f"{done} stored, {waiting} waiting", done, done + waiting)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
