"""The interface between the pipeline and readers of receipts. Imports nothing heavy."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from extractor.documents import Page
from extractor.errors import BadAnswer, ReaderRefused, ReaderUnavailable
from extractor.ocr.transcript import Box, Transcript

ReaderError = ReaderUnavailable | ReaderRefused | BadAnswer


@dataclass(frozen=True)
class Document:
    """One receipt as a reader gets it: its upright pages and the OCR transcript of each.

    Attributes:
        name: File name, for messages only.
        pages: At least one, in print order.
        transcripts: One per page.
    """

    name: str
    pages: tuple[Page, ...]
    transcripts: tuple[Transcript, ...]


def root_of(path: str) -> str:
    """Return the top-level field of a field path: `items` for `items[2].total_price`."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


@dataclass(frozen=True)
class Issue:
    """A missing or doubtful value in an answer.

    Attributes:
        field: Path such as `total` or `items[2].total_price`; `*` for the whole receipt.
        kind: `missing`, `unconfirmed`, `conflict`, `ambiguous`, `implausible`, `several_receipts` or `not_a_receipt`.
        message: The fact and what to do, for a person and for a model that is asked again.
        blocking: True where it prevents the record from being accepted.
    """

    field: str
    kind: str
    message: str
    blocking: bool = True

    @property
    def root(self) -> str:
        """The top-level field that it concerns."""
        return root_of(self.field)


@dataclass(frozen=True)
class Look:
    """How the pages are presented to a reader.

    Attributes:
        effort: 0 for the ordinary effort; each step up costs more and differs from the one below (larger model, upscaling, contrast). For
            readers with a choice of engines; `page` and `crop` are for models.
        page: The page to read, counted from 0; `None` for all.
        crop: Part of that page, in its pixels, presented enlarged beside the whole page; `None` for the whole page alone.
        samples: Answers to draw, for a vote; 1 for the likeliest answer alone.
    """

    effort: int = 0
    page: int | None = None
    crop: Box | None = None
    samples: int = 1


@dataclass(frozen=True)
class Question:
    """A question about one document; narrowing it makes a new one.

    Attributes:
        fields: Wanted top-level fields of `ReceiptAnswer`; empty for all.
        issues: Why they are asked for again; empty in a first question.
        look: How the pages are presented.
        draft: Answer of another reader, from which a model may predict its own tokens (speculative decoding). It must neither enter the
            prompt nor change the answer: two readers confirm each other only while they are independent.
    """

    fields: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    look: Look = Look()
    draft: str = ""

    @property
    def is_first(self) -> bool:
        return not self.issues


@dataclass(frozen=True)
class Evidence:
    """The text of a field, where a reader found it, and its confidence. `box` is in pixels of that page."""

    text: str
    page: int = 0
    box: Box | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Answer:
    """The answer of a reader.

    Attributes:
        text: JSON of a (partial) `ReceiptAnswer`, not yet validated.
        evidence: By field path, where the reader provides it.
        seconds: Wall-clock time spent on this answer.
        tokens: Tokens generated, for models.
        is_cut_off: True where the reader hit its length limit before the end.
        samples: Further answers to the same question, where several were wanted; all count the same.
    """

    text: str
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    seconds: float = 0.0
    tokens: int | None = None
    is_cut_off: bool = False
    samples: tuple["Answer", ...] = ()


class Reading(Protocol):
    """A batch of documents being read; keeps what the first question computed, so that the next one is cheap."""

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """Return one answer or error for every row asked; rows fail independently."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Reader(Protocol):
    """Reads receipts.

    Attributes:
        name: Stable name, stored with every record: `ocr`, `vision`, `remote`.
        model: What exactly reads, such as the name and quantisation of a model.
        prompt_version: Changes whenever the same pages could be answered differently.
    """

    name: str
    model: str
    prompt_version: str

    def open(self, documents: Sequence[Document]) -> Reading:
        """Start reading a batch; row `i` of its questions is `documents[i]`."""
        ...
