"""Reader on a transcript and the field models: the embedded default, no GPU, no downloads."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from extractor.errors import ReaderUnavailable
from extractor.ocr.transcript import Line, Transcript
from extractor.parsing.lookalikes import unmixed
from extractor.readers.base import Answer, Document, Evidence, Look, Question, ReaderError, root_of
from extractor.readers.prompts import asked_fields
from extractor.readers.rules.crops import Looker, look_closer
from extractor.readers.rules.field_values import FieldValues
from extractor.readers.rules.header import read_header
from extractor.readers.rules.money_fields import read_amounts
from extractor.readers.rules.transaction_datetime import read_when
from extractor.schemas.answer import DocumentType, MissingField, ReceiptAnswer

FIELD_MODELS_VERSION = "4"
"""Changes with every change of rules, tables or weights that may answer the same transcript differently."""

LEGIBLE = 0.8
"""Median confidence of the lines from which a page counts as read, so that what was looked for twice is not printed."""

BESIDE = {"transaction_time": "transaction_date"}
"""Fields that are printed beside another one."""

LOCAL = ("merchant_name",)
"""Fields of which much print is another candidate: where a closer look loses it, the next best one is no second opinion."""

# Bounds of `ReceiptAnswer`: characters of a text, rows of a list.
MAX_LENGTHS = {"merchant_address": 300, "description": 120, "merchant_name": 120, "method": 120}
MAX_LENGTH = 40
MAX_ROWS = {"items": 300, "tax_lines": 20, "payments": 10}


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
    """A batch of documents; each further question about a document is answered from a look that it has not had yet."""

    def __init__(self, witness: Looker, documents: Sequence[Document]) -> None:
        self._witness = witness
        self._documents = documents
        self._first: dict[int, FieldValues] = {}
        self._efforts: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._first.clear()

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """An answer from the field models for every row; rows are independent."""
        return {row: self._answer(row, question) for row, question in questions.items()}

    def _answer(self, row: int, question: Question) -> Answer | ReaderError:
        started = time.perf_counter()
        names = asked_fields(question)
        try:
            transcripts = self._look(row, names, question.look)
        except ReaderUnavailable as error:
            return error
        part = read_fields(transcripts)
        first = self._first.setdefault(row, part)
        strayed = _strayed(part, first) if self._efforts.get(row) == 0 else frozenset()
        part = _reduced(part, [name for name in names if name not in strayed])
        values = _bounded(dict(part.values))
        missing = [MissingField(field=name, reason="cut_off") for name, most in MAX_ROWS.items() if len(part.values.get(name) or ()) > most]
        if not question.is_first and _is_legible(transcripts):
            absent = [name for name in names if name not in strayed and values.get(name) in (None, [], ())]
            missing += [MissingField(field=name, reason="not_printed") for name in absent]
        receipt = ReceiptAnswer.model_validate(values | {"missing": tuple(missing)})
        return Answer(evidence=part.evidence, seconds=time.perf_counter() - started, receipt=receipt)

    def _look(self, row: int, names: Sequence[str], look: Look) -> tuple[Transcript, ...]:
        """The pages' text, from the cheapest look that promises something new: closer at known places, then the whole page again."""
        document, first = self._documents[row], self._first.get(row)
        if look.effort == 0:
            return document.transcripts
        if first is not None and row not in self._efforts and all(_is_seen(first, name) for name in names):
            self._efforts[row] = 0
            return tuple(self._closer(document, number, first, names) for number in range(len(document.pages)))
        self._efforts[row] = self._efforts.get(row, 0) + 1
        return tuple(self._witness.read(page, self._efforts[row])[1] for page in document.pages)

    def _closer(self, document: Document, number: int, first: FieldValues, names: Sequence[str]) -> Transcript:
        roots = {_whereabouts(first, name) for name in names}
        boxes = [seen.box for path, seen in first.evidence.items() if root_of(path) in roots and seen.page == number and seen.box]
        return look_closer(self._witness, document.pages[number], document.transcripts[number], boxes, effort=1)


def _strayed(part: FieldValues, first: FieldValues) -> frozenset[str]:
    """The fields that a closer look at their places did not read there: it has nothing to say of them, since it looked nowhere else."""
    return frozenset(name for name in LOCAL if not _is_at_one_place(part.evidence.get(name), first.evidence.get(name)))


def _is_at_one_place(one: Evidence | None, other: Evidence | None) -> bool:
    if one is None or other is None or one.box is None or other.box is None:
        return True
    return one.page == other.page and one.box.top < other.box.bottom and other.box.top < one.box.bottom


def _whereabouts(part: FieldValues, name: str) -> str:
    """The field where to look for this one: itself, or for a time that was not found the date, since the two are printed together."""
    return BESIDE.get(name, name) if name not in part.evidence else name


def _is_seen(part: FieldValues, name: str) -> bool:
    """Whether the part knows where on the page the field stands, or should stand."""
    seen = part.evidence.get(_whereabouts(part, name))
    return seen is not None and seen.box is not None


def read_fields(transcripts: Sequence[Transcript]) -> FieldValues:
    """Everything that the field families find, in one part; of what is no receipt, only that it is none: its numbers are no amounts."""
    transcripts = [replace(transcript, lines=tuple(map(_in_one_script, transcript.lines))) for transcript in transcripts]
    header = read_header(transcripts)
    if header.values.get("document_type") == DocumentType.NOT_A_RECEIPT:
        return FieldValues({"document_type": DocumentType.NOT_A_RECEIPT})
    parts = (header, read_when(transcripts), read_amounts(transcripts))
    values = {name: value for part in parts for name, value in part.values.items()}
    return FieldValues(values, {path: seen for part in parts for path, seen in part.evidence.items()})


def _in_one_script(line: Line) -> Line:
    """The row without look-alikes of other scripts in its words."""
    printed = [fragment.text for fragment in line.fragments]
    texts = unmixed("\n".join(text.replace("\n", " ") for text in printed)).split("\n")
    if texts == printed:
        return line
    return Line(tuple(replace(fragment, text=text) for fragment, text in zip(line.fragments, texts, strict=True)))


def _reduced(part: FieldValues, names: Sequence[str]) -> FieldValues:
    """Only the fields that are wanted."""
    values = {name: part.values[name] for name in names if name in part.values}
    evidence: dict[str, Evidence] = {path: seen for path, seen in part.evidence.items() if root_of(path) in names}
    return FieldValues(values, evidence)


def _bounded(values: Any, name: str = "") -> Any:
    """The values with overlong texts and lists cut: OCR may join what no receipt prints in one field."""
    if isinstance(values, Mapping):
        return {key: _bounded(value, key) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_bounded(value, name) for value in values[: MAX_ROWS.get(name)]]
    return values[: MAX_LENGTHS.get(name, MAX_LENGTH)] if isinstance(values, str) else values


def _is_legible(transcripts: Sequence[Transcript]) -> bool:
    confidences = sorted(line.confidence for transcript in transcripts for line in transcript.lines)
    return bool(confidences) and confidences[len(confidences) // 2] >= LEGIBLE
