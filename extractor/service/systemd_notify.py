"""Messages to systemd: datagrams to the socket that it names in the environment. Without one, nothing is sent."""

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Self

logger = logging.getLogger(__name__)

MAX_STATUS_CHARACTERS = 200

# A manager that does not read its socket must not block the service.
SEND_TIMEOUT_SECONDS = 1.0


class Notifier:
    """Sends messages to the service manager.

    Args:
        address: Path of the socket, or its abstract name with an `@` in front; `None` to send nothing.
        watchdog_seconds: Interval within which the manager expects each watchdog message; `None` if it expects none.

    Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
    """

    def __init__(self, address: str | None = None, watchdog_seconds: float | None = None) -> None:
        self.watchdog_seconds = watchdog_seconds
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._status = ""

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> Self:
        """The notifier for the socket that the environment names; removes those variables, which child processes must not inherit."""
        address, microseconds = environ.pop("NOTIFY_SOCKET", None), environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", str(os.getpid()))
        is_watched = microseconds.isdecimal() and int(microseconds) > 0 and process == str(os.getpid())
        return cls(address, int(microseconds) / 1e6 if is_watched else None)

    def ready(self) -> None:
        """Reports that the service has started."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Reports that the service is stopping."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Resets the watchdog; if it runs out, systemd restarts the service."""
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Sets the line that `systemctl status` shows."""
        line = " ".join(text.split())[:MAX_STATUS_CHARACTERS]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    @property
    def is_connected(self) -> bool:
        return self._address is not None

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.settimeout(SEND_TIMEOUT_SECONDS)
                connection.sendto(message.encode(), self._address)
        except OSError as error:
            logger.warning("manager_not_notified", extra={"message_to_manager": message, "error": str(error)})
