"""A photo of several receipts, read for real: one record each, from the inbox to the outbox."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from extractor.config.settings import ReaderSettings, Settings
from extractor.jobs import Job, JobState
from extractor.schemas.record import Record, RecordStatus
from extractor.service.app import build_service
from training.collage import side_by_side
from training.render import RenderedReceipt, RenderOptions, render

pytest.importorskip("faster_paddle")


def read(settings: Settings, drop: Callable[..., Path], receipts: Sequence[RenderedReceipt]) -> tuple[list[Job], list[Record]]:
    """What comes of a photo of the receipts: jobs and records."""
    photo = io.BytesIO()
    side_by_side([receipt.image for receipt in receipts], seed=3).save(photo, "PNG")
    drop("table.png", photo.getvalue())
    service = build_service(settings.model_copy(update={"reader": ReaderSettings(name="ocr", processes=1, max_rungs=0)}))
    service.run_once()
    try:
        return list(service.archive.job_queue.jobs()), sorted(service.archive.receipts.list(), key=lambda record: record.receipt_id)
    finally:
        service.archive.close()


def receipt(number: int) -> RenderedReceipt:
    style = RenderOptions(country=("MY", "US", "GB")[number], kind="grocery", image_type="scan", tilt_degrees=0.0)
    return render(f"table-{number}", style)


def test_a_photo_of_several_receipts_gives_a_record_of_each(settings: Settings, drop: Callable[..., Path]) -> None:
    """With its own total, and where in the photo it lies; the photo is filed once."""
    receipts = [receipt(number) for number in range(3)]
    [job], records = read(settings, drop, receipts)
    assert job.state is JobState.DONE
    assert [str(record.total) for record in records] == [one.truth["total"] for one in receipts]
    regions = [record.region for record in records if record.region]
    assert [(region.number, region.count, region.page) for region in regions] == [(1, 3, 0), (2, 3, 0), (3, 3, 0)]
    lefts = [region.box[0] for region in regions]
    assert lefts == sorted(lefts)
    filed = Counter(path.suffix for path in settings.outbox_dir.rglob("table-*"))
    assert filed == {".json": 3, ".png": 1}


def test_a_receipt_and_its_copy_are_one_record_for_review(settings: Settings, drop: Callable[..., Path]) -> None:
    """They might be two receipts; a person is told how to have them read as such."""
    [job], [record] = read(settings, drop, [receipt(0), receipt(0)])
    assert job.state is JobState.DONE
    assert (record.region, record.status) == (None, RecordStatus.NEEDS_REVIEW)
    assert [reason.message for reason in record.review_reasons if reason.kind == "several_receipts" and "cut" in reason.message]
