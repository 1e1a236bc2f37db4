"""Readers for the worker process, which imports this module anew: the name of a document says what they do."""

import os
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NoReturn, Self

from extractor.errors import BadAnswer, ConfigError
from extractor.readers.base import Answer, Document, Question, ReaderError


class EchoReading:
    """Answers with the document's name and the process id; `crash` and `hang` do what they say, `bad` gives a bad answer."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._names = [document.name for document in documents]

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        return {row: self._answer(self._names[row]) for row in questions}

    def _answer(self, name: str) -> Answer | ReaderError:
        if name == "crash":
            os._exit(9)
        if name == "hang":
            time.sleep(600)
        return BadAnswer("No JSON.", text=name) if name == "bad" else Answer(text=name, tokens=os.getpid())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._names.clear()


class EchoReader:
    name = "echo"
    model = "echo (loaded)"
    prompt_version = "1"

    def open(self, documents: Sequence[Document]) -> EchoReading:
        return EchoReading(documents)


def refusing_reader() -> NoReturn:
    raise ConfigError("There is no GPU here.")
