"""Files become records: pages, witness, reader, questions, checks. Stores nothing and moves nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from PIL import Image

from extractor.errors import ExtractorError
from extractor.ocr.registry import build_ladder
from extractor.ocr.witness import Witness
from extractor.pages import Page, PageLimits, load_pages
from extractor.readers.interface import Document, Reader
from extractor.readers.ocr.reader import OcrReader
from extractor.readers.registry import make_reader
from extractor.reask import Outcome, Policy, read_documents
from extractor.settings import Settings
from extractor.source import Source
from schemas.record import Record, RecordStatus, ReviewReason


class Extraction:
    """Reads batches of receipt files with one reader and one witness."""

    def __init__(self, reader: Reader, witness: Witness, *, limits: PageLimits, policy: Policy) -> None:
        self._reader = reader
        self._witness = witness
        self._second_reader = None if isinstance(reader, OcrReader) else OcrReader(witness)
        self._limits = limits
        self._policy = policy

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The extraction that the settings ask for.

        Raises:
            ConfigError: The reader or the OCR engine cannot work here.
        """
        witness = Witness(build_ladder(settings.reader.ocr_engine, threads=settings.reader.threads))
        policy = Policy(max_rungs=settings.reader.max_rungs, seconds=settings.reader.reask_seconds, preferences=settings.locale)
        limits = PageLimits(**settings.limits.model_dump())
        return cls(make_reader(settings, witness), witness, limits=limits, policy=policy)

    @property
    def reader_name(self) -> str:
        return self._reader.name

    def warm_up(self) -> None:
        """Reads an empty page, so that the engine is loaded, and known to work, before a receipt waits for it.

        Raises:
            ReaderUnavailable: The engine cannot be loaded, or fails.
        """
        self._witness.read(Page(Image.new("RGB", (640, 640), "white"), 0))

    def read(self, sources: Sequence[Source]) -> list[Record | ExtractorError]:
        """A record, or the reason why there is none, for every source in its order; one that fails fails alone."""
        loaded = [self._load(source) for source in sources]
        documents = [document for document in loaded if isinstance(document, Document)]
        outcomes = iter(read_documents(self._reader, documents, self._policy, witness=self._second_reader) if documents else ())
        results = [next(outcomes) if isinstance(document, Document) else document for document in loaded]
        return [
            result if isinstance(result, ExtractorError) else self._record(source, document, result)
            for source, document, result in zip(sources, loaded, results, strict=True)
        ]

    def page_images(self, path: Path) -> list[Image.Image]:
        """The upright pages of a file that the boxes of its record refer to.

        Raises:
            InputError: The file cannot be read.
        """
        return [self._witness.read(page)[0].image for page in load_pages(path, self._limits)]

    def _load(self, source: Source) -> Document | ExtractorError:
        try:
            seen = [self._witness.read(page) for page in load_pages(source.path, self._limits)]
        except ExtractorError as error:
            return error
        return Document(source.name, tuple(page for page, _ in seen), tuple(transcript for _, transcript in seen))

    def _record(self, source: Source, document: Document | ExtractorError, outcome: Outcome) -> Record:
        transcripts = document.transcripts if isinstance(document, Document) else ()
        examination = outcome.examination
        return Record(
            **dict(outcome.normalised.receipt),
            receipt_id=source.receipt_id,
            source_sha256=source.sha256,
            original_filename=source.name,
            tags=source.tags,
            received_at=source.received_at,
            status=RecordStatus.ACCEPTED if examination.is_acceptable else RecordStatus.NEEDS_REVIEW,
            review_reasons=tuple(
                ReviewReason(field=issue.field, kind=issue.kind, message=issue.message) for issue in examination.issues if issue.blocking
            ),
            reader=self._reader.name,
            model=self._reader.model,
            prompt_version=self._reader.prompt_version,
            attempts=outcome.attempts,
            checks=examination.checks,
            fields=dict(outcome.normalised.fields),
            ocr_text="\n\n".join(transcript.text for transcript in transcripts),
        )
