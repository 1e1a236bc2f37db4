"""Threads work until an order comes: to stop, to change over to others, or because one of them has ended. Signals are orders."""

import logging
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

logger = logging.getLogger(__name__)

STOP_SECONDS = 8.0
"""Time that receipts in hand have to finish after a request to stop; then they go back into the queue: all in all within 10 seconds."""


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class ThreadGroup:
    """Work for some threads.

    Attributes:
        tasks: What each thread does until it is told to stop; the end of one of them ends all.
        ask_to_stop: Tells the threads to finish what they have in hand; returns at once.
        hand_back: Puts back what they have not finished; it is told whether all of them have ended.
        begin: Called just before the threads start.
    """

    tasks: Sequence[Callable[[], None]]
    ask_to_stop: Callable[[], None]
    hand_back: Callable[[bool], None]
    begin: Callable[[], None] = _nothing


class _Stop:
    """Order: finish what is in hand, then return."""


class _Reload:
    """Order: build a successor."""


@dataclass(frozen=True)
class _Built:
    """News: this crew is ready to take over; `None` where things may stay as they are."""

    crew: ThreadGroup | None


@dataclass(frozen=True)
class _Refused:
    """News: no successor could be built."""

    error: Exception


@dataclass(frozen=True)
class _Ended:
    """News: a task of the crew at work has ended."""

    error: BaseException | None


_Order = _Stop | _Reload | _Built | _Refused | _Ended


class Supervisor:
    """Runs one crew after the other in threads; the caller's thread waits for orders."""

    def __init__(self) -> None:
        # Not an Event: a signal handler that sets one may meet this thread holding its lock. SimpleQueue is made for this.
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def stop(self) -> None:
        """Orders to stop; may be called from any thread and from signal handlers."""
        self._orders.put(_Stop())

    def reload(self) -> None:
        """Orders a change-over to a successor; may be called from any thread and from signal handlers."""
        self._orders.put(_Reload())

    def run(
        self,
        crew: ThreadGroup,
        *,
        succeed: Callable[[], ThreadGroup | None] = _nothing,
        refused: Callable[[Exception], None] = _nothing,
        attend: Callable[[], None] = _nothing,
        attend_seconds: float = 20.0,
    ) -> None:
        """Returns when an order to stop was followed and everything has ended; raises what has ended a task.

        Args:
            succeed: Builds the successor on `reload()`, in a thread of its own; without one, and while it is built, `crew` goes on.
            refused: Hears what `succeed` has raised.
            attend: Called between orders, every `attend_seconds` at least.
        """
        self._start(crew)
        successor: ThreadGroup | None = None
        is_building, ended, error = False, 0, None
        while True:
            attend()
            order = self._next(attend_seconds)
            if isinstance(order, _Stop):
                break
            if isinstance(order, _Ended):
                ended += 1
                error = order.error
                if error is not None or successor is None:
                    break
            elif isinstance(order, _Reload) and not is_building:
                is_building = True
                threading.Thread(target=self._build, args=(succeed,), daemon=True).start()
            elif isinstance(order, _Refused):
                is_building = False
                refused(order.error)
            elif isinstance(order, _Built):
                is_building, successor = False, order.crew
                if successor is not None:
                    crew.ask_to_stop()
            if successor is not None and ended == len(self._threads):
                crew.hand_back(True)  # noqa: FBT003 -- the attribute's description says what it means
                crew, successor, ended = successor, None, 0
                self._start(crew)
        self._end(crew)
        if error is not None:
            raise error

    @contextmanager
    def signals(self, *, can_reload: bool) -> Iterator[None]:
        """SIGTERM and SIGINT are orders to stop; SIGHUP is one to reload, else to stop. Only the main thread can have it so."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        orders = {"SIGTERM": self.stop, "SIGINT": self.stop, "SIGHUP": self.reload if can_reload else self.stop}
        before = {}
        for name, order in orders.items():
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):  # as `nohup` wants it
                before[number] = signal.signal(number, _handler(order))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self, crew: ThreadGroup) -> None:
        crew.begin()
        self._threads = [threading.Thread(target=self._report, args=(task,), daemon=True) for task in crew.tasks]
        for thread in self._threads:
            thread.start()

    def _end(self, crew: ThreadGroup) -> None:
        crew.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        crew.hand_back(not any(thread.is_alive() for thread in self._threads))

    def _report(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 -- raised by the thread that waits: a service without a thread must not look alive
            self._orders.put(_Ended(error))
        else:
            self._orders.put(_Ended(None))

    def _next(self, seconds: float) -> _Order | None:
        """The next order; `None` where none comes in this time."""
        try:
            return self._orders.get(timeout=seconds)
        except queue.Empty:
            return None

    def _build(self, succeed: Callable[[], ThreadGroup | None]) -> None:
        """Builds beside the crew that goes on working: an order to stop need not wait for it."""
        try:
            crew = succeed()
        except Exception as error:  # noqa: BLE001 -- told by the thread that waits; the crew at work goes on
            self._orders.put(_Refused(error))
        else:
            self._orders.put(_Built(crew))


def _handler(order: Callable[[], None]) -> Callable[[int, object], None]:
    return lambda _number, _frame: order()
