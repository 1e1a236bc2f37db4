"""The gate's receipts: each is rendered, read and returned with its ground truth by a worker process."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from extractor.config.settings import ReaderSettings, Settings
from extractor.documents import PageLimits
from extractor.errors import ExtractorError
from extractor.evaluation.scoring import Truth
from extractor.extraction.reask import ReaskPolicy
from extractor.extraction.runner import Extraction
from extractor.jobs import Source, new_receipt_id
from extractor.ocr.selection import build_page_reader
from extractor.readers.factory import make_reader
from extractor.schemas.record import Record
from extractor.workers.capacity import cores
from extractor.workers.pool import WorkerPool
from training.receipt_sets import gate_receipt
from training.render import IMAGE_TYPES, RenderOptions, country_codes

# 39 countries and 5 image types have no common divisor: 195 receipts show each country in each image type once.
COUNT = 200
# Plausibility of a date depends on the day of reading; a fixed day keeps results the same. After the renderer's last day.
TODAY = date(2026, 11, 24)
# No deadline for re-asking: results must not depend on the speed of the machine.
REASK_SECONDS = 3600.0
# Rounds of re-asking: one of the two that the product uses, which halves the time; what the second one confirms is measured elsewhere.
MAX_RUNGS = 1
# A worker that takes longer is hung.
RECEIPT_SECONDS = 300.0
# Long receipts take most time to read and show little that short ones do not.
MAX_ITEMS = 5
JPEG_QUALITY = 88


@dataclass(frozen=True)
class GateReceipt:
    """One receipt of the gate; `number` is its seed within the gate's set."""

    number: int
    country: str
    image_type: str

    @property
    def name(self) -> str:
        return f"{self.number:03}-{self.country}-{self.image_type}"


class GateResult(NamedTuple):
    """`record` is `None` where the receipt could not be read."""

    truth: Truth
    record: Record | None


def gate_receipts() -> tuple[GateReceipt, ...]:
    """All receipts of the gate: countries and image types in turn."""
    countries = country_codes()
    return tuple(GateReceipt(number, countries[number % len(countries)], IMAGE_TYPES[number % len(IMAGE_TYPES)]) for number in range(COUNT))


def gate_results(receipts: Sequence[GateReceipt]) -> Iterator[GateResult]:
    """Render and read the receipts with one process for each core; results are in the order given.

    Raises:
        ExtractorError: A worker cannot be started, or was lost.
    """
    with TemporaryDirectory() as folder:
        handler = partial(GateHandler, Path(folder))
        pool: WorkerPool[GateReceipt] = WorkerPool(handler, name="gate", size=cores(), seconds=lambda _: RECEIPT_SECONDS)
        try:
            pool.start()
            for receipt, result in zip(receipts, pool.run(receipts), strict=True):
                if not isinstance(result, GateResult):
                    raise result if isinstance(result, ExtractorError) else result.as_error(receipt.name)
                yield result
        finally:
            pool.close()


class GateHandler:
    """Renders and reads receipts in a worker process; see `TaskHandler`."""

    greeting = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        settings = Settings(reader=ReaderSettings(name="ocr"))
        page_reader = build_page_reader(settings.reader.ocr_engine, threads=1)
        policy = ReaskPolicy(max_rungs=MAX_RUNGS, seconds=REASK_SECONDS, today=lambda: TODAY)
        self._extraction = Extraction(make_reader(settings, page_reader), page_reader, limits=PageLimits(), policy=policy)

    def __call__(self, receipt: GateReceipt, /) -> GateResult:
        rendered = gate_receipt(receipt.number, RenderOptions(country=receipt.country, image_type=receipt.image_type, max_items=MAX_ITEMS))
        path = self._folder / f"{receipt.name}.jpg"
        rendered.image.save(path, quality=JPEG_QUALITY)
        received_at = datetime.combine(TODAY, datetime.min.time(), UTC)
        source = Source(path, path.name, hashlib.sha256(path.read_bytes()).hexdigest(), new_receipt_id(received_at), received_at)
        (result,) = self._extraction.read([source])
        path.unlink()
        truth = Truth.model_validate({**rendered.truth, "image": receipt.name})
        return GateResult(truth, None if isinstance(result, ExtractorError) else result[0])
