"""The parent's side of one worker process: starts it, sends it tasks, enforces time and memory limits, and reports why it died.

The worker is a fresh interpreter that runs nothing of the main program: scripts need no `__main__` guard, and threads and CUDA are safe.
It works on one task at a time. It ends when its parent ends, for whatever reason; stop signals (Ctrl-C, SIGTERM) are left to the parent.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Collection
from enum import StrEnum
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from extractor.errors import ReaderUnavailable
from extractor.workers.protocol import OUT_OF_MEMORY, TaskHandler, WorkerSpec

logger = logging.getLogger(__name__)

STOP_SECONDS = 5.0  # a process that has not ended by itself after this time is killed
TICK_SECONDS = 0.1  # interval at which limits are enforced; a worker that fills memory allocates about 300 MB meanwhile

_START = "import sys; sys.path[:] = sys.argv[2:]; from extractor.workers.protocol import main; main(int(sys.argv[1]))"


class ExitReason(StrEnum):
    """Why a worker was lost."""

    CRASHED = "crashed"
    HUNG = "hung"
    MEMORY = "memory"


class WorkerDied(ReaderUnavailable):
    """The worker has ended, and its task with it. The message is the end of a sentence: "was killed by SIGSEGV"."""

    reason = ExitReason.CRASHED


class WorkerProcess:
    """A running worker. Its first result is its handler's greeting.

    Args:
        make: Makes the task handler, in the worker; must be picklable.
        name: The kind of work, for the log: "reading".
        start_seconds: Time limit for the greeting.
        idle_seconds: Time without a task after which the worker ends by itself; never by default.
        memory_mb: Limit of its resident memory, enforced on Linux only. There is no hard limit (RLIMIT_AS), because native code aborts
            where an allocation is refused, and the reason would be lost.
    Raises:
        ReaderUnavailable: No process can be started now.
    """

    def __init__(
        self,
        make: Callable[[], TaskHandler],
        *,
        name: str,
        start_seconds: float,
        idle_seconds: float | None = None,
        memory_mb: int | None = None,
    ) -> None:
        self.name = name
        self._memory_mb = memory_mb
        self._outcome: tuple[str, Any] | None = None
        try:
            self._process, self._pipe, lifeline = _start_process()
        except OSError as error:
            raise ReaderUnavailable(f"The {name} process cannot be started ({error.strerror}). It is tried again.") from error
        # Kills the process even if the caller forgets to stop it.
        self._kill = weakref.finalize(self, _kill, self._process, self._pipe, lifeline)
        try:
            self.send(WorkerSpec(make, idle_seconds), start_seconds)
        except BaseException:  # `make` cannot be pickled
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it waits for a task; false also when it is about to end."""
        if self._pipe.closed or self._process.poll() is not None:
            return False
        with contextlib.suppress(EOFError, OSError):
            while self._pipe.poll(0):  # only log records come unasked
                self._take(self._pipe.recv())
            return True
        return False

    def send(self, message: object, seconds: float) -> None:
        """Send a message, whose result is due within so many seconds."""
        self._seconds, self._deadline, self._outcome = seconds, time.monotonic() + seconds, None
        with contextlib.suppress(OSError):  # the worker has died: `has_result` finds out
            self._pipe.send((*_log_levels(), message))

    def has_result(self) -> bool:
        """Whether `result` returns or raises at once. Call it every `TICK_SECONDS`: it also enforces the limits."""
        try:
            while self._outcome is None and self._pipe.poll(0):
                self._take(self._pipe.recv())
        except Exception as error:  # noqa: BLE001 -- the end of the pipe, or whatever a damaged process has sent
            self._outcome = "error", self._post_mortem(error)
        if self._outcome is None:
            self._enforce_limits()
        return self._outcome is not None

    def result(self) -> Any:
        """Return the reply to the last message, once `has_result`.

        Raises:
            ExtractorError: Raised by the handler.
            WorkerDied: The worker died, or was killed for exceeding its time or memory.
        """
        assert self._outcome is not None  # noqa: S101 -- see above
        kind, value = self._outcome
        if kind == "error":
            raise value
        return value

    def call(self, message: object, seconds: float) -> Any:
        """Send a message and wait for its result; raises as `result` does."""
        self.send(message, seconds)
        return self.wait()

    def wait(self) -> Any:
        """Wait for the result of the last message; raises as `result` does."""
        while not self.has_result():
            wait_for([self])
        return self.result()

    def disconnect(self) -> None:
        """Close the pipe, whereupon an idle worker ends by itself."""
        self._pipe.close()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the worker, by force if it does not end by itself in this time; its memory is free afterwards."""
        self.disconnect()
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the worker."""
        self._kill()

    def _take(self, message: tuple[str, Any]) -> None:
        kind, value = message
        if kind != "log":
            self._outcome = message
        elif (log := logging.getLogger(value.name)).isEnabledFor(value.levelno):
            log.handle(value)

    def _enforce_limits(self) -> None:
        if time.monotonic() > self._deadline:
            reason, ending = ExitReason.HUNG, f"gave no answer in {self._seconds:.0f} s and was stopped"
        elif self._memory_mb is not None and memory_mb(self.pid) > self._memory_mb:
            reason, ending = ExitReason.MEMORY, f"took more than {self._memory_mb} MB of memory and was stopped"
        else:
            return
        self.kill()
        self._outcome = "error", _died(reason, ending)

    def _post_mortem(self, cause: Exception) -> WorkerDied:
        if not isinstance(cause, EOFError | OSError):
            logger.error("worker_sent_garbage", extra={"work": self.name, "error": repr(cause)})
            self.kill()
        self.stop()
        code = self._process.returncode
        if code == OUT_OF_MEMORY:
            return _died(ExitReason.MEMORY, "ran out of memory")
        if code >= 0:
            return _died(ExitReason.CRASHED, f"ended with exit code {code}")
        hint = ", perhaps by the system for lack of memory" if code == -signal.SIGKILL else ""
        return _died(ExitReason.CRASHED, f"was killed by {_signal_name(-code)}{hint}")


def _start_process() -> tuple[subprocess.Popen[bytes], Connection, Connection]:
    """Return a new interpreter, the pipe to it, and the end of its stdin, whose closing ends it; leaves nothing open where this fails.

    Raises:
        OSError: No process can be started, or no descriptors are left.
    """
    with contextlib.ExitStack() as on_failure:
        parent_end, worker_end = socket.socketpair()
        on_failure.enter_context(parent_end)
        with worker_end:
            stdin, lifeline = os.pipe()  # nothing is written to it; it closes when this process ends
            on_failure.callback(os.close, lifeline)
            try:
                process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                    [sys.executable, "-P", "-c", _START, str(worker_end.fileno()), *sys.path],
                    stdin=stdin,
                    stdout=2,
                    pass_fds=[worker_end.fileno()],
                    process_group=0,  # a group of its own: Ctrl-C does not reach it
                )
            finally:
                os.close(stdin)
        on_failure.pop_all()
    return process, Connection(parent_end.detach()), Connection(lifeline, readable=False)


def _kill(process: subprocess.Popen[bytes], *connections: Connection) -> None:
    for each in connections:
        each.close()
    process.kill()
    process.wait()


def wait_for(workers: Collection[WorkerProcess]) -> None:
    """Return as soon as one of the workers has sent something, or after `TICK_SECONDS`."""
    connection.wait([worker._pipe for worker in workers if not worker._pipe.closed], TICK_SECONDS)  # noqa: SLF001 -- same module


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process in MB; 0 where the system does not report it."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _died(reason: ExitReason, ending: str) -> WorkerDied:
    error = WorkerDied(ending)
    error.reason = reason
    return error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _log_levels() -> tuple[int, int]:
    """Return the levels of the root logger and of ours, which the worker adopts."""
    return logging.getLogger().level, logging.getLogger("extractor").getEffectiveLevel()
