"""What systemd is told: one datagram each, to the socket that it names in the environment. Says nothing where there is none."""

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Self

logger = logging.getLogger(__name__)

LONGEST_STATUS = 200
PATIENCE_SECONDS = 1.0
"""A manager that does not listen must not keep the service from following orders."""


class Notifier:
    """The way to the service manager.

    Args:
        address: Path of the socket, or its abstract name with an `@` in front; `None` to say nothing.
        watchdog_seconds: Time within which the manager wants the next sign of life; `None` where it wants none.

    Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
    """

    def __init__(self, address: str | None = None, watchdog_seconds: float | None = None) -> None:
        self.watchdog_seconds = watchdog_seconds
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._status = ""

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> Self:
        """The way that the environment names; it is taken out of there, because it is not for child processes."""
        address, microseconds = environ.pop("NOTIFY_SOCKET", None), environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", str(os.getpid()))
        is_watched = microseconds.isdecimal() and int(microseconds) > 0 and process == str(os.getpid())
        return cls(address, int(microseconds) / 1e6 if is_watched else None)

    def ready(self) -> None:
        """The service does its work from now on."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The service makes progress; without this in time it is started again."""
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        line = " ".join(text.split())[:LONGEST_STATUS]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    @property
    def is_heard(self) -> bool:
        return self._address is not None

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.settimeout(PATIENCE_SECONDS)
                connection.sendto(message.encode(), self._address)
        except OSError as error:
            logger.warning("manager_not_told", extra={"message_to_manager": message, "error": str(error)})
