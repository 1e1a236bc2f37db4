"""The seam between the pipeline and whatever reads receipts. Imports nothing heavy."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from extractor.documents import Page
from extractor.errors import BadAnswer, ReaderRefused, ReaderUnavailable
from extractor.ocr.transcript import Box, Transcript
from extractor.schemas.answer import ReceiptAnswer
from extractor.schemas.record import ReasonKind

ReaderError = ReaderUnavailable | ReaderRefused | BadAnswer


@dataclass(frozen=True)
class Document:
    """One receipt as readers get it: its upright pages and what the OCR witness saw on each.

    Attributes:
        name: File name, for messages only.
        pages: At least one, in print order.
        transcripts: One a page.
    """

    name: str
    pages: tuple[Page, ...]
    transcripts: tuple[Transcript, ...]


def root_of(path: str) -> str:
    """The top-level field of a field path: `items` for `items[2].total_price`."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


@dataclass(frozen=True)
class Issue:
    """Something missing or wrong in what has been read so far.

    Attributes:
        field: Path such as `total` or `items[2].total_price`; `*` for the whole receipt.
        message: The fact and the way out, for a person and for a model that is asked again.
        blocking: True where the record cannot be accepted with it.
    """

    field: str
    kind: ReasonKind
    message: str
    blocking: bool = True

    @property
    def root(self) -> str:
        """The top-level field that it is about."""
        return root_of(self.field)


@dataclass(frozen=True)
class Look:
    """How to look at the pages when answering.

    Attributes:
        effort: 0 for the ordinary look; each step up costs more and differs from the one below (larger model, upscaled, contrast). For
            readers that have engines to choose from; a model sees what `page` and `crop` say.
        page: Page to look at, counted from 0; `None` for all.
        crop: Part of that page, in its pixels, to be looked at enlarged, beside the whole page; `None` for the whole page alone.
        samples: Answers to draw, for a vote; 1 for the likeliest answer alone.
    """

    effort: int = 0
    page: int | None = None
    crop: Box | None = None
    samples: int = 1


@dataclass(frozen=True)
class Question:
    """What a reader is asked about one document. Narrowing a question makes a new one.

    Attributes:
        fields: Top-level fields of `ReceiptAnswer` that are wanted; empty for all.
        issues: Why they are asked (again); empty in a first question.
        look: How to look.
        draft: Answer text of another reader, from which a model may guess ahead what it is going to say. It must never be told of it,
            and never say anything else because of it: the two readers confirm each other only while they are independent.
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
    """Where a reader saw a field and how sure it is. `box` is in pixels of that page."""

    text: str
    page: int = 0
    box: Box | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Answer:
    """A reader's answer: as text that has to be parsed, or as the receipt itself.

    Attributes:
        text: JSON of a (partial) `ReceiptAnswer`, not yet validated; empty where `receipt` is set.
        evidence: By field path, where the reader knows it.
        seconds: Wall-clock time spent on this answer.
        tokens: Tokens generated, for models.
        is_cut_off: True where the reader hit its length limit before the end.
        samples: Further answers drawn to the same question, where several were wanted; none of them counts more than this one.
        receipt: The answer of a reader that makes no text; `None` where it is to be parsed from `text`.
    """

    text: str = ""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    seconds: float = 0.0
    tokens: int | None = None
    is_cut_off: bool = False
    samples: tuple["Answer", ...] = ()
    receipt: ReceiptAnswer | None = None


class Reading(Protocol):
    """A batch of documents being read; holds what the first question paid for, so that the next one is cheap."""

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """One answer or error for every row asked; a row that fails fails alone."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Reader(Protocol):
    """Reads receipts.

    Attributes:
        name: Stable name, filed with every record: `ocr`, `vision`, `remote`.
        model: What exactly reads, such as a model's name and quantisation.
        prompt_version: Changes whenever the same pages could be answered differently.
    """

    name: str
    model: str
    prompt_version: str

    def open(self, documents: Sequence[Document]) -> Reading:
        """Start reading a batch; row `i` of its questions is `documents[i]`."""
        ...
