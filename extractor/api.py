"""Files, bytes and streams become records without inbox, database or outbox: what `receipts read` and Python programs call."""

import io
import itertools
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from extractor.config.settings import Settings, load_settings
from extractor.errors import ExtractorError, InputError
from extractor.extraction.isolated import IsolatedReading
from extractor.jobs import Extract, Extracted, Source, new_receipt_id
from extractor.runtime.filenames import printable
from extractor.schemas.record import Record
from extractor.storage.files.atomic import digest

# One image or PDF: a path, the bytes themselves, or a binary stream, which is read to its end.
ReceiptInput = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

_PATHS, _BYTES = (str, os.PathLike), (bytes, bytearray, memoryview)
# Most file systems allow 255 bytes; a character takes at most four of them in UTF-8.
_MAX_NAME_CHARACTERS = 60


class ReadResult(NamedTuple):
    """One receipt that was read: `for source, record in read_receipts(...)`.

    Attributes:
        source: The input that shows the receipt: the caller's key where inputs come in a mapping; else the path as given, or, for bytes
            and streams, their position among the inputs, from 0.
        record: The receipt's record. A file that shows several receipts yields a result for each.
    """

    source: Any
    record: Record


def read_receipts(
    inputs: ReceiptInput | Iterable[ReceiptInput] | Mapping[Any, ReceiptInput],
    *,
    settings: Settings | None = None,
    on_error: Callable[[Any, ExtractorError], None] | None = None,
    extract: Extract | None = None,
) -> Iterator[ReadResult]:
    """Read receipts and return an iterator over their records, in the order of the inputs. Stores nothing and changes no file.

    Inputs are taken batch by batch: a million of them need no more memory than a few.

    Args:
        inputs: Images or PDFs: a path, bytes or a binary stream, an iterable of these, or a mapping from keys of the caller's to these.
        settings: By default those of the working directory (`receipts.toml`, `RECEIPTS_*`).
        on_error: Called with the source (see `ReadResult`) and the error of an input that cannot be read, instead of raising it; reading
            then continues with the next input.
        extract: Reads batches of files; by default the reader that the settings choose, in worker processes. Pass an `IsolatedReading` to
            keep these processes between calls, or `Extraction.from_settings(settings).read` to read in this process.
    Raises:
        TypeError: An input is neither a path nor bytes nor a binary stream.
        ConfigError: A setting is wrong, or the reader cannot work here.
        ExtractorError: An input cannot be read, and there is no `on_error`.
    """
    return _results(_labelled(inputs), load_settings() if settings is None else settings, on_error, extract)


def read_files(paths: Iterable[Path], settings: Settings, *, extract: Extract | None = None) -> Iterator[tuple[Path, Extracted]]:
    """Each path with its records, or with the error that explains why it has none, in the order given; see `read_receipts`."""
    return _read((_Input(path, path) for path in paths), settings, extract)


@dataclass(frozen=True)
class _Input:
    """One input, and what its results are labelled with.

    Attributes:
        name: Name of the file that bytes or a stream stand for.
    """

    label: Any
    content: ReceiptInput
    name: str = ""


def _labelled(inputs: ReceiptInput | Iterable[ReceiptInput] | Mapping[Any, ReceiptInput]) -> Iterator[_Input]:
    """Every input with its label. A single input, and one of a wrong type, is recognised at once, not when the result is iterated."""
    if isinstance(inputs, Mapping):
        return (_Input(key, _checked(content), _name_of(key, number)) for number, (key, content) in enumerate(inputs.items()))
    if _is_receipt_input(inputs) or hasattr(inputs, "read") or not isinstance(inputs, Iterable):
        return iter([_positioned(0, inputs)])
    return (_positioned(number, content) for number, content in enumerate(cast("Iterable[ReceiptInput]", inputs)))


def _positioned(number: int, content: object) -> _Input:
    checked = _checked(content)
    if isinstance(checked, _PATHS):
        return _Input(checked, checked)
    return _Input(number, checked, _name_of(getattr(checked, "name", None), number))


def _is_receipt_input(content: object) -> bool:
    return isinstance(content, (*_PATHS, *_BYTES)) or (hasattr(content, "read") and not isinstance(content, io.TextIOBase))


def _checked(content: object) -> ReceiptInput:
    if not _is_receipt_input(content):
        raise TypeError(f"a receipt is a path, bytes or a binary stream, not {type(content).__name__}")
    return cast("ReceiptInput", content)


def _name_of(label: Hashable, number: int) -> str:
    """The file name that a key or a stream's name gives to content without a path, else one with the position, from 1."""
    name = printable(Path(label).name) if isinstance(label, _PATHS) else ""
    shown = "".join(character for character in name if character.isprintable()).lstrip(".")
    return shown[-_MAX_NAME_CHARACTERS:] or f"receipt-{number + 1}"


def _results(
    inputs: Iterator[_Input], settings: Settings, on_error: Callable[[Any, ExtractorError], None] | None, extract: Extract | None
) -> Iterator[ReadResult]:
    for label, result in _read(inputs, settings, extract):
        if isinstance(result, tuple):
            yield from (ReadResult(label, record) for record in result)
        elif on_error is None:
            raise result
        else:
            on_error(label, result)


class _Waiting(NamedTuple):
    """An input whose result is due.

    Attributes:
        error: Why no reader will see it.
        spooled: The temporary file that holds its bytes.
    """

    label: Any
    error: InputError | None
    spooled: Path | None


def _read(inputs: Iterable[_Input], settings: Settings, extract: Extract | None) -> Iterator[tuple[Any, Extracted]]:
    """Each label with the records of its input, or with the error that explains why there are none."""
    inputs = iter(inputs)
    first = list(itertools.islice(inputs, 2))
    waiting: deque[_Waiting] = deque()

    with tempfile.TemporaryDirectory(prefix="receipts-") as folder, _reading(settings, extract, for_one=len(first) < 2) as read_each:

        def sources() -> Iterator[Source]:
            for number, each in enumerate(itertools.chain(first, inputs)):
                path, error, spooled = _file_of(each, Path(folder) / str(number))
                source = error or _source_of(path, each.name or path.name)
                waiting.append(_Waiting(each.label, source if isinstance(source, InputError) else None, spooled))
                if isinstance(source, Source):
                    yield source

        for result in read_each(sources()):
            yield from _rejected(waiting)
            yield _take(waiting).label, result
        yield from _rejected(waiting)


@contextmanager
def _reading(settings: Settings, extract: Extract | None, *, for_one: bool) -> Iterator[Callable[[Iterable[Source]], Iterator[Extracted]]]:
    """The function that reads: `extract` batch by batch, else the reader of the settings, whose processes end with the block."""
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


def _rejected(waiting: deque[_Waiting]) -> Iterator[tuple[Any, InputError]]:
    """The inputs in front that no reader will see, with the reason."""
    while waiting and (error := waiting[0].error):
        yield _take(waiting).label, error


def _take(waiting: deque[_Waiting]) -> _Waiting:
    taken = waiting.popleft()
    if taken.spooled is not None:
        shutil.rmtree(taken.spooled.parent, ignore_errors=True)
    return taken


def _file_of(each: _Input, folder: Path) -> tuple[Path, InputError | None, Path | None]:
    """The file that holds an input: its path, why there is none, and the same path again where the file is a temporary one.

    Worker processes read files, so bytes and streams are written to one. Its name appears in error messages.
    """
    content = each.content
    if isinstance(content, _PATHS):
        return Path(content), None, None
    path = folder / each.name
    try:
        folder.mkdir()
        if isinstance(content, _BYTES):
            path.write_bytes(content)
        else:
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)
    except OSError as error:
        return path, InputError(f"{each.name} cannot be copied to {folder.parent} ({error.strerror or error})."), path
    return path, None, path


def _source_of(path: Path, name: str) -> Source | InputError:
    try:
        if not path.is_file():
            fact = "is a folder. Name its files" if path.is_dir() else "does not exist or is not a file. Check the path"
            return InputError(f"{path} {fact}.")
        # A link that a caller names is followed; a link in the inbox is not.
        file = path.resolve(strict=True)
        sha256 = digest(file)
    except OSError as error:
        return InputError(f"{path} cannot be read ({error.strerror}). Check its name and its permissions.")
    received_at = datetime.now(UTC)
    return Source(file, printable(name), sha256, new_receipt_id(received_at), received_at)
