"""Log lines on stderr: a stable event name plus fields, as text or JSON, one line each. Receipt contents appear at DEBUG only.

Modules log with `logger.info("receipt_filed", extra={"receipt_id": ..., "file": ...})`.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from extractor.config.settings import LogSettings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Sends this program's log to `stream` (stderr by default); libraries only where they warn. Calling it again replaces the first."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("extractor").setLevel(settings.level)


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00 INFO receipt_filed file="lunch.jpg"`; values are quoted as in JSON, so that names cannot break the line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_quoted(value)}" for name, value in _fields(record).items())
        trace = f" trace={_quoted(text)}" if (text := _trace(record)) else ""
        return f"{_time(record):%Y-%m-%d %H:%M:%S} {record.levelname} {_escaped(record.getMessage())}{fields}{trace}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `event`, `logger`, the fields, and `trace` of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        head = {"time": _time(record).isoformat(), "level": record.levelname, "event": record.getMessage(), "logger": record.name}
        trace = {"trace": text} if (text := _trace(record)) else {}
        return json.dumps(head | _fields(record) | trace, default=str)


def describe(error: BaseException) -> str:
    """Where an exception came from, and which others led to it. What they say is left out unless DEBUG is on: it may quote a receipt."""
    if logging.getLogger("extractor").isEnabledFor(logging.DEBUG):
        return "".join(traceback.format_exception(error)).rstrip()
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    parts = [describe(earlier), "which led to:"] if earlier else []
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return "\n".join([*parts, *([frames] if frames else []), type(error).__name__])


def _trace(record: logging.LogRecord) -> str | None:
    """The traceback; that of another process comes as text."""
    return describe(record.exc_info[1]) if record.exc_info and record.exc_info[1] else record.exc_text


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _quoted(value: object) -> str:
    is_plain = isinstance(value, bool | int | float) or value is None
    return _escaped(json.dumps(value if is_plain else str(value), ensure_ascii=False))


def _escaped(text: str) -> str:
    """The text without line ends, also those of Unicode, and without what steers a terminal or turns the order of what follows."""
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
