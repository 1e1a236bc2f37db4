"""The worker side: a process that receives messages through a pipe, answers each with a reply, and ends when its parent does."""

import contextlib
import logging
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeVar

from extractor.errors import ExtractorError
from extractor.runtime.logs import describe

logger = logging.getLogger(__name__)

OUT_OF_MEMORY = 86  # exit code of a worker whose allocation was refused

Answer = TypeVar("Answer")


class TaskHandler(Protocol):
    """Does a worker's tasks, inside the worker process.

    Attributes:
        greeting: Sent to the parent once, when the handler is ready.
    """

    greeting: Any

    def __call__(self, message: Any, /) -> Any:
        """Return the reply to a message. An `ExtractorError` is sent to the parent; any other exception is a bug and ends the worker."""
        ...


@dataclass(frozen=True)
class WorkerSpec:
    """The first message to a worker: what it does, and how long it waits for work."""

    make: Callable[[], TaskHandler]
    idle_seconds: float | None


def _receive(pipe: Connection) -> Any:
    """Return the next message, and set the log levels to those of the parent when it was sent."""
    root_level, level, message = pipe.recv()
    logging.getLogger().setLevel(root_level)
    logging.getLogger("extractor").setLevel(level)
    return message


class _ParentPipe:
    """The worker's end of the pipe: sends one message at a time, from any thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, kind: str, value: object) -> None:
        data = pickle.dumps((kind, value))
        with self._lock, contextlib.suppress(BrokenPipeError):  # the parent is gone, so this process is about to end
            self._pipe.send_bytes(data)


class _LogToParent(logging.Handler):
    """Sends log records to the parent, which writes them as it writes its own."""

    def __init__(self, parent: _ParentPipe) -> None:
        super().__init__()
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.exc_info and record.exc_info[1]:
                record.exc_text = describe(record.exc_info[1])
            record.msg, record.args, record.exc_info = record.getMessage(), None, None
            self._parent.send("log", record)
        except Exception:  # noqa: BLE001 -- a record that cannot be pickled must not end the work; handleError reports it on stderr
            self.handleError(record)


def main(descriptor: int) -> None:
    """Run a worker: reply to messages from this socket until the parent is gone or no message has come for the idle time."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal sends these to all of its processes
        signal.signal(number, signal.SIG_IGN)
    _die_with_parent()
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, ConnectionError):  # the parent has closed the pipe
        parent = _ParentPipe(pipe)
        logging.getLogger().handlers[:] = [_LogToParent(parent)]
        spec: WorkerSpec = _receive(pipe)
        handler = _guard(parent, spec.make)
        if handler is None:
            return
        parent.send("reply", handler.greeting)
        while pipe.poll(spec.idle_seconds):
            message = _receive(pipe)
            _guard(parent, partial(_reply, parent, handler, message))


def _reply(parent: _ParentPipe, handler: TaskHandler, message: object) -> None:
    parent.send("reply", handler(message))


def _guard(parent: _ParentPipe, work: Callable[[], Answer]) -> Answer | None:
    """Return the result of `work`; `None` where it raised an `ExtractorError`, which is sent to the parent."""
    try:
        return work()
    except ExtractorError as error:
        parent.send("error", error)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # at once: an orderly exit would need memory
    except Exception:
        logger.exception("worker_crashed")
        sys.exit(1)
    return None


def _die_with_parent() -> None:
    """Make the system end this process as soon as its stdin closes, even within native code: SIGIO ends a process without a handler.

    On macOS SIGIO is ignored without a handler; there the process ends when it next reads its pipe.
    """
    import fcntl  # noqa: PLC0415 -- not on Windows

    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    with contextlib.suppress(OSError):  # if memory runs out, the system should end this process rather than the service
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
