"""Runs the service in the foreground, reloads settings on SIGHUP, and reports to monitoring and systemd."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from extractor.config.settings import Settings
from extractor.errors import ConfigError, DatabaseDamaged, ExtractorError, StorageError
from extractor.jobs import JobState
from extractor.runtime.clock import SystemClock
from extractor.runtime.logs import configure
from extractor.schemas.record import RecordStatus
from extractor.service.health import HealthServer
from extractor.service.lifecycle import Service
from extractor.service.status import count
from extractor.service.supervisor import ThreadGroup
from extractor.service.systemd_notify import Notifier

logger = logging.getLogger(__name__)

# Longest interval at which the threads' heartbeat is checked; systemd's watchdog may ask for a shorter one.
CHECK_SECONDS = 20.0


class Daemon:
    """Keeps a service running until it is stopped; a reload replaces it with another one.

    Args:
        service: The first one, not yet running.
        load: Reloads the settings; without it, SIGHUP stops the program, as for any program whose terminal is closed.
        notifier: Sends messages to systemd.

    Attributes:
        service: The one that is running.
        health_server: Set while `/healthz` and `/metrics` are served.
    """

    def __init__(self, service: Service, *, load: Callable[[], Settings] | None = None, notifier: Notifier | None = None) -> None:
        self.service = service
        self.health_server: HealthServer | None = None
        self._load = load
        self._notifier = notifier or Notifier()
        self._notice = ""
        self._is_hung = False

    def run(self) -> None:
        """Runs until SIGTERM, SIGINT or `stop()` of the first service.

        Raises:
            ConfigError: Another service uses this database, or the address for monitoring cannot be used.
        """
        notifier = self._notifier
        every = min(CHECK_SECONDS, (notifier.watchdog_seconds or CHECK_SECONDS) / 3)
        with self.service.running(can_reload=self._load is not None) as supervisor, self._health_served():
            notifier.ready()
            try:
                supervisor.run(
                    self.service.thread_group(),
                    build_successor=self._build_successor,
                    on_build_error=self._reject,
                    on_tick=self._check,
                    tick_seconds=every,
                )
            finally:
                notifier.stopping()
                self.service.archive.close()

    @contextmanager
    def _health_served(self) -> Iterator[None]:
        settings = self.service.archive.settings.metrics
        if settings.port is None:
            yield
            return
        with HealthServer(settings, lambda: self.service) as self.health_server:
            yield

    def _build_successor(self) -> ThreadGroup | None:
        """Builds the threads for changed settings; `None` if nothing has changed."""
        before = self.service.archive.settings
        settings = self._load() if self._load else before
        if settings == before:
            logger.info("settings_unchanged")
            return None
        if settings.metrics != before.metrics:
            raise ConfigError("[metrics] cannot change while the service runs. Stop it and start it again.")
        successor = self.service.successor(settings)
        return successor.thread_group(lambda: self._switch_to(successor))

    def _switch_to(self, successor: Service) -> None:
        before, self.service = self.service, successor
        before.archive.close()
        configure(successor.archive.settings.log)
        self._notice = ""
        logger.info("settings_changed", extra={"settings": ", ".join(_changes(before.archive.settings, successor.archive.settings))})

    def _reject(self, error: Exception) -> None:
        """Logs why the settings stay as they were."""
        if isinstance(error, ExtractorError):
            logger.error("settings_refused", extra={"error": str(error)})
        else:
            logger.error("settings_refused", exc_info=error)
        self._notice = "Changed settings were refused, see the log. "

    def _check(self) -> None:
        """Notifies systemd's watchdog, unless a thread hangs."""
        if hung := self.service.heartbeat.hung():
            if not self._is_hung:
                logger.error("service_hung", extra={"reasons": list(hung)})
            self._notifier.status(f"Hung: {'; '.join(hung)}")
        else:
            self._notifier.alive()
            if self._notifier.is_connected:
                self._notifier.status(self._notice + self._summary())
        self._is_hung = bool(hung)

    def _summary(self) -> str:
        if troubles := self.service.heartbeat.troubles():
            return "; ".join(troubles)
        try:
            numbers = count(self.service.archive, SystemClock().now())
        except (StorageError, DatabaseDamaged):
            return "The database cannot be read"
        filed, failed = numbers.files.get(JobState.DONE, 0), numbers.files.get(JobState.FAILED, 0)
        review = numbers.records.get(RecordStatus.NEEDS_REVIEW, 0)
        return f"{sum(numbers.waiting.values())} waiting, {filed} filed, {review} to review, {failed} failed"


def _changes(before: Settings, after: Settings) -> list[str]:
    """Names of the top-level settings that differ."""
    return [name for name in type(after).model_fields if getattr(before, name) != getattr(after, name)]
