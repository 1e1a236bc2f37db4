"""The reading process: whatever happens to it, the receipts get an answer or an error, and the next ones are read."""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from extractor.documents import Page
from extractor.errors import BadAnswer, ConfigError, ReaderUnavailable
from extractor.ocr.transcript import Transcript
from extractor.readers.base import Answer, Document, Question, Reader, ReaderError
from extractor.readers.vision.reader_process import WorkerReader
from tests.vision.doubles import EchoReader, refusing_reader

MakeWorker = Callable[..., WorkerReader]


@pytest.fixture
def make_worker() -> Iterator[MakeWorker]:
    """Makes readers in worker processes, which end with the test."""
    made: list[WorkerReader] = []

    def make(
        reader: Callable[[], Reader] = EchoReader, *, answer_seconds: float = 60, idle_seconds: float = 60, recycle_receipts: int = 100
    ) -> WorkerReader:
        made.append(
            WorkerReader(
                reader,
                name="echo",
                model="echo",
                prompt_version="1",
                answer_seconds=answer_seconds,
                idle_seconds=idle_seconds,
                recycle_receipts=recycle_receipts,
            )
        )
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def documents(*names: str) -> list[Document]:
    page, transcript = Page(Image.new("RGB", (8, 8))), Transcript((), 8, 8, "none")
    return [Document(name, (page,), (transcript,)) for name in names]


def read(worker: WorkerReader, *names: str) -> list[Answer | ReaderError]:
    with worker.open(documents(*names)) as reading:
        answers = reading.ask(dict.fromkeys(range(len(names)), Question()))
    return [answers[row] for row in range(len(names))]


def process_of(answer: Answer | ReaderError) -> int:
    assert isinstance(answer, Answer), answer
    assert answer.tokens is not None
    return answer.tokens


def test_answers_and_errors_cross_processes(make_worker: MakeWorker) -> None:
    """Answers arrive unchanged, errors with the answer that they hold, and the model's name is known."""
    worker = make_worker()
    answer, bad = read(worker, "lunch", "bad")
    assert isinstance(answer, Answer)
    assert answer.text == "lunch"
    assert process_of(answer) != os.getpid()
    assert isinstance(bad, BadAnswer)
    assert bad.text == "bad"
    assert worker.model == "echo (loaded)"


def test_a_crash_costs_its_batch_only(make_worker: MakeWorker) -> None:
    """All receipts of the batch are retried later; the next batch is read by a new process."""
    worker = make_worker()
    first = process_of(read(worker, "lunch")[0])
    answers = read(worker, "lunch", "crash")
    assert all(isinstance(answer, ReaderUnavailable) for answer in answers)
    assert "exit code 9" in str(answers[0])
    assert process_of(read(worker, "dinner")[0]) != first


def test_a_hang_is_ended(make_worker: MakeWorker) -> None:
    """A process that does not answer in time is killed, and its receipts are retried later."""
    worker = make_worker(answer_seconds=2)
    assert isinstance(read(worker, "hang")[0], ReaderUnavailable)
    worker.answer_seconds = 60
    assert isinstance(read(worker, "lunch")[0], Answer)


def test_a_batch_goes_on_in_the_next_process(make_worker: MakeWorker) -> None:
    """A second question after a crash is answered: the batch is opened again."""
    worker = make_worker()
    with worker.open(documents("lunch", "crash")) as reading:
        first = process_of(reading.ask({0: Question()})[0])
        reading.ask({1: Question()})
        assert process_of(reading.ask({0: Question()})[0]) != first


def test_an_idle_process_ends_and_is_started_again_when_wanted(make_worker: MakeWorker) -> None:
    """So its memory is free for others meanwhile."""
    worker = make_worker(idle_seconds=0.5)
    first = process_of(read(worker, "lunch")[0])
    await_end_of(first)
    assert process_of(read(worker, "dinner")[0]) != first


def test_a_process_is_replaced_after_enough_receipts(make_worker: MakeWorker) -> None:
    """Between batches, never within one."""
    worker = make_worker(recycle_receipts=3)
    first, second, third = (process_of(read(worker, "a", "b")[1]) for _ in range(3))
    assert first == second != third


def test_what_is_missing_is_an_error_when_reading_begins(make_worker: MakeWorker) -> None:
    """An error while the model loads arrives as itself, with its remedy."""
    with pytest.raises(ConfigError, match="no GPU"):
        make_worker(refusing_reader).open(documents("lunch"))


def await_end_of(process: int) -> None:
    deadline = time.monotonic() + 30
    while not has_ended(process):
        assert time.monotonic() < deadline, "the idle process did not end"
        time.sleep(0.05)


def has_ended(process: int) -> bool:
    """Whether a process has ended; its exit status is left for its parent."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
