"""Test doubles for the project's protocols, for its own tests and for those of programs that build on it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from extractor.jobs import Extracted, Source, new_receipt_id
from extractor.readers.base import Answer, Document, Question, ReaderError
from extractor.schemas.record import Record, RecordStatus


class ManualClock:
    """A clock that only moves when a test advances it."""

    def __init__(self, start: datetime = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._set_by = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed + self._set_by)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed += seconds

    def set_by(self, seconds: float) -> None:
        """Set the wall clock forward or back, as people and time servers do; no time passes."""
        self._set_by += seconds


@dataclass
class ScriptedReader:
    """A `Reader` that returns prepared answers.

    Attributes:
        answers: By document name, in the order of asking; the last one is repeated.
        asked: Every question, with the name of its document.
        opened: The names of the documents of every batch.
    """

    answers: Mapping[str, Sequence[Answer | ReaderError]]
    name: str = "scripted"
    model: str = "script"
    prompt_version: str = "1"
    asked: list[tuple[str, Question]] = field(default_factory=list)
    opened: list[tuple[str, ...]] = field(default_factory=list)

    def open(self, documents: Sequence[Document]) -> "ScriptedReading":
        """A batch of these documents."""
        names = tuple(document.name for document in documents)
        self.opened.append(names)
        return ScriptedReading(self, names)


class ScriptedReading:
    """One batch of a `ScriptedReader`."""

    def __init__(self, reader: ScriptedReader, names: tuple[str, ...]) -> None:
        self._reader = reader
        self._names = names

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """The next answer of the script for every row."""
        return {row: self._answer(self._names[row], question) for row, question in questions.items()}

    def _answer(self, name: str, question: Question) -> Answer | ReaderError:
        script = self._reader.answers[name]
        times = sum(asked == name for asked, _ in self._reader.asked)
        self._reader.asked.append((name, question))
        return script[min(times, len(script) - 1)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is held."""


@dataclass
class ScriptedExtraction:
    """The pipeline's `Extract`: a plain accepted record for every file, unless the script returns something else.

    Attributes:
        script: Called with each source; returns a record or several, an error, or `None` for the plain record. May raise.
        read: Every source that was read, with the SHA-256 of its bytes.
    """

    script: Callable[[Source], Record | Extracted | None] = lambda _: None
    read: list[tuple[Source, str]] = field(default_factory=list)

    def __call__(self, sources: Sequence[Source], _: Sequence[Source] = (), /) -> list[Extracted]:
        """One result a source, in order."""
        return [self._result(source) for source in sources]

    def _result(self, source: Source) -> Extracted:
        self.read.append((source, hashlib.sha256(source.path.read_bytes()).hexdigest()))
        result = self.script(source) or make_record(source)
        return (result,) if isinstance(result, Record) else result


def make_source(name: str = "lunch.jpg", *, path: Path | None = None) -> Source:
    """A source whose hash is that of its name; no file is written."""
    received_at = ManualClock().now()
    sha256 = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return Source(path or Path(name), name, sha256, new_receipt_id(received_at), received_at)


def make_record(source: Source | None = None, **values: Any) -> Record:
    """An accepted record of the source without any values but these."""
    source = source or make_source()
    plain: dict[str, Any] = {
        "receipt_id": source.receipt_id,
        "source_sha256": source.sha256,
        "original_filename": source.name,
        "tags": source.tags,
        "received_at": source.received_at,
        "status": RecordStatus.ACCEPTED,
        "reader": "scripted",
    }
    return Record(**(plain | values))
