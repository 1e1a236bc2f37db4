"""The OCR reader: answers from transcripts by trained models and rules; the default, without a GPU or downloads."""

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
from extractor.readers.rules import manifest
from extractor.readers.rules.crops import CropReader, read_closer
from extractor.readers.rules.field_values import FieldValues
from extractor.readers.rules.header import read_header
from extractor.readers.rules.money_fields import read_amounts
from extractor.readers.rules.transaction_datetime import read_datetime
from extractor.schemas.answer import DocumentType, MissingField, ReceiptAnswer

# Median confidence of the lines from which a page counts as legible: a field that two readings miss is not printed then.
_LEGIBLE = 0.8

# Fields that are printed beside another one.
_PRINTED_BESIDE = {"transaction_time": "transaction_date"}

# Fields for which much other text is a candidate: where a closer look misses the first one, the next best is no second opinion.
_LOCAL_FIELDS = ("merchant_name",)

# Maximum lengths in `ReceiptAnswer`: characters of texts (of all other texts `_MAX_LENGTH`), and rows of lists.
_MAX_LENGTHS = {"merchant_address": 300, "description": 120, "merchant_name": 120, "method": 120}
_MAX_LENGTH = 40
MAX_ROWS = {"items": 300, "tax_lines": 20, "payments": 10}


class OcrReader:
    """Answers from OCR transcripts; when asked again, it has the pages read again with more effort."""

    name = "ocr"
    prompt_version = manifest.version()

    def __init__(self, page_reader: CropReader) -> None:
        self._page_reader = page_reader
        self.model = f"{page_reader.name}, field models {manifest.version()}"

    def open(self, documents: Sequence[Document]) -> "OcrReading":
        return OcrReading(self._page_reader, documents)


class OcrReading:
    """A batch of documents; each further question about a document is answered from a reading that it has not had yet."""

    def __init__(self, page_reader: CropReader, documents: Sequence[Document]) -> None:
        self._page_reader = page_reader
        self._documents = documents
        self._first: dict[int, FieldValues] = {}
        self._efforts: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._first.clear()

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """Return an answer of the field rules for every row; rows are independent."""
        return {row: self._answer(row, question) for row, question in questions.items()}

    def _answer(self, row: int, question: Question) -> Answer | ReaderError:
        started = time.perf_counter()
        names = asked_fields(question)
        try:
            transcripts = self._transcripts(row, names, question.look)
        except ReaderUnavailable as error:
            return error
        part = read_fields(transcripts)
        first = self._first.setdefault(row, part)
        elsewhere = _fields_elsewhere(part, first) if self._efforts.get(row) == 0 else frozenset()
        part = _restricted(part, [name for name in names if name not in elsewhere])
        values = _bounded(dict(part.values))
        missing = [MissingField(field=name, reason="cut_off") for name, most in MAX_ROWS.items() if len(part.values.get(name) or ()) > most]
        if not question.is_first and _is_legible(transcripts):
            absent = [name for name in names if name not in elsewhere and values.get(name) in (None, [], ())]
            missing += [MissingField(field=name, reason="not_printed") for name in absent]
        receipt = ReceiptAnswer.model_validate(values | {"missing": tuple(missing)})
        return Answer(evidence=part.evidence, seconds=time.perf_counter() - started, receipt=receipt)

    def _transcripts(self, row: int, names: Sequence[str], look: Look) -> tuple[Transcript, ...]:
        """Return transcripts from the cheapest new reading: enlarged crops around known values, then the whole page with more effort."""
        document, first = self._documents[row], self._first.get(row)
        if look.effort == 0:
            return document.transcripts
        if first is not None and row not in self._efforts and all(_is_located(first, name) for name in names):
            self._efforts[row] = 0
            return tuple(self._closer_transcript(document, number, first, names) for number in range(len(document.pages)))
        self._efforts[row] = self._efforts.get(row, 0) + 1
        return tuple(self._page_reader.read(page, self._efforts[row])[1] for page in document.pages)

    def _closer_transcript(self, document: Document, number: int, first: FieldValues, names: Sequence[str]) -> Transcript:
        roots = {_locating_field(first, name) for name in names}
        boxes = [seen.box for path, seen in first.evidence.items() if root_of(path) in roots and seen.page == number and seen.box]
        return read_closer(self._page_reader, document.pages[number], document.transcripts[number], boxes, effort=1)


def _fields_elsewhere(part: FieldValues, first: FieldValues) -> frozenset[str]:
    """Return the fields that a closer look did not find at their place: it searched nowhere else, so it is no evidence on them."""
    return frozenset(name for name in _LOCAL_FIELDS if not _is_at_one_place(part.evidence.get(name), first.evidence.get(name)))


def _is_at_one_place(one: Evidence | None, other: Evidence | None) -> bool:
    if one is None or other is None or one.box is None or other.box is None:
        return True
    return one.page == other.page and one.box.top < other.box.bottom and other.box.top < one.box.bottom


def _locating_field(part: FieldValues, name: str) -> str:
    """Return the field whose place locates another: itself, or for a time that was not found the date, since both are printed together."""
    return _PRINTED_BESIDE.get(name, name) if name not in part.evidence else name


def _is_located(part: FieldValues, name: str) -> bool:
    """Return whether the place of the field on the page is known, or where it should be."""
    seen = part.evidence.get(_locating_field(part, name))
    return seen is not None and seen.box is not None


def read_fields(transcripts: Sequence[Transcript]) -> FieldValues:
    """Return the fields of all families; for a document that is no receipt, only its type, since its numbers are no amounts."""
    transcripts = [replace(transcript, lines=tuple(map(_cleaned, transcript.lines))) for transcript in transcripts]
    header = read_header(transcripts)
    if header.values.get("document_type") == DocumentType.NOT_A_RECEIPT:
        return FieldValues({"document_type": DocumentType.NOT_A_RECEIPT})
    parts = (header, read_datetime(transcripts), read_amounts(transcripts))
    values = {name: value for part in parts for name, value in part.values.items()}
    return FieldValues(values, {path: seen for part in parts for path, seen in part.evidence.items()})


def _cleaned(line: Line) -> Line:
    """Return the row as valid Unicode, with look-alikes of other scripts in its words replaced."""
    printed = [fragment.text for fragment in line.fragments]
    joined = "\n".join(text.replace("\n", " ") for text in printed)
    texts = unmixed(joined.encode("utf-8", "replace").decode("utf-8")).split("\n")
    if texts == printed:
        return line
    return Line(tuple(replace(fragment, text=text) for fragment, text in zip(line.fragments, texts, strict=True)))


def _restricted(part: FieldValues, names: Sequence[str]) -> FieldValues:
    """Return the wanted fields only."""
    values = {name: part.values[name] for name in names if name in part.values}
    evidence: dict[str, Evidence] = {path: seen for path, seen in part.evidence.items() if root_of(path) in names}
    return FieldValues(values, evidence)


def _bounded(values: Any, name: str = "") -> Any:
    """Return the values with overlong texts and lists cut: OCR may join what no receipt prints in one field."""
    if isinstance(values, Mapping):
        return {key: _bounded(value, key) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_bounded(value, name) for value in values[: MAX_ROWS.get(name)]]
    return values[: _MAX_LENGTHS.get(name, _MAX_LENGTH)] if isinstance(values, str) else values


def _is_legible(transcripts: Sequence[Transcript]) -> bool:
    confidences = sorted(line.confidence for transcript in transcripts for line in transcript.lines)
    return bool(confidences) and confidences[len(confidences) // 2] >= _LEGIBLE
