"""Log lines on stderr: a stable event name plus fields, as text or JSON.

Modules log with `logger.info("file_filed", extra={"receipt_id": ..., "file": ...})`. The text of receipts appears at DEBUG only. A
terminal is the exception: there, an event may have a line for people, such as date, merchant and total of a receipt (`for_terminal`).
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from extractor.config.settings import LogSettings

# Attribute of a log record with its line for people. Only `TerminalFormatter` prints it.
_TERMINAL_LINE = "terminal_line"

_NOT_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", _TERMINAL_LINE}


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Logs to `stream` (stderr by default), in place of earlier handlers. Libraries are logged from WARNING on."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    if settings.format == "json":
        handler.setFormatter(JsonFormatter())
    elif stream.isatty():
        handler.setFormatter(TerminalFormatter())
        handler.addFilter(lambda record: getattr(record, _TERMINAL_LINE, None) != "")
    else:
        handler.setFormatter(TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("extractor").setLevel(settings.level)


def for_terminal(line: str) -> dict[str, Any]:
    """Log fields with the line that a terminal shows instead of event and fields; an empty line hides the event there."""
    return {_TERMINAL_LINE: line}


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00 INFO file_filed file="lunch.jpg"`; values are quoted as in JSON, so that names cannot break the line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_quoted(value)}" for name, value in _fields(record).items())
        trace = f" trace={_quoted(text)}" if (text := _trace(record)) else ""
        return f"{_time(record):%Y-%m-%d %H:%M:%S} {record.levelname} {_escaped(record.getMessage())}{fields}{trace}"


class TerminalFormatter(TextFormatter):
    """The event's line for people, if it has one; otherwise as `TextFormatter`."""

    def format(self, record: logging.LogRecord) -> str:
        line = getattr(record, _TERMINAL_LINE, None)
        return super().format(record) if line is None else _escaped(line)


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `time`, `level`, `event`, `logger`, the fields, and `trace` of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        head = {"time": _time(record).isoformat(), "level": record.levelname, "event": record.getMessage(), "logger": record.name}
        trace = {"trace": text} if (text := _trace(record)) else {}
        return json.dumps(head | _fields(record) | trace, default=str)


def describe(error: BaseException) -> str:
    """Traceback of an exception and of those that caused it, without their messages, which may quote a receipt, unless DEBUG is on."""
    if logging.getLogger("extractor").isEnabledFor(logging.DEBUG):
        return "".join(traceback.format_exception(error)).rstrip()
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    parts = [describe(earlier), "which led to:"] if earlier else []
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return "\n".join([*parts, *([frames] if frames else []), type(error).__name__])


def _trace(record: logging.LogRecord) -> str | None:
    """The traceback; one from another process is text already."""
    return describe(record.exc_info[1]) if record.exc_info and record.exc_info[1] else record.exc_text


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _NOT_FIELDS}


def _quoted(value: object) -> str:
    is_plain = isinstance(value, bool | int | float) or value is None
    return _escaped(json.dumps(value if is_plain else str(value), ensure_ascii=False))


def _escaped(text: str) -> str:
    """The text with everything unprintable escaped: line ends, terminal control sequences, marks that change the direction of text."""
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
