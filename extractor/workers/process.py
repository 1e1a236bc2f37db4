"""One child process and the pipe to it: started, asked, timed out, kept within its memory, ended; and why it died.

The child is a fresh interpreter that runs nothing of the main program: scripts need no guard, threads and CUDA are no danger. It works
on one message at a time. It ends when its parent ends, however that happens, and leaves the signals of a stop (Ctrl-C, SIGTERM) to it.
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

STOP_SECONDS = 5.0
"""Time that a process has to end by itself before it is killed."""

TICK_SECONDS = 0.1
"""How often the parent looks at the clock and at a child's memory while it waits: a child that fills memory takes some 300 MB meanwhile."""

_START = "import sys; sys.path[:] = sys.argv[2:]; from extractor.workers.protocol import main; main(int(sys.argv[1]))"


class ExitReason(StrEnum):
    """Why a child was lost."""

    CRASHED = "crashed"
    HUNG = "hung"
    MEMORY = "memory"


class WorkerDied(ReaderUnavailable):
    """The child is gone, and with it what it was working on. The message says how it ended, as the end of a sentence."""

    reason = ExitReason.CRASHED


class WorkerProcess:
    """A running child; its first answer is its greeting.

    Args:
        make: Makes the servant, in the child; must be picklable.
        name: What it does, for the log: "reading".
        start_seconds: Time until the greeting must be there.
        idle_seconds: Time without a message after which it ends by itself; never without.
        memory_mb: What it may take of the machine's memory; watched on Linux only, where the system tells. A hard limit is no choice:
            native code aborts where an allocation is refused, and nobody would know why.
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
        self._answer: tuple[str, Any] | None = None
        ours, theirs = socket.socketpair()
        stdin, lifeline = os.pipe()  # nothing is written to it; it closes when this process ends
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                    [sys.executable, "-P", "-c", _START, str(theirs.fileno()), *sys.path],
                    stdin=stdin,
                    stdout=2,
                    pass_fds=[theirs.fileno()],
                    process_group=0,  # of its own: Ctrl-C does not reach it
                )
        except OSError as error:
            os.close(lifeline)
            ours.close()
            raise ReaderUnavailable(f"The {name} process cannot be started ({error.strerror}). It is tried again.") from error
        finally:
            os.close(stdin)
        self._pipe = Connection(ours.detach())
        # Also where somebody forgets to end it.
        self._kill = weakref.finalize(self, _kill, self._process, self._pipe, Connection(lifeline, readable=False))
        try:
            self.ask(WorkerSpec(make, idle_seconds), start_seconds)
        except BaseException:  # what cannot be pickled
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it waits for a message: false also where it is about to end."""
        if self._pipe.closed or self._process.poll() is not None:
            return False
        with contextlib.suppress(EOFError, OSError):
            while self._pipe.poll(0):  # only log lines come unasked
                self._take(self._pipe.recv())
            return True
        return False

    def ask(self, message: object, seconds: float) -> None:
        """Sends a message, which has to be answered in this time."""
        self._seconds, self._deadline, self._answer = seconds, time.monotonic() + seconds, None
        with contextlib.suppress(OSError):  # it has died: that is its answer
            self._pipe.send((*_levels(), message))

    def has_answered(self) -> bool:
        """Whether `answer` has something to say. To be asked every `TICK_SECONDS`: this is where the limits are enforced."""
        try:
            while self._answer is None and self._pipe.poll(0):
                self._take(self._pipe.recv())
        except Exception as error:  # noqa: BLE001 -- the end of the pipe, or whatever a damaged process has sent
            self._answer = "error", self._post_mortem(error)
        if self._answer is None:
            self._enforce_limits()
        return self._answer is not None

    def answer(self) -> Any:
        """The reply to the last message, once `has_answered`.

        Raises:
            ExtractorError: What the child raised.
            WorkerDied: It died, or was killed for its time or memory.
        """
        assert self._answer is not None  # noqa: S101 -- see above
        kind, value = self._answer
        if kind == "error":
            raise value
        return value

    def call(self, message: object, seconds: float) -> Any:
        """The reply to a message, waited for; raises as `answer` does."""
        self.ask(message, seconds)
        return self.wait()

    def wait(self) -> Any:
        """The reply to the last message, waited for; raises as `answer` does."""
        while not self.has_answered():
            wait_for([self])
        return self.answer()

    def hang_up(self) -> None:
        """Closes the pipe, whereupon a child that has nothing to do ends by itself."""
        self._pipe.close()

    def end(self, seconds: float = STOP_SECONDS) -> None:
        """Ends the child, by force if it does not end by itself in this time; its memory is free afterwards."""
        self.hang_up()
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends the child at once."""
        self._kill()

    def _take(self, message: tuple[str, Any]) -> None:
        kind, value = message
        if kind != "log":
            self._answer = message
        elif (listener := logging.getLogger(value.name)).isEnabledFor(value.levelno):
            listener.handle(value)

    def _enforce_limits(self) -> None:
        if time.monotonic() > self._deadline:
            reason, story = ExitReason.HUNG, f"gave no answer in {self._seconds:.0f} s and was stopped"
        elif self._memory_mb is not None and memory_mb(self.pid) > self._memory_mb:
            reason, story = ExitReason.MEMORY, f"took more than {self._memory_mb} MB of memory and was stopped"
        else:
            return
        self.kill()
        self._answer = "error", _died(reason, story)

    def _post_mortem(self, cause: Exception) -> WorkerDied:
        if not isinstance(cause, EOFError | OSError):
            logger.error("child_answer_damaged", extra={"work": self.name, "error": repr(cause)})
            self.kill()
        self.end()
        code = self._process.returncode
        if code == OUT_OF_MEMORY:
            return _died(ExitReason.MEMORY, "ran out of memory")
        if code >= 0:
            return _died(ExitReason.CRASHED, f"ended with exit code {code}")
        hint = ", perhaps by the system for lack of memory" if code == -signal.SIGKILL else ""
        return _died(ExitReason.CRASHED, f"was killed by {_signal_name(-code)}{hint}")


def _kill(process: subprocess.Popen[bytes], *ends: Connection) -> None:
    for end in ends:
        end.close()
    process.kill()
    process.wait()


def wait_for(children: Collection[WorkerProcess]) -> None:
    """Returns as soon as one of the children has something to say, or after `TICK_SECONDS`."""
    connection.wait([child._pipe for child in children if not child._pipe.closed], TICK_SECONDS)  # noqa: SLF001 -- of this module


def memory_mb(pid: int) -> float:
    """Resident memory of a process in MB; 0 where the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _died(reason: ExitReason, story: str) -> WorkerDied:
    error = WorkerDied(story)
    error.reason = reason
    return error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _levels() -> tuple[int, int]:
    """What is logged now, by libraries and by us."""
    return logging.getLogger().level, logging.getLogger("extractor").getEffectiveLevel()
