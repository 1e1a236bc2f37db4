"""A reader in a process of its own, which may crash, hang or leak without harm: it is replaced, and its receipts are read again later."""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from extractor.errors import ReaderUnavailable
from extractor.readers.base import Answer, Document, Question, Reader, ReaderError, Reading
from extractor.workers.process import WorkerDied, WorkerProcess

log = logging.getLogger(__name__)

START_SECONDS = 1800.0
"""Time in which the model must be there: a first start may download 8 GB."""


class WorkerReader:
    """A reader behind a process border; see `Reader`.

    The child is started with the first batch and again whenever it is gone: it ends by itself when idle, and after a number of receipts.

    Args:
        make_reader: Makes the reader, in the child; must be picklable.
        answer_seconds: Time after which a batch counts as hung.
        idle_seconds: Time without work after which the child ends.
        recycle_receipts: Receipts after which the child is replaced, between batches.
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
        self._child: WorkerProcess | None = None
        self._receipts = self._open_readings = 0

    def open(self, documents: Sequence[Document]) -> "WorkerReading":
        """Start reading a batch; the child is started if there is none.

        Raises:
            ConfigError: The reader cannot work here.
            ReaderUnavailable: It cannot work now.
        """
        self.child()
        return WorkerReading(self, documents)

    def child(self) -> WorkerProcess:
        """The living child, started if need be."""
        if self._child is None or not self._child.is_alive:
            self.close()
            log.info("reading_process_starting", extra={"reader": self.name})
            make = partial(_Serving, self._make_reader)
            self._child = WorkerProcess(make, name=f"{self.name} model", start_seconds=START_SECONDS, idle_seconds=self._idle_seconds)
            self._receipts = self._open_readings = 0
            self.model = _whole(self._child.wait)
        return self._child

    def opened(self, receipts: int) -> None:
        """Counts a batch that the child works on."""
        self._receipts += receipts
        self._open_readings += 1

    def closed(self) -> None:
        """Counts a batch that is done; after enough receipts and between batches the child ends."""
        self._open_readings -= 1
        if self._receipts >= self._recycle_receipts and not self._open_readings:
            self.close()

    def close(self) -> None:
        """Ends the child, if there is one."""
        if self._child is not None:
            self._child.end()
            self._child = None


class WorkerReading:
    """A batch in the child; see `Reading`. If the child had to be replaced, the batch is opened again in the new one."""

    def __init__(self, reader: WorkerReader, documents: Sequence[Document]) -> None:
        self._reader, self._documents = reader, tuple(documents)
        self._opened_in: WorkerProcess | None = None

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        try:
            child = self._reader.child()
            if child is not self._opened_in:
                self._call(child, ("open", id(self), self._documents))
                self._reader.opened(len(self._documents))
                self._opened_in = child
            answers: Mapping[int, Answer | ReaderError] = self._call(child, ("ask", id(self), dict(questions)))
        except ReaderUnavailable as error:
            log.warning("reading_process_failed", extra={"reader": self._reader.name, "receipts": len(questions), "reason": str(error)})
            return dict.fromkeys(questions, error)
        return answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._opened_in is not None and self._opened_in.is_alive:
            with contextlib.suppress(ReaderUnavailable):  # gone in the meantime: so is the batch
                self._call(self._opened_in, ("close", id(self), None))
                self._reader.closed()

    def _call(self, child: WorkerProcess, message: object) -> Any:
        return _whole(lambda: child.call(message, self._reader.answer_seconds))


def _whole(call: Callable[[], Any]) -> Any:
    """The reply of the child; its end is told in a whole sentence."""
    try:
        return call()
    except WorkerDied as error:
        raise ReaderUnavailable(f"The reading process {error}. It is started anew.") from error


class _Serving:
    """The reader in the child, and the batches that are open there; see `Servant`."""

    def __init__(self, make_reader: Callable[[], Reader]) -> None:
        self._reader = make_reader()
        self.greeting = self._reader.model
        self._readings: dict[int, Reading] = {}

    def __call__(self, message: tuple[str, int, Any], /) -> object:
        verb, key, content = message
        if verb == "open":
            self._readings[key] = self._reader.open(content)
        elif verb == "ask":
            return self._readings[key].ask(content)
        else:
            self._readings.pop(key).__exit__(None, None, None)
        return None
