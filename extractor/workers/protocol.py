"""The inside of a child process: it does what its parent tells it through a pipe, and ends when the parent does."""

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

OUT_OF_MEMORY = 86
"""Exit code of a child whose allocation was refused."""

Answer = TypeVar("Answer")


class TaskHandler(Protocol):
    """What works in the child.

    Attributes:
        greeting: What the parent is told when it is ready.
    """

    greeting: Any

    def __call__(self, message: Any, /) -> Any:
        """The reply. An `ExtractorError` is handed to the parent; any other exception is a bug and ends the child."""
        ...


@dataclass(frozen=True)
class WorkerSpec:
    """The first message: what to be."""

    make: Callable[[], TaskHandler]
    idle_seconds: float | None


def _received(pipe: Connection) -> Any:
    """The next message; from now on so much is logged as in the parent when it was sent."""
    root_level, level, message = pipe.recv()
    logging.getLogger().setLevel(root_level)
    logging.getLogger("extractor").setLevel(level)
    return message


class _Wire:
    """The child's end of the pipe: one message at a time, whichever thread sends it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, kind: str, value: object) -> None:
        data = pickle.dumps((kind, value))
        with self._lock, contextlib.suppress(BrokenPipeError):  # the parent is gone: so are we, soon
            self._pipe.send_bytes(data)


class _LogToParent(logging.Handler):
    """Log lines travel to the parent, which writes them where and as it writes its own."""

    def __init__(self, wire: _Wire) -> None:
        super().__init__()
        self._wire = wire

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.exc_info and record.exc_info[1]:
                record.exc_text = describe(record.exc_info[1])
            record.msg, record.args, record.exc_info = record.getMessage(), None, None
            self._wire.send("log", record)
        except Exception:  # noqa: BLE001 -- a line that cannot travel must not end the work; this tells of it on stderr
            self.handleError(record)


def main(descriptor: int) -> None:
    """The child: does what it is told through this socket until its parent is gone, or it was idle for long."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal tells all of its processes
        signal.signal(number, signal.SIG_IGN)
    _die_with_parent()
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, ConnectionError):  # the parent has hung up
        wire = _Wire(pipe)
        logging.getLogger().handlers[:] = [_LogToParent(wire)]
        order: WorkerSpec = _received(pipe)
        servant = _answered(wire, order.make)
        if servant is None:
            return
        wire.send("reply", servant.greeting)
        while pipe.poll(order.idle_seconds):
            message = _received(pipe)
            _answered(wire, partial(_serve, wire, servant, message))


def _serve(wire: _Wire, servant: TaskHandler, message: object) -> None:
    wire.send("reply", servant(message))


def _answered(wire: _Wire, work: Callable[[], Answer]) -> Answer | None:
    """What the work gives; `None` where it raised an error that the parent has been told."""
    try:
        return work()
    except ExtractorError as error:
        wire.send("error", error)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # at once: everything else would need memory
    except Exception:
        logger.exception("child_crashed")
        sys.exit(1)
    return None


def _die_with_parent() -> None:
    """Lets the system end this process as soon as its stdin closes, also within native code: SIGIO ends who does not handle it.

    On macOS SIGIO is ignored unless handled; there the process ends when it next looks at its pipe.
    """
    import fcntl  # noqa: PLC0415 -- not on Windows

    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    with contextlib.suppress(OSError):  # where memory is short, the system shall take this process and not the service
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
