"""Measure time and memory of OCR and of the whole extraction of a receipt: `python -m bench.reading FOLDER [--count 20]`."""

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from extractor.api import read_files
from extractor.config.settings import ReaderSettings, Settings
from extractor.documents import PageLimits, check_complete, load_pages
from extractor.errors import InputError
from extractor.extraction.reask import ReaskPolicy
from extractor.extraction.runner import Extraction
from extractor.ocr.page_reader import EFFORTS, PageReader
from extractor.ocr.selection import build_page_reader
from extractor.readers.factory import make_reader

LIMITS = PageLimits()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="receipts; other files are skipped")
    parser.add_argument("--count", type=int, default=20, help="receipts to read (default 20)")
    parser.add_argument(
        "--efforts", type=int, nargs="+", default=[0], choices=range(len(EFFORTS)), help="OCR efforts to measure (default 0)"
    )
    parser.add_argument("--engine", default="auto", help="as in the setting reader.ocr_engine")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for all cores")
    arguments = parser.parse_args()

    paths = receipts(arguments.folder, arguments.count)
    if not paths:
        print(f"No receipts in {arguments.folder}.", file=sys.stderr)
        return 1
    print(f"{len(paths)} receipts, {arguments.threads or os.cpu_count()} threads, load of the machine {os.getloadavg()[0]:.1f}")
    page_reader = build_page_reader(arguments.engine, threads=arguments.threads)
    for effort in arguments.efforts:
        read(page_reader, paths[0], effort)  # loads the model
        page_seconds, text_seconds = zip(*(read(page_reader, path, effort) for path in paths), strict=True)
        report("pages", page_seconds)
        report(f"text, effort {effort}", text_seconds)
    settings = Settings(reader=ReaderSettings(name="ocr", ocr_engine=arguments.engine, threads=arguments.threads))
    # Share the page reader, so that its engines are counted once.
    extraction = Extraction(make_reader(settings, page_reader), page_reader, limits=LIMITS, policy=ReaskPolicy())
    report("record", [seconds_to_record(extraction, path, settings) for path in (paths[0], *paths)][1:])
    return 0


def receipts(folder: Path, count: int) -> list[Path]:
    """Return the first readable files of a folder, by name."""
    found: list[Path] = []
    for path in sorted(folder.rglob("*")):
        with suppress(InputError):
            check_complete(path, LIMITS)
            found.append(path)
        if len(found) == count:
            break
    return found


def read(page_reader: PageReader, path: Path, effort: int) -> tuple[float, float]:
    """Return the seconds for decoding a file and for OCR."""
    started = time.perf_counter()
    pages = load_pages(path, LIMITS)
    loaded = time.perf_counter()
    for page in pages:
        page_reader.read(page, effort)
    return loaded - started, time.perf_counter() - loaded


def seconds_to_record(extraction: Extraction, path: Path, settings: Settings) -> float:
    """Return the seconds from a file to its record, re-asking included."""
    started = time.perf_counter()
    for _ in read_files([path], settings, extract=extraction.read):
        pass
    return time.perf_counter() - started


def report(what: str, seconds: Sequence[float]) -> None:
    slow = sorted(seconds)[int(0.9 * (len(seconds) - 1))]
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
    print(f"{what:16} median {statistics.median(seconds):6.3f} s   p90 {slow:6.3f} s   peak {peak:5.0f} MiB so far")


if __name__ == "__main__":
    sys.exit(main())
