"""Prepares a file for a reader: loads its pages, runs OCR on them, separates several receipts, and asks the witness about each."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from extractor.documents import Page, PageLimits, load_pages
from extractor.errors import ExtractorError, ReaderUnavailable
from extractor.extraction.session import ReceiptInput
from extractor.extraction.splitter import SeparateReceipt, cut_out, may_be_several, separate_receipts
from extractor.jobs import Source
from extractor.ocr.page_reader import PageReader
from extractor.ocr.transcript import Transcript
from extractor.readers.base import Document, Reader
from extractor.readers.prompts import FIRST
from extractor.schemas.record import Region
from extractor.validation.normalisation import fractions

logger = logging.getLogger(__name__)

# Added to the niceness of processes that prepare files beside a GPU, so that the process that feeds the GPU takes precedence.
NICENESS = 5


@dataclass(frozen=True)
class PreparedFile:
    """A file's receipts, in most files one, ready to be read."""

    receipts: tuple[ReceiptInput, ...]

    @property
    def size_bytes(self) -> int:
        """Memory that the pages take."""
        return sum(3 * page.image.width * page.image.height for receipt in self.receipts for page in receipt.document.pages)


class FilePreparer:
    """Prepares one file at a time, in this process or as the `TaskHandler` of a worker process.

    Args:
        ocr: Reads the text of pages.
        witness: The second reader, where the reader that is asked afterwards is another one.
    """

    greeting = None

    def __init__(self, ocr: PageReader, limits: PageLimits, witness: Reader | None = None) -> None:
        self._ocr, self._limits, self._witness = ocr, limits, witness

    @classmethod
    def in_worker(cls, make: Callable[[], "FilePreparer"]) -> "FilePreparer":
        """The preparer of a worker process, which runs at lower priority; returns when the OCR engine works."""
        os.nice(NICENESS)
        preparer = make()
        preparer.warm_up()
        return preparer

    def warm_up(self) -> None:
        """Read an empty page, so that the engine is loaded, and known to work, before a receipt waits for it.

        Raises:
            ReaderUnavailable: The engine cannot be loaded, or fails.
        """
        self._ocr.read(Page(Image.new("RGB", (640, 640), "white"), 0))

    def __call__(self, source: Source, /) -> PreparedFile | ExtractorError:
        """The prepared file, or the reason why it cannot be read; an unexpected exception of a library is logged and returned as one."""
        try:
            receipts = self._receipts(source)
            return PreparedFile(receipts if self._witness is None else self._with_witness(self._witness, receipts))
        except MemoryError:
            raise  # the process is to be replaced
        except ExtractorError as error:
            return error
        except Exception as error:
            logger.exception("reading_crashed", extra={"files": [source.name]})
            fact = f"{source.name} could not be read ({type(error).__name__}). The log says where; at level DEBUG also what."
            return ReaderUnavailable(fact)

    def _receipts(self, source: Source) -> tuple[ReceiptInput, ...]:
        pages = [self._ocr.read(page) for page in load_pages(source.path, self._limits)]
        if len(pages) == 1 and (separate := separate_receipts(pages[0][1])):
            return self._cut_apart(source, *pages[0], separate)
        document = Document(source.name, tuple(page for page, _ in pages), tuple(transcript for _, transcript in pages))
        return (ReceiptInput(document, may_be_several=any(may_be_several(transcript) for transcript in document.transcripts)),)

    def _cut_apart(
        self, source: Source, page: Page, transcript: Transcript, separate: Sequence[SeparateReceipt]
    ) -> tuple[ReceiptInput, ...]:
        """The receipts on a page, each as a document of its own whose OCR is run anew: each may lie askew in its own way."""
        logger.info("several_receipts", extra={"file": source.name, "receipts": len(separate)})
        receipts = []
        for number, (image, box) in enumerate(cut_out(page.image, separate), 1):
            own_page, own_transcript = self._ocr.read(Page(image, page.number))
            region = Region(number=number, count=len(separate), page=page.number, box=fractions(box, transcript))
            receipts.append(ReceiptInput(Document(source.name, (own_page,), (own_transcript,)), region))
        return tuple(receipts)

    def _with_witness(self, witness: Reader, receipts: Sequence[ReceiptInput]) -> tuple[ReceiptInput, ...]:
        with witness.open([receipt.document for receipt in receipts]) as reading:
            answers = reading.ask(dict.fromkeys(range(len(receipts)), FIRST))
        return tuple(replace(receipt, witness=answers[row]) for row, receipt in enumerate(receipts))
