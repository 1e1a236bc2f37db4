"""A file becomes a document with the witness's answer: all that is done for a receipt before a reader is asked about it."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from PIL import Image

from extractor.documents import Page, PageLimits, load_pages
from extractor.errors import ExtractorError, ReaderUnavailable
from extractor.extraction.splitter import Paper, cut_out, may_be_several, papers_of
from extractor.jobs import Source
from extractor.ocr.page_reader import PageReader
from extractor.ocr.transcript import Transcript
from extractor.readers.base import Answer, Document, Question, Reader, ReaderError
from extractor.readers.prompts import FIRST
from extractor.schemas.record import Region
from extractor.validation.normalisation import fractions

logger = logging.getLogger(__name__)

NICENESS = 5
"""Of the processes that prepare beside a GPU: the one that feeds the GPU goes before them."""


@dataclass(frozen=True)
class PreparedReceipt:
    """One receipt of a file.

    Attributes:
        region: Where in the file it is, if the file shows several.
        witness: What the second reader says about it; `None` without one.
        may_be_several: Whether it may be several receipts that cannot be told apart for sure.
    """

    document: Document
    region: Region | None = None
    witness: Answer | ReaderError | None = None
    may_be_several: bool = False


@dataclass(frozen=True)
class PreparedFile:
    """A file that can be read: its receipts, mostly one."""

    parts: tuple[PreparedReceipt, ...]

    @property
    def size_bytes(self) -> int:
        """What its pages take in memory."""
        return sum(3 * page.image.width * page.image.height for part in self.parts for page in part.document.pages)


class Preparation:
    """Prepares files, one at a time.

    Args:
        second_reader: Gives the witness's answer, where another reader than it reads.
    """

    def __init__(self, witness: PageReader, limits: PageLimits, second_reader: Reader | None = None) -> None:
        self._witness, self._limits, self._second_reader = witness, limits, second_reader

    def __call__(self, source: Source) -> PreparedFile | ExtractorError:
        try:
            parts = self._parts(source)
        except ExtractorError as error:
            return error
        if self._second_reader is None:
            return PreparedFile(parts)
        with self._second_reader.open([part.document for part in parts]) as reading:
            said = reading.ask(dict.fromkeys(range(len(parts)), FIRST))
        return PreparedFile(tuple(replace(part, witness=said[row]) for row, part in enumerate(parts)))

    def _parts(self, source: Source) -> tuple[PreparedReceipt, ...]:
        seen = [self._witness.read(page) for page in load_pages(source.path, self._limits)]
        if len(seen) == 1 and (papers := papers_of(seen[0][1])):
            return self._apart(source, *seen[0], papers)
        document = Document(source.name, tuple(page for page, _ in seen), tuple(transcript for _, transcript in seen))
        return (PreparedReceipt(document, may_be_several=any(may_be_several(transcript) for transcript in document.transcripts)),)

    def _apart(self, source: Source, page: Page, whole: Transcript, papers: Sequence[Paper]) -> tuple[PreparedReceipt, ...]:
        """The receipts on a page, each as a document of its own, looked at anew: each may lie askew in its own way."""
        logger.info("several_receipts", extra={"file": source.name, "receipts": len(papers)})
        parts = []
        for number, (image, box) in enumerate(cut_out(page.image, papers), 1):
            own, transcript = self._witness.read(Page(image, page.number))
            region = Region(number=number, count=len(papers), page=page.number, box=fractions(box, whole))
            parts.append(PreparedReceipt(Document(source.name, (own,), (transcript,)), region))
        return tuple(parts)

    def warm_up(self) -> None:
        """Reads an empty page, so that the engine is loaded, and known to work, before a receipt waits for it.

        Raises:
            ReaderUnavailable: The engine cannot be loaded, or fails.
        """
        self._witness.read(Page(Image.new("RGB", (640, 640), "white"), 0))


class PreparationHandler:
    """Prepares files in a child; see `Servant`."""

    greeting = None

    def __init__(self, make: Callable[[], Preparation]) -> None:
        os.nice(NICENESS)
        self._prepare = make()
        self._prepare.warm_up()

    def __call__(self, source: Source, /) -> PreparedFile | ExtractorError:
        try:
            return self._prepare(source)
        except (MemoryError, ExtractorError):
            raise
        except Exception as error:
            logger.exception("reading_crashed", extra={"files": [source.name]})
            fact = f"{source.name} could not be read ({type(error).__name__}). The log says where; at level DEBUG also what."
            return ReaderUnavailable(fact)


class Known:
    """A reader that says again what it has said about the documents before; see `Reader`."""

    name, model, prompt_version = "known", "known", "known"

    def __init__(self, answers: Sequence[Answer | ReaderError]) -> None:
        self._answers = answers

    def open(self, _: Sequence[Document]) -> Self:
        return self

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        return {row: self._answers[row] for row in questions}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is held."""
