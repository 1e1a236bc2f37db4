"""The whole way from a dropped file to a filed record with a vision model in its own process."""

import json
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.config.settings import ReaderSettings, Settings, VisionSettings
from extractor.jobs import JobState
from extractor.schemas.record import RecordStatus
from extractor.service.app import build_service

pytestmark = pytest.mark.vision


@pytest.fixture(autouse=True)
def _children_end() -> Iterator[None]:
    """The reading process ends with the test, not with the test run."""
    yield
    for child in multiprocessing.active_children():
        child.kill()
        child.join()


def test_what_a_model_without_sense_reads_is_kept_for_review(
    settings: Settings, mllama_folder: Path, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every receipt is filed, none is accepted, each says why, and its record names the model."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for the reading process: its matrices are tiny, and threads only wait for one another
    for number in range(3):
        draw(settings.inbox_dir / f"{number}.png")
    vision = VisionSettings(model=str(mllama_folder), device="cpu", max_rows=3, max_tokens=80, offline=True)
    service = build_service(settings.model_copy(update={"vision": vision, "reader": ReaderSettings(name="vision", max_rungs=1)}))
    service.run_once()
    try:
        assert service.archive.job_queue.counts()[JobState.DONE] == 3
        records = [json.loads(path.read_text()) for path in sorted(settings.outbox_dir.rglob("*.json"))]
    finally:
        service.archive.close()
    assert len(records) == 3
    for record in records:
        assert record["status"] == RecordStatus.NEEDS_REVIEW
        assert record["review_reasons"]
        assert record["reader"] == "vision"
        assert record["model"] == f"{mllama_folder} (32bit)"
        assert {attempt["rung"] for attempt in record["attempts"]} >= {"first"}
