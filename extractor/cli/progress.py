"""A progress bar below the log of a running service: how many receipts are stored, and how many are waiting."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from extractor.cli.display import Bar
from extractor.errors import StorageError
from extractor.service.lifecycle import Service

# Between updates, and between redraws: an idle service stays idle.
SECONDS = 1.0

# Shows the progress of the service that the callable returns, while the context is open. The callable is asked at every update: reloaded
# settings replace the service.
Show = Callable[[Callable[[], Service]], AbstractContextManager[None]]


@contextmanager
def live() -> Iterator[Show]:
    """A `Show` that draws a bar if stderr is a terminal, else one that draws nothing."""
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
