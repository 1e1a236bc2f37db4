"""Reads files: each is prepared, its receipts are read and validated, and become records. Stores nothing and moves nothing."""

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
from extractor.extraction.preparation import FilePreparer, PreparedFile
from extractor.extraction.reask import DocumentResult, ReaskPolicy, read_documents
from extractor.extraction.session import ReceiptInput
from extractor.jobs import Extracted, Source, part_id
from extractor.ocr.page_reader import PageReader
from extractor.ocr.selection import build_page_reader
from extractor.readers.base import Reader
from extractor.readers.factory import make_reader
from extractor.readers.rules.ocr_reader import OcrReader
from extractor.schemas.record import Record
from extractor.workers.capacity import cores, plan_processes
from extractor.workers.prefetch import Prefetcher

logger = logging.getLogger(__name__)

# Name of the reader that has the GPU.
VISION = "vision"

# One part in so many of a reading process's memory is for prepared pages. It holds them twice: in the batch that is read, and on their way
# to the model.
PREPARED_SHARE = 5


class PreparedBatches(Protocol):
    """Prepares files, in this process or in others."""

    def start(self) -> None:
        """Return when files can be prepared.

        Raises:
            ExtractorError: They cannot.
        """
        ...

    def batches(self, sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> Iterator[Sequence[PreparedFile | ExtractorError]]:
        """The prepared files, in the order of their sources; the upcoming ones may be prepared while a batch is read."""
        ...


class InlineBatches:
    """Prepares files in this process, one after the other; see `PreparedBatches`."""

    def __init__(self, preparer: FilePreparer) -> None:
        self._preparer = preparer
        self.start = preparer.warm_up

    def batches(self, sources: Sequence[Source], _: Sequence[Source] = ()) -> Iterator[list[PreparedFile | ExtractorError]]:
        yield [self._preparer(source) for source in sources]


class Extraction:
    """Reads batches of receipt files with one reader.

    Args:
        ocr: Reads the text of pages.
        prepared: Prepares the files; by default this process does, one after the other.
    """

    def __init__(
        self, reader: Reader, ocr: PageReader, *, limits: PageLimits, policy: ReaskPolicy, prepared: PreparedBatches | None = None
    ) -> None:
        self._reader = reader
        self._ocr = ocr
        self._limits = limits
        self._policy = policy
        witness = None if isinstance(reader, OcrReader) else OcrReader(ocr)
        self._prepared = prepared or InlineBatches(FilePreparer(ocr, limits, witness))

    @classmethod
    def from_settings(cls, settings: Settings, *, threads: int | None = None) -> Self:
        """The extraction that the settings describe; beside a GPU, files are prepared in processes of their own.

        Args:
            threads: CPU threads for OCR in this process; `None` for all that the settings allow.
        Raises:
            ConfigError: The reader or the OCR engine cannot work here.
        """
        reading = settings.reader
        ocr = build_page_reader(reading.ocr_engine, threads=reading.threads if threads is None else threads)
        policy = ReaskPolicy(max_rungs=reading.max_rungs, seconds=reading.reask_seconds, preferences=settings.locale)
        limits = PageLimits(**settings.limits.model_dump())
        reader = make_reader(settings, ocr)
        if reader.name != VISION:
            return cls(reader, ocr, limits=limits, policy=policy)
        processes, each = plan_processes(reading.processes, reading.threads or max(1, cores() - 1))  # one core feeds the GPU
        prefetcher = Prefetcher[PreparedFile](
            partial(FilePreparer.in_worker, partial(_make_preparer, settings, each)),
            processes=processes,
            seconds=reading.receipt_seconds,
            memory_mb=reading.memory_mb,
            recycle_after=reading.recycle_receipts,
            ready_bytes=reading.memory_mb * 1_000_000 // PREPARED_SHARE,
        )
        return cls(reader, ocr, limits=limits, policy=policy, prepared=prefetcher)

    @property
    def reads_together(self) -> bool:
        """Whether it reads the receipts of a batch together on a GPU; only one process can."""
        return self._reader.name == VISION

    def warm_up(self) -> None:
        """Load the OCR engine, and make sure that it works, before a receipt waits for it.

        Raises:
            ReaderUnavailable: The engine cannot be loaded, or fails.
        """
        self._prepared.start()

    def read(self, sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> list[Extracted]:
        """The records of every source in its order, one for each receipt that it shows, or the reason why there is none.

        An error concerns its source alone. A source that shows several receipts gives a record of each of them, or none.

        Args:
            upcoming: Files of the next call; they may be prepared while these are read.
        """
        results: list[Extracted] = []
        began = time.monotonic()
        for batch in self._prepared.batches(sources, upcoming):
            prepared = time.monotonic()
            results += self._read(sources[len(results) : len(results) + len(batch)], batch)
            ended = time.monotonic()
            seconds = {"prepare_seconds": round(prepared - began, 2), "read_seconds": round(ended - prepared, 2)}
            logger.log(logging.INFO if self.reads_together else logging.DEBUG, "batch_read", extra={"receipts": len(batch), **seconds})
            began = ended
        return results

    def page_images(self, path: Path) -> list[Image.Image]:
        """The upright pages of a file that the boxes of its record refer to.

        Raises:
            InputError: The file cannot be read.
        """
        return [self._ocr.read(page)[0].image for page in load_pages(path, self._limits)]

    def _read(self, sources: Sequence[Source], batch: Sequence[PreparedFile | ExtractorError]) -> list[Extracted]:
        receipts = [receipt for file in batch if isinstance(file, PreparedFile) for receipt in file.receipts]
        results = iter(read_documents(self._reader, receipts, self._policy) if receipts else ())
        return [
            file if isinstance(file, ExtractorError) else self._records(source, [(receipt, next(results)) for receipt in file.receipts])
            for source, file in zip(sources, batch, strict=True)
        ]

    def _records(self, source: Source, read: Sequence[tuple[ReceiptInput, DocumentResult | ExtractorError]]) -> Extracted:
        records = []
        for receipt, result in read:
            if isinstance(result, ExtractorError):
                return result
            records.append(self._record(source, receipt, result))
        return tuple(records)

    def _record(self, source: Source, receipt: ReceiptInput, result: DocumentResult) -> Record:
        decision = result.decision
        return Record(
            **dict(result.receipt),
            receipt_id=source.receipt_id if receipt.region is None else part_id(source.receipt_id, receipt.region.number),
            region=receipt.region,
            source_sha256=source.sha256,
            original_filename=source.name,
            tags=source.tags,
            received_at=source.received_at,
            status=decision.status,
            review_reasons=decision.reasons,
            reader=self._reader.name,
            model=self._reader.model,
            prompt_version=self._reader.prompt_version,
            attempts=result.attempts,
            checks=decision.checks,
            fields=dict(result.fields),
            ocr_text="\n\n".join(transcript.text for transcript in receipt.document.transcripts),
        )


def _make_preparer(settings: Settings, threads: int) -> FilePreparer:
    """The preparer of a worker process, for a reader that has the OCR reader as its witness."""
    ocr = build_page_reader(settings.reader.ocr_engine, threads=threads)
    return FilePreparer(ocr, PageLimits(**settings.limits.model_dump()), OcrReader(ocr))
