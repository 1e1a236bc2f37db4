"""Serves `/healthz` and `/metrics` of a running service over HTTP, in threads of its own, so that a long read does not block them."""

import json
import logging
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from types import TracebackType
from typing import Any, ClassVar, Self

from extractor.config.settings import MetricsSettings
from extractor.errors import ConfigError, DatabaseDamaged, StorageError
from extractor.runtime.clock import SystemClock
from extractor.service.lifecycle import Service
from extractor.service.status import Numbers, count, free_bytes

logger = logging.getLogger(__name__)

PACKAGE = "receipt-extractor"

# Interval at which the server checks whether it has to stop.
STOP_POLL_SECONDS = 0.1

CLIENT_TIMEOUT_SECONDS = 10.0


class HealthServer:
    """A context manager that serves HTTP while it is open.

    Args:
        settings: Address to listen at; `port` must be set.
        service: Returns the service that is running now; it changes when settings are reloaded.

    Attributes:
        address: Host and port that it listens at.

    Raises:
        ConfigError: The address cannot be used.
    """

    def __init__(self, settings: MetricsSettings, service: Callable[[], Service]) -> None:
        host, port = settings.host, settings.port or 0
        try:
            self._server = _Server(host, port, lambda path, accept: _answer(path, accept, service()))
        except (OSError, OverflowError, UnicodeError) as error:
            fact = f"metrics.port {port} at metrics.host {host} cannot be used ({getattr(error, 'strerror', None) or error})."
            raise ConfigError(f"{fact} Set another port or host, or stop the program that uses it.") from error
        self.address: tuple[str, int] = self._server.server_address[:2]  # type: ignore[assignment]  # typed for every family

    def __enter__(self) -> Self:
        logger.info("metrics_served", extra={"host": self.address[0], "port": self.address[1]})
        threading.Thread(target=self._server.serve_forever, args=(STOP_POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def health(service: Service) -> tuple[bool, dict[str, Any]]:
    """Whether the service makes progress, and the body of `/healthz`."""
    reasons = [*service.heartbeat.hung(), *service.heartbeat.troubles()]
    try:
        service.archive.job_queue.next_due()
    except (StorageError, DatabaseDamaged) as error:
        logger.warning("database_unavailable", extra={"error": str(error)})
        reasons.append("the database cannot be read")
    seconds = {part: round(since, 1) for part, since in service.heartbeat.seconds_since().items()}
    body = {"status": "failing" if reasons else "ok", "reasons": reasons, "last_sign_seconds": seconds}
    return not reasons, body | {"version": version(PACKAGE), "pid": os.getpid()}


def _numbers(service: Service) -> Numbers | None:
    """Numbers from the database; `None` if it cannot be read."""
    try:
        return count(service.archive, SystemClock().now())
    except (StorageError, DatabaseDamaged):
        return None  # receipts_database_up says so, and `health` logs it


def _metrics(service: Service, accept: str) -> tuple[bytes, str]:
    from extractor.service.metrics import Snapshot, render  # noqa: PLC0415 -- most installations do not need prometheus_client

    counts, settings = service.telemetry.counts(), service.archive.settings
    reader, model = counts.reader or (settings.reader.name, "")
    snapshot = Snapshot(
        version=version(PACKAGE),
        reader=reader,
        model=model,
        is_healthy=health(service)[0],
        numbers=_numbers(service),
        free_bytes=free_bytes(settings),
        counts=counts,
        reader_restarts=service.restarts(),
    )
    return render(snapshot, accept)


def _answer(path: str, accept: str, service: Service) -> tuple[HTTPStatus, bytes, str]:
    if path == "/healthz":
        is_healthy, values = health(service)
        body = json.dumps(values).encode() + b"\n"
        return HTTPStatus.OK if is_healthy else HTTPStatus.SERVICE_UNAVAILABLE, body, "application/json"
    if path == "/metrics":
        return HTTPStatus.OK, *_metrics(service, accept)
    return HTTPStatus.NOT_FOUND, b"Not found. There are /healthz and /metrics.\n", "text/plain; charset=utf-8"


_Answer = Callable[[str, str], tuple[HTTPStatus, bytes, str]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, answer: _Answer) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answer = answer
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own looks up our host name, which may block
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]  # typed for every family

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 -- the base class prints to stderr
        if not isinstance(sys.exception(), OSError):  # an OSError means that the client has disconnected
            logger.exception("request_crashed")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout: ClassVar[float] = CLIENT_TIMEOUT_SECONDS
    server_version = "receipts"
    sys_version = ""

    def do_GET(self) -> None:
        """Sends the answer."""
        status, body, content_type = self.server.answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 -- as above

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        logger.debug("request", extra={"line": format % args})
