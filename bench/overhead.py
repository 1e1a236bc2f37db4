"""Measure the overhead of a receipt besides reading: claim, copy, store, file; with a reader that takes no time.

    python -m bench.overhead [--receipts 300] [--size-kb 300] [--folder DIR]

Prints median and 90th percentile of the elapsed time in milliseconds per receipt, and the CPU time, which depends less on the load of
the machine; then the same without fsync. The check that a file decodes, and the construction of the record, are excluded.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from extractor.config.settings import InboxSettings, Settings, WorkSettings
from extractor.jobs import Extracted, Source
from extractor.schemas.receipt import Item
from extractor.schemas.record import Check, Record
from extractor.schemas.values import FieldEvidence
from extractor.service.app import build_service
from extractor.testing import make_record

BUDGET_MS = 10.0


def rich_record(source: Source) -> Record:
    """Return a record as large as that of a supermarket receipt: 12 items, 8 checks, 40 fields, a page of text."""
    return make_record(
        source,
        merchant_name="Kopi & Co.",
        currency_code="MYR",
        items=tuple(Item(description=f"item {number}", total_price="1.25") for number in range(12)),
        checks=tuple(Check(name="sum", expected="15.00", actual="15.00", passed=True) for _ in range(8)),
        fields={f"items[{number}].total_price": FieldEvidence(raw_text="1.25", box=(0.1, 0.2, 0.3, 0.4)) for number in range(40)},
        ocr_text="FLAT WHITE 1.25\n" * 60,
    )


class Stopwatch:
    """Accumulates elapsed time and CPU time of its contexts, in seconds."""

    def __init__(self) -> None:
        self.passed = self.processor = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.passed += time.perf_counter() - self._began[0]
        self.processor += time.process_time() - self._began[1]


def run(folder: Path, receipts: int, size_bytes: int) -> tuple[list[float], float]:
    """Return milliseconds per receipt from inbox to `done`: elapsed, one value for each batch, and mean CPU time."""
    settings = Settings(
        inbox_dir=folder / "inbox", outbox_dir=folder / "outbox", database=folder / "receipts.db",
        inbox=InboxSettings(settle_seconds=0), work=WorkSettings(),
    )  # fmt: skip
    reading = Stopwatch()

    def extract(sources: Sequence[Source]) -> list[Extracted]:
        with reading:
            return [(rich_record(source),) for source in sources]

    service = build_service(settings, extract=extract, check=lambda _: None)
    times, processor, batch = [], 0.0, settings.work.batch_size
    for start in range(0, receipts, batch):
        for number in range(start, start + batch):
            (settings.inbox_dir / f"{number}.jpg").write_bytes(os.urandom(size_bytes))
        reading.passed = reading.processor = 0.0
        with (whole := Stopwatch()):
            service.scanner.scan()
            service.worker.run_once(threading.Event())
        times.append((whole.passed - reading.passed) * 1000 / batch)
        processor += whole.processor - reading.processor
    assert len(list(service.archive.receipts.list())) == len(times) * batch  # noqa: S101 -- nothing is measured that was not done
    service.archive.close()
    return times, processor * 1000 / (len(times) * batch)


def report(title: str, times: list[float], cpu: float) -> None:
    passed = f"median {statistics.median(times):6.2f} ms   90th percentile {statistics.quantiles(times, n=10)[8]:6.2f} ms"
    print(f"{title:<16} {passed}   CPU {cpu:6.2f} ms   budget {BUDGET_MS:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=300)
    parser.add_argument("--size-kb", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="working folder, to measure another disk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        report("as it is", *run(Path(folder) / "a", arguments.receipts, arguments.size_kb * 1000))
        with mock.patch("os.fsync"):
            report("without fsync", *run(Path(folder) / "b", arguments.receipts, arguments.size_kb * 1000))


if __name__ == "__main__":
    main()
