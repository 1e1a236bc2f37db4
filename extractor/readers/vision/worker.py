"""A reader in a process of its own, which may crash, hang or leak without harm: it is replaced, and its receipts are read again later."""

import contextlib
import logging
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from extractor.errors import BadAnswer, ConfigError, ExtractorError, ReaderRefused, ReaderUnavailable
from extractor.readers.interface import Answer, Document, Question, Reader, ReaderError, Reading

log = logging.getLogger(__name__)

START_SECONDS = 1800.0
"""Time in which the model must be there: a first start may download 8 GB."""

STOP_SECONDS = 5.0
"""Time that a process has to end by itself before it is killed."""

READER_ERRORS = (ReaderUnavailable, ReaderRefused, BadAnswer, ConfigError)
"""Errors that cross the border; any other is a bug, ends the process, and shows in its log."""


@dataclass(frozen=True)
class _Parcel:
    """An error on its way between processes (exceptions with arguments of their own do not survive pickling)."""

    kind: type[ExtractorError]
    message: str
    text: str | None

    @classmethod
    def of(cls, error: ExtractorError) -> "_Parcel":
        return cls(type(error), str(error), getattr(error, "text", None))

    def error(self) -> ExtractorError:
        return BadAnswer(self.message, text=self.text or "") if self.kind is BadAnswer else self.kind(self.message)


class _Process:
    """One child process and the pipe to it. Every failure ends the child and becomes a `ReaderUnavailable`."""

    def __init__(self, make_reader: Callable[[], Reader], idle_seconds: float, recycle_receipts: int) -> None:
        # Spawned, not forked: CUDA does not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, make_reader, idle_seconds, recycle_receipts), name="vision-reader", daemon=True
        )
        self._process.start()
        theirs.close()
        self.model: str = self.call("start", START_SECONDS)

    @property
    def is_alive(self) -> bool:
        """False also where the child is about to end: between calls its pipe has nothing to say but that it is closed."""
        return not self._pipe.closed and self._process.is_alive() and not self._pipe.poll(0)

    def call(self, message: object, seconds: float) -> Any:
        """The child's reply.

        Raises:
            ExtractorError: What the child raised.
            ReaderUnavailable: It died, or did not reply in time and was killed.
        """
        try:
            self._pipe.send(message)
            if not self._pipe.poll(seconds):
                self._process.kill()
                self.end()
                raise ReaderUnavailable(f"The reading process gave no answer in {seconds:.0f} s and was stopped. It is started anew.")
            reply, is_leaving = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.end()
            code = self._process.exitcode
            raise ReaderUnavailable(
                f"The reading process ended in the middle of its work (exit code {code}). It is started anew."
            ) from error
        if is_leaving:
            self.end()
        if isinstance(reply, _Parcel):
            raise reply.error()
        return reply

    def end(self) -> None:
        """Ends the child, which sees its pipe closed, by force if need be; its GPU memory is free afterwards."""
        self._pipe.close()
        self._process.join(STOP_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(STOP_SECONDS)


class WorkerReader:
    """A reader behind a process border; see `Reader`.

    The child is started with the first batch and again whenever it is gone: it ends by itself when idle, and after a number of receipts.

    Args:
        make_reader: Makes the reader, in the child; must be picklable.
        answer_seconds: Time after which a batch counts as hung.
        idle_seconds: Time without work after which the child ends.
        recycle_receipts: Receipts after which the child ends.
    """

    def __init__(
        self,
        make_reader: Callable[[], Reader],
        *,
        name: str,
        model: str,
        prompt_version: str,
        answer_seconds: float,
        idle_seconds: float,
        recycle_receipts: int,
    ) -> None:
        self._make_reader, self.name, self.prompt_version = make_reader, name, prompt_version
        self.model = model
        self.answer_seconds, self._idle_seconds, self._recycle_receipts = answer_seconds, idle_seconds, recycle_receipts
        self._process: _Process | None = None

    def open(self, documents: Sequence[Document]) -> "WorkerReading":
        """Start reading a batch; the child is started if there is none.

        Raises:
            ConfigError: The reader cannot work here.
            ReaderUnavailable: It cannot work now.
        """
        self.process()
        return WorkerReading(self, documents)

    def process(self) -> _Process:
        """The living child, started if need be."""
        if self._process is None or not self._process.is_alive:
            self.close()
            log.info("reading_process_starting", extra={"reader": self.name})
            self._process = _Process(self._make_reader, self._idle_seconds, self._recycle_receipts)
            self.model = self._process.model
        return self._process

    def close(self) -> None:
        """Ends the child, if there is one."""
        if self._process is not None:
            self._process.end()
            self._process = None


class WorkerReading:
    """A batch in the child; see `Reading`. If the child had to be replaced, the batch is opened again in the new one."""

    def __init__(self, reader: WorkerReader, documents: Sequence[Document]) -> None:
        self._reader, self._documents = reader, tuple(documents)
        self._opened_in: _Process | None = None

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        try:
            process = self._reader.process()
            if process is not self._opened_in:
                process.call(("open", id(self), self._documents), self._reader.answer_seconds)
                self._opened_in = process
            answers = process.call(("ask", id(self), dict(questions)), self._reader.answer_seconds)
        except ReaderUnavailable as error:
            log.warning("reading_process_failed", extra={"reader": self._reader.name, "receipts": len(questions), "reason": str(error)})
            return dict.fromkeys(questions, error)
        return {row: _unpacked(answer) for row, answer in answers.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._opened_in is not None and self._opened_in.is_alive:
            with contextlib.suppress(ReaderUnavailable):  # gone in the meantime: so is the batch
                self._opened_in.call(("close", id(self)), self._reader.answer_seconds)


def _unpacked(answer: Answer | _Parcel) -> Answer | ReaderError:
    if not isinstance(answer, _Parcel):
        return answer
    error = answer.error()
    assert isinstance(error, ReaderError)  # noqa: S101 - what a reading may answer
    return error


def _serve(pipe: Connection, make_reader: Callable[[], Reader], idle_seconds: float, recycle_receipts: int) -> None:
    """The child: answers until its parent is gone, it was idle for long, or has read enough. A reply says whether it is the last."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it ends this process in good order
    with pipe, contextlib.suppress(EOFError):  # EOF: the parent is gone
        pipe.recv()
        try:
            reader = make_reader()
        except READER_ERRORS as error:
            pipe.send((_Parcel.of(error), True))
            return
        pipe.send((reader.model, False))
        _answer(pipe, reader, idle_seconds, recycle_receipts)


def _answer(pipe: Connection, reader: Reader, idle_seconds: float, recycle_receipts: int) -> None:
    readings: dict[int, Reading] = {}
    receipts = 0
    is_leaving = False
    while not is_leaving and pipe.poll(idle_seconds):
        verb, key, *rest = pipe.recv()
        reply: object = None
        if verb == "open":
            readings[key] = reader.open(rest[0])
            receipts += len(rest[0])
        elif verb == "ask":
            answers = readings[key].ask(rest[0])
            reply = {row: _Parcel.of(answer) if isinstance(answer, ExtractorError) else answer for row, answer in answers.items()}
        else:
            readings.pop(key).__exit__(None, None, None)
            is_leaving = receipts >= recycle_receipts and not readings
        pipe.send((reply, is_leaving))
