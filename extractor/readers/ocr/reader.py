"""Reader on a transcript and the field models: the embedded default, no GPU, no downloads."""

import json
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from extractor.ocr.interface import Transcript
from extractor.pages import Page
from extractor.questions import asked_fields
from extractor.readers.interface import Answer, Document, Evidence, Look, Question, ReaderError
from extractor.readers.ocr.amounts import read_amounts
from extractor.readers.ocr.header import read_header
from extractor.readers.ocr.part import Part
from extractor.readers.ocr.when import read_when

FIELD_MODELS_VERSION = "1"
"""Changes with every change of rules, tables or weights that may answer the same transcript differently."""

LEGIBLE = 0.8
"""Median confidence of the lines from which a page counts as read, so that what was looked for twice is not printed."""

MAX_LENGTHS = {"merchant_address": 300, "description": 120, "merchant_name": 120, "method": 120}
"""Bounds of `ReceiptAnswer`; everything else is short."""


class Looker(Protocol):
    """Reads one page; `extractor.ocr.witness.Witness` is one."""

    @property
    def name(self) -> str:
        """Its engines."""
        ...

    def read(self, page: Page, effort: int = 0) -> tuple[Page, Transcript]:
        """The upright page and its text, at the given effort."""
        ...


class OcrReader:
    """Answers from OCR transcripts; asked again, it looks at the pages again with more effort."""

    name = "ocr"
    prompt_version = FIELD_MODELS_VERSION

    def __init__(self, witness: Looker) -> None:
        self._witness = witness
        self.model = f"{witness.name}, field models {FIELD_MODELS_VERSION}"

    def open(self, documents: Sequence[Document]) -> "OcrReading":
        return OcrReading(self._witness, documents)


class OcrReading:
    """A batch of documents; remembers the transcripts of each effort, so that asking for another field costs nothing."""

    def __init__(self, witness: Looker, documents: Sequence[Document]) -> None:
        self._witness = witness
        self._documents = documents
        self._seen: dict[tuple[int, int], tuple[Transcript, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._seen.clear()

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """An answer from the field models for every row; rows are independent."""
        return {row: self._answer(row, question) for row, question in questions.items()}

    def _answer(self, row: int, question: Question) -> Answer | ReaderError:
        started = time.perf_counter()
        transcripts = self._look(row, question.look)
        if not isinstance(transcripts, tuple):
            return transcripts
        part = _reduced(read_fields(transcripts), asked_fields(question))
        values = _bounded(dict(part.values))
        if not question.is_first and _is_legible(transcripts):
            absent = [name for name in asked_fields(question) if values.get(name) in (None, [], ())]
            values["missing"] = [{"field": name, "reason": "not_printed"} for name in absent]
        further = () if question.look.effort == 0 else transcripts
        text = json.dumps(values, ensure_ascii=False)
        return Answer(text, part.evidence, transcripts=further, seconds=time.perf_counter() - started)

    def _look(self, row: int, look: Look) -> tuple[Transcript, ...] | ReaderError:
        document = self._documents[row]
        if look.effort == 0:
            return document.transcripts
        if (row, look.effort) not in self._seen:
            self._seen[row, look.effort] = tuple(self._witness.read(page, look.effort)[1] for page in document.pages)
        return self._seen[row, look.effort]


def read_fields(transcripts: Sequence[Transcript]) -> Part:
    """Everything that the field families find, in one part."""
    parts = (read_header(transcripts), read_when(transcripts), read_amounts(transcripts))
    values = {name: value for part in parts for name, value in part.values.items()}
    return Part(values, {path: seen for part in parts for path, seen in part.evidence.items()})


def _reduced(part: Part, names: Sequence[str]) -> Part:
    """Only the fields that are wanted."""
    values = {name: part.values[name] for name in names if name in part.values}
    evidence: dict[str, Evidence] = {path: seen for path, seen in part.evidence.items() if path.split("[")[0].split(".")[0] in names}
    return Part(values, evidence)


def _bounded(values: Any, name: str = "") -> Any:
    """The values with overlong texts cut: OCR may join what no receipt prints in one field."""
    if isinstance(values, Mapping):
        return {key: _bounded(value, key) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_bounded(value, name) for value in values]
    return values[: MAX_LENGTHS.get(name, 40)] if isinstance(values, str) else values


def _is_legible(transcripts: Sequence[Transcript]) -> bool:
    confidences = sorted(line.confidence for transcript in transcripts for line in transcript.lines)
    return bool(confidences) and confidences[len(confidences) // 2] >= LEGIBLE
