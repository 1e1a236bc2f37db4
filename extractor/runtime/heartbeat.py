"""Signs of life: whether the threads of a service still go on, and what keeps them from their work."""

import math
import threading
from collections.abc import Callable

GRACE_SECONDS = 60.0
"""A thread that waits may wake so much later than it meant to: machines sleep, and disks are busy."""


class Heartbeat:
    """What each thread last said of itself. Any thread may beat and look.

    Args:
        monotonic: Gives seconds that never go back.
        hung_seconds: Time for one step, such as reading a batch, after which its thread counts as hung.
    """

    def __init__(self, monotonic: Callable[[], float], *, hung_seconds: float = math.inf) -> None:
        self.hung_seconds = hung_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._due: dict[str, tuple[float, float]] = {}
        self._troubles: dict[str, str] = {}

    def beat(self, part: str, *, waits_seconds: float | None = None) -> None:
        """A sign of life: the part begins its next step now, or waits for so long."""
        now = self._monotonic()
        within = self.hung_seconds if waits_seconds is None else waits_seconds + GRACE_SECONDS
        with self._lock:
            self._due[part] = (now, now + within)

    def trouble(self, part: str, what: str | None = None) -> None:
        """Notes what keeps the part from its work although it goes on; without `what`, nothing does any more.

        Args:
            what: In words that anybody may read: no names of files.
        """
        with self._lock:
            if what is None:
                self._troubles.pop(part, None)
            else:
                self._troubles[part] = what

    def end(self, part: str) -> None:
        """The part has ended as it was told to; nothing more is expected of it."""
        with self._lock:
            self._due.pop(part, None)
            self._troubles.pop(part, None)

    def hung(self) -> tuple[str, ...]:
        """A sentence for each part that should have given a sign of life by now."""
        now = self._monotonic()
        with self._lock:
            late = [(part, now - last) for part, (last, due) in self._due.items() if now > due]
        return tuple(f"{part} has given no sign of life for {seconds:.0f} s" for part, seconds in late)

    def troubles(self) -> tuple[str, ...]:
        """A sentence for each part that goes on but cannot do its work now."""
        with self._lock:
            return tuple(f"{part}: {what}" for part, what in self._troubles.items())

    def seconds_since(self) -> dict[str, float]:
        """Seconds since each part's last sign of life."""
        now = self._monotonic()
        with self._lock:
            return {part: now - last for part, (last, _) in self._due.items()}
