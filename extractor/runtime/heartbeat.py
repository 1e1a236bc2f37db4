"""Tracks whether the threads of a service make progress, and what blocks their work."""

import math
import threading
from collections.abc import Callable

# A waiting thread may wake up this much late: machines sleep, and disks are busy.
GRACE_SECONDS = 60.0


class Heartbeat:
    """The last heartbeat and the current trouble of each thread. Thread-safe.

    Args:
        monotonic: Returns seconds that never go back.
        hung_seconds: Time for one step, such as reading a batch, after which its thread counts as hung.
    """

    def __init__(self, monotonic: Callable[[], float], *, hung_seconds: float = math.inf) -> None:
        self.hung_seconds = hung_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._due: dict[str, tuple[float, float]] = {}
        self._troubles: dict[str, str] = {}

    def beat(self, part: str, *, waits_seconds: float | None = None) -> None:
        """Records that a thread starts its next step, or waits for some seconds."""
        now = self._monotonic()
        within = self.hung_seconds if waits_seconds is None else waits_seconds + GRACE_SECONDS
        with self._lock:
            self._due[part] = (now, now + within)

    def trouble(self, part: str, what: str | None = None) -> None:
        """Records what blocks a thread's work although it runs; without `what`, that it is over.

        Args:
            what: Text that anybody may read, without file names.
        """
        with self._lock:
            if what is None:
                self._troubles.pop(part, None)
            else:
                self._troubles[part] = what

    def end(self, part: str) -> None:
        """Records that a thread has ended as requested."""
        with self._lock:
            self._due.pop(part, None)
            self._troubles.pop(part, None)

    def hung(self) -> tuple[str, ...]:
        """A sentence for each thread whose heartbeat is overdue."""
        now = self._monotonic()
        with self._lock:
            late = [(part, now - last) for part, (last, due) in self._due.items() if now > due]
        return tuple(f"{part} has given no sign of life for {seconds:.0f} s" for part, seconds in late)

    def troubles(self) -> tuple[str, ...]:
        """A sentence for each thread that runs but is blocked."""
        with self._lock:
            return tuple(f"{part}: {what}" for part, what in self._troubles.items())

    def seconds_since(self) -> dict[str, float]:
        """Seconds since each thread's last heartbeat."""
        now = self._monotonic()
        with self._lock:
            return {part: now - last for part, (last, _) in self._due.items()}
