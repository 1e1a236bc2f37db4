"""The clock as an object that is passed in, so that tests need not sleep."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time and monotonic time."""

    def now(self) -> datetime:
        """Wall-clock time in UTC, for values that are stored."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back, for waits."""
        ...


class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
