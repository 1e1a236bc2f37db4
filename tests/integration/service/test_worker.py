"""The worker's batches, with a real database and real folders."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from extractor.config.settings import Settings
from extractor.jobs import Extracted, JobState, Source
from extractor.service.app import build_service
from extractor.testing import make_record


def test_each_receipt_is_filed_before_the_next_one_is_read(settings: Settings) -> None:
    """Results of a batch do not wait for its last file: the first one is in the outbox while the second is still being read."""
    filed_before: list[int] = []

    def extract(sources: Sequence[Source]) -> Iterator[Extracted]:
        for source in sources:
            filed_before.append(len(list(settings.outbox_dir.glob("[0-9]*/*/*.json"))))
            yield (make_record(source),)

    service = build_service(settings, extract=extract, check=lambda _: None)
    for number in range(3):
        (settings.inbox_dir / f"{number}.jpg").write_bytes(b"%d" % number)
    service.run_once()
    assert filed_before == [0, 1, 2]
    service.archive.close()


def test_a_crash_in_a_batch_keeps_what_was_read_before_it(settings: Settings) -> None:
    """The files that have a result are not read again; the others are read one by one, and only the odd one fails."""
    batches: list[list[str]] = []

    def extract(sources: Sequence[Source]) -> Iterator[Extracted]:
        batches.append([source.name for source in sources])
        for source in sources:
            if source.name == "1.jpg":
                raise ZeroDivisionError
            yield (make_record(source),)

    service = build_service(settings, extract=extract, check=lambda _: None)
    for number in range(3):
        (settings.inbox_dir / f"{number}.jpg").write_bytes(b"%d" % number)
    service.scanner.scan()
    service.worker.run_once(threading.Event())
    assert batches[:3] == [["0.jpg", "1.jpg", "2.jpg"], ["1.jpg"], ["2.jpg"]]
    assert all(batch == ["1.jpg"] for batch in batches[3:])  # it is retried
    states = {job.path: job.state for job in service.archive.job_queue.jobs()}
    assert states == {Path("0.jpg"): JobState.DONE, Path("1.jpg"): JobState.FAILED, Path("2.jpg"): JobState.DONE}
    service.archive.close()
