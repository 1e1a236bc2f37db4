"""What time it is, as a thing that is passed in, so that tests need not sleep."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two readings of time."""

    def now(self) -> datetime:
        """Wall-clock time in UTC, for what is stored."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back, for waiting."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
