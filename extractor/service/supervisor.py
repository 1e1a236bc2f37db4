"""Runs threads until a request to stop, a reload, or the end of one of them. Signals are turned into requests."""

import logging
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

logger = logging.getLogger(__name__)

# Time for threads to finish their current receipts after a request to stop; then these return to the queue. The stop as a whole takes
# less than 10 seconds.
STOP_SECONDS = 8.0


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class ThreadGroup:
    """Tasks that run in one thread each.

    Attributes:
        tasks: Each runs until it is asked to stop; when one of them ends, all are stopped.
        ask_to_stop: Asks the tasks to finish their current work; returns at once.
        hand_back: Returns unfinished work to the queue; the argument says whether all threads have ended.
        begin: Called just before the threads start.
    """

    tasks: Sequence[Callable[[], None]]
    ask_to_stop: Callable[[], None]
    hand_back: Callable[[bool], None]
    begin: Callable[[], None] = _nothing


class _Stop:
    """Request to finish the current work and return."""


class _Reload:
    """Request to build a successor."""


@dataclass(frozen=True)
class _Built:
    """A successor is ready; `None` if none is needed."""

    group: ThreadGroup | None


@dataclass(frozen=True)
class _Refused:
    """No successor could be built."""

    error: Exception


@dataclass(frozen=True)
class _Ended:
    """A task has ended."""

    error: BaseException | None


_Event = _Stop | _Reload | _Built | _Refused | _Ended


class Supervisor:
    """Runs one thread group after another; the caller's thread waits for events."""

    def __init__(self) -> None:
        # Not an Event: a signal handler that sets one may meet this thread holding its lock. SimpleQueue is made for this.
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def stop(self) -> None:
        """Requests a stop; may be called from any thread and from signal handlers."""
        self._events.put(_Stop())

    def reload(self) -> None:
        """Requests a reload; may be called from any thread and from signal handlers."""
        self._events.put(_Reload())

    def run(
        self,
        group: ThreadGroup,
        *,
        build_successor: Callable[[], ThreadGroup | None] = _nothing,
        on_build_error: Callable[[Exception], None] = _nothing,
        on_tick: Callable[[], None] = _nothing,
        tick_seconds: float = 20.0,
    ) -> None:
        """Runs until a request to stop or the end of a task, and raises the exception that ended it.

        Args:
            build_successor: Builds the next group on `reload()`, in a thread of its own; `group` keeps running meanwhile, and also if
                `None` is returned.
            on_build_error: Called with an exception of `build_successor`.
            on_tick: Called after each event, and at least every `tick_seconds`.
        """
        self._start(group)
        successor: ThreadGroup | None = None
        is_building, ended, error = False, 0, None
        while True:
            on_tick()
            event = self._next(tick_seconds)
            if isinstance(event, _Stop):
                break
            if isinstance(event, _Ended):
                ended += 1
                error = event.error
                if error is not None or successor is None:
                    break
            elif isinstance(event, _Reload) and not is_building:
                is_building = True
                threading.Thread(target=self._build, args=(build_successor,), daemon=True).start()
            elif isinstance(event, _Refused):
                is_building = False
                on_build_error(event.error)
            elif isinstance(event, _Built):
                is_building, successor = False, event.group
                if successor is not None:
                    group.ask_to_stop()
            if successor is not None and ended == len(self._threads):
                group.hand_back(True)  # noqa: FBT003 -- see `ThreadGroup.hand_back`
                group, successor, ended = successor, None, 0
                self._start(group)
        self._end(group)
        if error is not None:
            raise error

    @contextmanager
    def signals(self, *, can_reload: bool) -> Iterator[None]:
        """SIGTERM and SIGINT request a stop, SIGHUP a reload or a stop. Does nothing outside the main thread, as Python requires."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        actions = {"SIGTERM": self.stop, "SIGINT": self.stop, "SIGHUP": self.reload if can_reload else self.stop}
        before = {}
        for name, action in actions.items():
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):  # set by `nohup`
                before[number] = signal.signal(number, _handler(action))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self, group: ThreadGroup) -> None:
        group.begin()
        self._threads = [threading.Thread(target=self._report, args=(task,), daemon=True) for task in group.tasks]
        for thread in self._threads:
            thread.start()

    def _end(self, group: ThreadGroup) -> None:
        group.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        group.hand_back(not any(thread.is_alive() for thread in self._threads))

    def _report(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 -- `run` raises it
            self._events.put(_Ended(error))
        else:
            self._events.put(_Ended(None))

    def _next(self, seconds: float) -> _Event | None:
        """The next event; `None` if none comes in this time."""
        try:
            return self._events.get(timeout=seconds)
        except queue.Empty:
            return None

    def _build(self, build_successor: Callable[[], ThreadGroup | None]) -> None:
        """Builds the successor while the current group works: a request to stop need not wait for it."""
        try:
            group = build_successor()
        except Exception as error:  # noqa: BLE001 -- `run` reports it
            self._events.put(_Refused(error))
        else:
            self._events.put(_Built(group))


def _handler(action: Callable[[], None]) -> Callable[[int, object], None]:
    return lambda _number, _frame: action()
