"""Files become records without inbox, database or outbox: what `receipts read` and Python programs call."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from extractor.errors import ExtractorError, InputError
from extractor.extraction import Extraction
from extractor.files import digest, printable
from extractor.settings import Settings, load_settings
from extractor.source import Source, new_receipt_id
from schemas.record import Record

Extract = Callable[[Sequence[Source]], list[Record | ExtractorError]]
"""Reads a batch: a record, or the reason why there is none, for every source in its order."""


def read_receipts(
    paths: Iterable[str | os.PathLike[str]],
    *,
    settings: Settings | None = None,
    on_error: Callable[[Path, ExtractorError], None] | None = None,
    extract: Extract | None = None,
) -> Iterator[Record]:
    """One checked record a receipt file, in the order given; nothing is stored and no file is changed.

    Files are read batch by batch, so that a million of them need no more memory than a few.

    Args:
        paths: Images or PDFs.
        settings: Those of the working directory (`receipts.toml`, `RECEIPTS_*`) by default.
        on_error: Called with a file that cannot be read and its error, after which the others go on.
        extract: Who reads; by default what the settings ask for, loaded anew. `Extraction.from_settings(settings).read` serves many calls.
    Raises:
        ExtractorError: A file cannot be read and there is no `on_error`, or a setting is wrong.
    """
    for path, result in read_files(map(Path, paths), load_settings() if settings is None else settings, extract=extract):
        if isinstance(result, Record):
            yield result
        elif on_error is None:
            raise result
        else:
            on_error(path, result)


def read_files(
    paths: Iterable[Path], settings: Settings, *, extract: Extract | None = None
) -> Iterator[tuple[Path, Record | ExtractorError]]:
    """Each path with its record, or with the reason why it has none, in the order given; the arguments are those of `read_receipts`."""
    extract = extract or Extraction.from_settings(settings).read
    remaining = iter(paths)
    while batch := list(itertools.islice(remaining, settings.work.batch_size)):
        sources = [_source_of(path) for path in batch]
        results = iter(extract([source for source in sources if isinstance(source, Source)]))
        for path, source in zip(batch, sources, strict=True):
            yield path, (next(results) if isinstance(source, Source) else source)


def _source_of(path: Path) -> Source | InputError:
    if not path.is_file():
        fact = "is a folder. Name its files" if path.is_dir() else "is not there or is not a file. Check the path"
        return InputError(f"{path} {fact}.")
    try:
        # A link that a user names is followed; inside the inbox it would not be.
        file = path.resolve(strict=True)
        sha256 = digest(file)
    except OSError as error:
        return InputError(f"{path} cannot be read ({error.strerror}). Check its rights.")
    received_at = datetime.now(UTC)
    return Source(file, printable(path.name), sha256, new_receipt_id(received_at), received_at)
