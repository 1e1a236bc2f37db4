"""A photo of several receipts, read for real: one record each, from the inbox to the outbox."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from extractor.job import JobState
from extractor.running.build import build
from extractor.settings import ReaderSettings, Settings
from training.render import Style, render
from training.table import side_by_side

pytest.importorskip("faster_paddle")


@pytest.mark.parametrize("count", [2, 3])
def test_a_photo_of_several_receipts_gives_a_record_of_each(settings: Settings, drop: Callable[..., Path], count: int) -> None:
    """With its own merchant and total, and where in the photo it lies; the photo is filed once."""
    styles = [Style(country=country, kind="grocery", ink="scan", tilt_degrees=0.0) for country in ("MY", "US", "GB")][:count]
    receipts = [render(f"table-{number}", style) for number, style in enumerate(styles)]
    photo = io.BytesIO()
    side_by_side([receipt.image for receipt in receipts], seed=count).save(photo, "PNG")
    drop("table.png", photo.getvalue())
    service = build(settings.model_copy(update={"reader": ReaderSettings(name="ocr", processes=1, max_rungs=0)}))
    service.run_once()
    try:
        [job] = service.archive.ledger.jobs()
        records = sorted(service.archive.store.list(), key=lambda record: record.receipt_id)
    finally:
        service.archive.close()
    assert job.state is JobState.DONE
    assert [str(record.total) for record in records] == [receipt.truth["total"] for receipt in receipts]
    regions = [record.region for record in records]
    assert [(region.number, region.count, region.page) for region in regions if region] == [(n + 1, count, 0) for n in range(count)]
    lefts = [region.box[0] for region in regions if region]
    assert lefts == sorted(lefts)
    assert len([path for path in settings.outbox_dir.rglob("table-*") if path.suffix == ".json"]) == count
    assert len([path for path in settings.outbox_dir.rglob("table-*") if path.suffix == ".png"]) == 1
