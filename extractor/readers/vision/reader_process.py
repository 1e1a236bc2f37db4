"""Runs a reader in a worker process, which may crash, hang or leak: it is replaced, and its receipts are read again later."""

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

START_SECONDS = 1800.0  # time limit for loading the model: the first start may download 8 GB


class WorkerReader:
    """A reader in a worker process; see `Reader`.

    The worker is started with the first batch and again whenever it has ended: it ends by itself when idle, and is stopped after a number
    of receipts.

    Args:
        make_reader: Makes the reader, in the worker; must be picklable.
        answer_seconds: Time after which a batch counts as hung.
        idle_seconds: Time without work after which the worker ends.
        recycle_receipts: Receipts after which the worker is replaced, between batches.
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
        self._worker: WorkerProcess | None = None
        self._receipts = self._open_batches = 0

    def open(self, documents: Sequence[Document]) -> "WorkerReading":
        """Open a batch; a worker is started if there is none.

        Raises:
            ConfigError: The reader cannot work here.
            ReaderUnavailable: It cannot work now.
        """
        self.worker()
        return WorkerReading(self, documents)

    def worker(self) -> WorkerProcess:
        """Return the running worker, started if need be."""
        if self._worker is None or not self._worker.is_alive:
            self.close()
            log.info("reading_process_starting", extra={"reader": self.name})
            make = partial(_ReaderHandler, self._make_reader)
            self._worker = WorkerProcess(make, name=f"{self.name} model", start_seconds=START_SECONDS, idle_seconds=self._idle_seconds)
            self._receipts = self._open_batches = 0
            self.model = _in_whole_sentence(self._worker.wait)
        return self._worker

    def batch_opened(self, receipts: int) -> None:
        """Count a batch that the worker has opened."""
        self._receipts += receipts
        self._open_batches += 1

    def batch_closed(self) -> None:
        """Count a batch that is done; between batches, a worker that has read enough receipts is stopped."""
        self._open_batches -= 1
        if self._receipts >= self._recycle_receipts and not self._open_batches:
            self.close()

    def close(self) -> None:
        """Stop the worker, if there is one."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None


class WorkerReading:
    """A batch in the worker; see `Reading`. If the worker had to be replaced, the batch is opened again in the new one."""

    def __init__(self, reader: WorkerReader, documents: Sequence[Document]) -> None:
        self._reader, self._documents = reader, tuple(documents)
        self._opened_in: WorkerProcess | None = None

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        try:
            worker = self._reader.worker()
            if worker is not self._opened_in:
                self._call(worker, ("open", id(self), self._documents))
                self._reader.batch_opened(len(self._documents))
                self._opened_in = worker
            answers: Mapping[int, Answer | ReaderError] = self._call(worker, ("ask", id(self), dict(questions)))
        except ReaderUnavailable as error:
            log.warning("reading_process_failed", extra={"reader": self._reader.name, "receipts": len(questions), "reason": str(error)})
            return dict.fromkeys(questions, error)
        return answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._opened_in is not None and self._opened_in.is_alive:
            with contextlib.suppress(ReaderUnavailable):  # the worker has died since, and the batch with it
                self._call(self._opened_in, ("close", id(self), None))
                self._reader.batch_closed()

    def _call(self, worker: WorkerProcess, message: object) -> Any:
        return _in_whole_sentence(lambda: worker.call(message, self._reader.answer_seconds))


def _in_whole_sentence(call: Callable[[], Any]) -> Any:
    """Return the worker's reply; if it has died, raise an error whose message is a whole sentence."""
    try:
        return call()
    except WorkerDied as error:
        raise ReaderUnavailable(f"The reading process {error}. It is started anew.") from error


class _ReaderHandler:
    """The reader inside the worker, and its open batches; see `TaskHandler`. Its greeting is the name of the loaded model."""

    def __init__(self, make_reader: Callable[[], Reader]) -> None:
        self._reader = make_reader()
        self.greeting = self._reader.model
        self._batches: dict[int, Reading] = {}

    def __call__(self, message: tuple[str, int, Any], /) -> object:
        verb, key, content = message
        if verb == "open":
            self._batches[key] = self._reader.open(content)
        elif verb == "ask":
            return self._batches[key].ask(content)
        else:
            self._batches.pop(key).__exit__(None, None, None)
        return None
