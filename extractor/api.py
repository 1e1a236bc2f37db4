"""Files become records without inbox, database or outbox: what `receipts read` and Python programs call."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from extractor.config.settings import Settings, load_settings
from extractor.errors import ExtractorError, InputError
from extractor.extraction.isolated import IsolatedReading
from extractor.jobs import Extract, Extracted, Source, new_receipt_id
from extractor.runtime.filenames import printable
from extractor.schemas.record import Record
from extractor.storage.files.atomic import digest


def read_receipts(
    paths: Iterable[str | os.PathLike[str]],
    *,
    settings: Settings | None = None,
    on_error: Callable[[Path, ExtractorError], None] | None = None,
    extract: Extract | None = None,
) -> Iterator[Record]:
    """One checked record a receipt, in the order of the files given; nothing is stored and no file is changed.

    Files are read batch by batch, so that a million of them need no more memory than a few.

    Args:
        paths: Images or PDFs.
        settings: Those of the working directory (`receipts.toml`, `RECEIPTS_*`) by default.
        on_error: Called with a file that cannot be read and its error, after which the others go on.
        extract: Who reads; by default what the settings ask for, in processes of its own. An `IsolatedReading` serves many calls, and
            `Extraction.from_settings(settings).read` reads in this process.
    Raises:
        ExtractorError: A file cannot be read and there is no `on_error`, or a setting is wrong.
    """
    for path, result in read_files(map(Path, paths), load_settings() if settings is None else settings, extract=extract):
        if isinstance(result, tuple):
            yield from result
        elif on_error is None:
            raise result
        else:
            on_error(path, result)


def read_files(paths: Iterable[Path], settings: Settings, *, extract: Extract | None = None) -> Iterator[tuple[Path, Extracted]]:
    """Each path with its records, or with the reason why it has none, in the order given; the arguments are those of `read_receipts`."""
    paths = iter(paths)
    first = list(itertools.islice(paths, 2))
    waiting: deque[tuple[Path, InputError | None]] = deque()

    def sources() -> Iterator[Source]:
        for path in itertools.chain(first, paths):
            source = _source_of(path)
            waiting.append((path, source if isinstance(source, InputError) else None))
            if isinstance(source, Source):
                yield source

    with _reading(settings, extract, for_one=len(first) < 2) as read_each:
        for result in read_each(sources()):
            yield from _refused(waiting)
            yield waiting.popleft()[0], result
        yield from _refused(waiting)


@contextmanager
def _reading(settings: Settings, extract: Extract | None, *, for_one: bool) -> Iterator[Callable[[Iterable[Source]], Iterator[Extracted]]]:
    """Who reads: `extract` batch by batch, else what the settings ask for, in processes of its own that end with the block."""
    if extract is not None:
        yield partial(_in_batches, extract, settings.work.batch_size)
        return
    reading = IsolatedReading.from_settings(settings, for_one=for_one)
    try:
        reading.start()
        yield reading.read_each
    finally:
        reading.close()


def _in_batches(extract: Extract, size: int, sources: Iterable[Source]) -> Iterator[Extracted]:
    remaining = iter(sources)
    while batch := list(itertools.islice(remaining, size)):
        yield from extract(batch)


def _refused(waiting: deque[tuple[Path, InputError | None]]) -> Iterator[tuple[Path, InputError]]:
    """The paths in front that nobody reads, with the reason."""
    while waiting and (error := waiting[0][1]):
        yield waiting.popleft()[0], error


def _source_of(path: Path) -> Source | InputError:
    try:
        if not path.is_file():
            fact = "is a folder. Name its files" if path.is_dir() else "is not there or is not a file. Check the path"
            return InputError(f"{path} {fact}.")
        # A link that a user names is followed; inside the inbox it would not be.
        file = path.resolve(strict=True)
        sha256 = digest(file)
    except OSError as error:
        return InputError(f"{path} cannot be read ({error.strerror}). Check its name and its rights.")
    received_at = datetime.now(UTC)
    return Source(file, printable(path.name), sha256, new_receipt_id(received_at), received_at)
