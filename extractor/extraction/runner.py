"""Files become records: pages, witness, reader, questions, checks. Stores nothing and moves nothing."""

import logging
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from PIL import Image

from extractor.config.settings import Settings
from extractor.documents import PageLimits, load_pages
from extractor.errors import ExtractorError
from extractor.extraction.preparation import Known, Preparation, PreparationHandler, PreparedFile, PreparedReceipt
from extractor.extraction.reask import DocumentResult, ReaskPolicy, read_documents
from extractor.jobs import Extracted, Source, part_id
from extractor.ocr.page_reader import PageReader
from extractor.ocr.selection import build_page_reader
from extractor.readers.base import Issue, Reader
from extractor.readers.factory import make_reader
from extractor.readers.rules.ocr_reader import OcrReader
from extractor.schemas.record import Record, RecordStatus, ReviewReason
from extractor.workers.capacity import cores, plan_processes
from extractor.workers.prefetch import Prefetcher

logger = logging.getLogger(__name__)

SEVERAL = Issue(
    "*",
    "several_receipts",
    "This may show several receipts beside one another. If it does, cut the picture between them, and drop each part as a file of its own.",
)

VISION = "vision"
"""Name of the reader that has the GPU."""

READY_PART = 5
"""Such a part of the memory that a reading process may take is for pages that lie ready; it holds as many in a batch, and once more on the
way to the model."""


class Preparing(Protocol):
    """Prepares files, here or elsewhere."""

    def start(self) -> None:
        """Returns when it is ready, or raises why it cannot work."""
        ...

    def batches(self, sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> Iterator[Sequence[PreparedFile | ExtractorError]]:
        """What the sources became, in their order; those that are announced may be prepared meanwhile."""
        ...


class Extraction:
    """Reads batches of receipt files with one reader and one witness.

    Args:
        preparing: Who prepares files; by default this process does, with the witness.
    """

    def __init__(
        self, reader: Reader, witness: PageReader, *, limits: PageLimits, policy: ReaskPolicy, preparing: Preparing | None = None
    ) -> None:
        self._reader = reader
        self._witness = witness
        self._limits = limits
        self._policy = policy
        self._preparing = preparing or _Here(Preparation(witness, limits, None if isinstance(reader, OcrReader) else OcrReader(witness)))
        self._upcoming: tuple[Source, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings, *, threads: int | None = None) -> Self:
        """The extraction that the settings ask for; beside a GPU, files are prepared in processes of their own.

        Args:
            threads: CPU threads for OCR in this process; `None` for all that the settings allow.
        Raises:
            ConfigError: The reader or the OCR engine cannot work here.
        """
        reading = settings.reader
        witness = build_page_reader(reading.ocr_engine, threads=reading.threads if threads is None else threads)
        policy = ReaskPolicy(max_rungs=reading.max_rungs, seconds=reading.reask_seconds, preferences=settings.locale)
        limits = PageLimits(**settings.limits.model_dump())
        reader = make_reader(settings, witness)
        if reader.name != VISION:
            return cls(reader, witness, limits=limits, policy=policy)
        processes, each = plan_processes(reading.processes, reading.threads or max(1, cores() - 1))  # one core feeds the GPU
        ahead = Prefetcher[PreparedFile](
            partial(PreparationHandler, partial(_preparation, settings, each)),
            processes=processes,
            seconds=reading.receipt_seconds,
            memory_mb=reading.memory_mb,
            recycle_after=reading.recycle_receipts,
            ready_bytes=reading.memory_mb * 1_000_000 // READY_PART,
        )
        return cls(reader, witness, limits=limits, policy=policy, preparing=ahead)

    @property
    def reads_together(self) -> bool:
        """Whether it reads a batch in one go, and there can be only one of it: it has the GPU."""
        return self._reader.name == VISION

    def warm_up(self) -> None:
        """Makes sure that the OCR engine is loaded, and works, before a receipt waits for it.

        Raises:
            ReaderUnavailable: The engine cannot be loaded, or fails.
        """
        self._preparing.start()

    def prefetch(self, sources: Sequence[Source]) -> None:
        """What will be read after the next batch: it may be prepared while that one is read."""
        self._upcoming = tuple(sources)

    def read(self, sources: Sequence[Source]) -> list[Extracted]:
        """The records of every source in its order, one for each receipt that it shows, or the reason why there is none.

        A source that fails fails alone; one that shows several receipts has a record of each of them, or none.
        """
        upcoming, self._upcoming = self._upcoming, ()
        results: list[Extracted] = []
        began = time.monotonic()
        for batch in self._preparing.batches(sources, upcoming):
            prepared = time.monotonic()
            results += self._read(sources[len(results) : len(results) + len(batch)], batch)
            ended = time.monotonic()
            seconds = {"prepare_seconds": round(prepared - began, 2), "read_seconds": round(ended - prepared, 2)}
            logger.log(logging.INFO if self.reads_together else logging.DEBUG, "batch_read", extra={"receipts": len(batch), **seconds})
            began = ended
        return results

    def _read(self, sources: Sequence[Source], batch: Sequence[PreparedFile | ExtractorError]) -> list[Extracted]:
        ready = [part for made in batch if isinstance(made, PreparedFile) for part in made.parts]
        said = [part.witness for part in ready if part.witness is not None]
        witness = Known(said) if said else None
        outcomes = iter(read_documents(self._reader, [part.document for part in ready], self._policy, witness=witness) if ready else ())
        return [
            made if isinstance(made, ExtractorError) else self._records(source, [(part, next(outcomes)) for part in made.parts])
            for source, made in zip(sources, batch, strict=True)
        ]

    def _records(self, source: Source, read: Sequence[tuple[PreparedReceipt, DocumentResult | ExtractorError]]) -> Extracted:
        records = []
        for part, outcome in read:
            if isinstance(outcome, ExtractorError):
                return outcome
            records.append(self._record(source, part, outcome))
        return tuple(records)

    def page_images(self, path: Path) -> list[Image.Image]:
        """The upright pages of a file that the boxes of its record refer to.

        Raises:
            InputError: The file cannot be read.
        """
        return [self._witness.read(page)[0].image for page in load_pages(path, self._limits)]

    def _record(self, source: Source, part: PreparedReceipt, outcome: DocumentResult) -> Record:
        examination = outcome.examination
        issues = [issue for issue in (*([SEVERAL] if part.may_be_several else []), *examination.issues) if issue.blocking]
        return Record(
            **dict(outcome.normalised.receipt),
            receipt_id=source.receipt_id if part.region is None else part_id(source.receipt_id, part.region.number),
            region=part.region,
            source_sha256=source.sha256,
            original_filename=source.name,
            tags=source.tags,
            received_at=source.received_at,
            status=RecordStatus.NEEDS_REVIEW if issues else RecordStatus.ACCEPTED,
            review_reasons=tuple(ReviewReason(field=issue.field, kind=issue.kind, message=issue.message) for issue in issues),
            reader=self._reader.name,
            model=self._reader.model,
            prompt_version=self._reader.prompt_version,
            attempts=outcome.attempts,
            checks=examination.checks,
            fields=dict(outcome.normalised.fields),
            ocr_text="\n\n".join(transcript.text for transcript in part.document.transcripts),
        )


class _Here:
    """Prepares files in this process, one after the other; see `Preparing`."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self.start = preparation.warm_up

    def batches(self, sources: Sequence[Source], _: Sequence[Source] = ()) -> Iterator[list[PreparedFile | ExtractorError]]:
        yield [self._preparation(source) for source in sources]


def _preparation(settings: Settings, threads: int) -> Preparation:
    """What prepares files in a child, for a reader that is not the OCR reader."""
    witness = build_page_reader(settings.reader.ocr_engine, threads=threads)
    return Preparation(witness, PageLimits(**settings.limits.model_dump()), OcrReader(witness))
