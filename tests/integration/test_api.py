"""Receipts are read in Python without storing anything; here with a scripted extraction, in tests/acceptance with the real one."""

import hashlib
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from extractor import ExtractorError, InputError, ReadResult, Settings, Unreadable, read_receipts
from extractor.jobs import Extracted, Source
from extractor.testing import make_record


class Extract:
    """Plain records, but an error for names that begin with `bad`; remembers the names and bytes that it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.contents: list[bytes] = []

    def __call__(self, sources: Sequence[Source]) -> list[Extracted]:
        self.batches.append([source.name for source in sources])
        self.contents += [source.path.read_bytes() for source in sources]
        return [Unreadable(f"{source.name} is damaged.") if source.name.startswith("bad") else (make_record(source),) for source in sources]


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files of the test have a folder of their own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def extract() -> Extract:
    return Extract()


def _files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def test_records_come_in_the_order_given_batch_by_batch(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """The first record is there before the last file is looked at: memory does not grow with the number of files."""
    paths = _files(tmp_path, *(f"{number}.jpg" for number in range(10)))
    receipts = read_receipts(paths, settings=settings, extract=extract)

    first = next(receipts)
    read_so_far = sum(map(len, extract.batches))
    rest = list(receipts)

    assert read_so_far == settings.work.batch_size
    assert [result.source for result in (first, *rest)] == paths
    assert [result.record.original_filename for result in (first, *rest)] == [path.name for path in paths]
    assert len({result.record.receipt_id for result in (first, *rest)}) == 10


def test_an_error_is_raised_where_nobody_listens(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """Without `on_error`, no file is left out silently."""
    with pytest.raises(Unreadable, match=r"bad\.jpg"):
        list(read_receipts(_files(tmp_path, "bad.jpg", "good.jpg"), settings=settings, extract=extract))


def test_on_error_hears_of_each_failure_and_the_others_go_on(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """Missing files, folders, pipes and damaged files are told of by path, in order, and only the readable ones are read."""
    os.mkfifo(tmp_path / "pipe")
    good, bad = _files(tmp_path, "good.jpg", "bad.jpg")
    heard: list[tuple[Path, ExtractorError]] = []
    paths = [tmp_path / "nothing.jpg", good, tmp_path, tmp_path / "pipe", bad, good]

    results = list(read_receipts(paths, settings=settings, extract=extract, on_error=lambda path, error: heard.append((path, error))))

    assert [source for source, _ in results] == [good, good]
    assert [path for path, _ in heard] == [tmp_path / "nothing.jpg", tmp_path, tmp_path / "pipe", bad]
    assert [type(error) for _, error in heard] == [InputError, InputError, InputError, Unreadable]


def test_names_that_are_not_utf8_become_valid_text(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """Any name that the file system can hold becomes a record that JSON can hold."""
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    path.write_bytes(b"a receipt")

    ((_, record),) = read_receipts([path], settings=settings, extract=extract)

    assert record.original_filename == "caf\\xe9.jpg"
    assert "caf" in record.model_dump_json()


def test_a_link_is_read_under_its_own_name(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """Whoever names a link means what it points to."""
    (target,) = _files(tmp_path, "target.jpg")
    link = tmp_path / "link.jpg"
    link.symlink_to(target)

    named, direct = read_receipts([link, str(target)], settings=settings, extract=extract)

    assert (named.record.original_filename, direct.record.original_filename) == ("link.jpg", "target.jpg")
    assert named.record.source_sha256 == direct.record.source_sha256


@pytest.mark.parametrize("name", ["n" * 300 + ".jpg", "nul\0byte.jpg", "half \ud800.jpg", "/dev/zero", "-rf"])
def test_a_name_that_no_file_can_have_is_an_input_error(name: str, settings: Settings, extract: Extract) -> None:
    """Whatever a program asks to be read, it hears of it as an error of ours."""
    with pytest.raises(InputError):
        list(read_receipts([name], settings=settings, extract=extract))


def test_one_path_needs_no_list(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """`read_receipts("lunch.jpg")` reads that file; the result names it as given."""
    (path,) = _files(tmp_path, "lunch.jpg")

    for given in (str(path), path):
        assert [result.source for result in read_receipts(given, settings=settings, extract=extract)] == [given]


@pytest.mark.parametrize("given", [b"scan", bytearray(b"scan"), memoryview(b"scan"), io.BytesIO(b"scan")])
def test_bytes_and_streams_are_read(given: object, settings: Settings, extract: Extract, temporary_folder: Path) -> None:
    """One of them or a list of them; their position is the source, and the temporary copy is gone afterwards."""
    (result,) = read_receipts(given, settings=settings, extract=extract)  # type: ignore[arg-type]

    assert (result.source, result.record.original_filename, extract.contents) == (0, "receipt-1", [b"scan"])
    assert result.record.source_sha256 == hashlib.sha256(b"scan").hexdigest()
    assert list(temporary_folder.iterdir()) == []


def test_kinds_of_inputs_may_be_mixed(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """Paths, bytes and streams stand in one list; an open file lends its name to the record."""
    first, second = _files(tmp_path, "first.jpg", "second.jpg")
    with second.open("rb") as stream:
        results = list(read_receipts([first, b"scan", stream], settings=settings, extract=extract))

    assert [source for source, _ in results] == [first, 1, 2]
    assert [record.original_filename for _, record in results] == ["first.jpg", "receipt-2", "second.jpg"]


def test_a_mapping_labels_the_results(settings: Settings, extract: Extract) -> None:
    """The caller's keys come back, also to `on_error`; a key that is a name becomes the record's file name."""
    heard: list[object] = []
    inputs: dict[object, bytes | io.BytesIO] = {"mail/lunch.jpg": b"1", "bad.jpg": b"2", ("row", 7): io.BytesIO(b"3"), "..": b"4"}

    results = list(read_receipts(inputs, settings=settings, extract=extract, on_error=lambda key, _: heard.append(key)))

    assert [(result.source, result.record.original_filename) for result in results] == [
        ("mail/lunch.jpg", "lunch.jpg"),
        (("row", 7), "receipt-3"),
        ("..", "receipt-4"),
    ]
    assert heard == ["bad.jpg"]


def test_temporary_copies_do_not_pile_up(settings: Settings, extract: Extract, temporary_folder: Path) -> None:
    """Of a thousand scans in memory, those of one batch are on the disk at a time; none is left when the caller stops early."""
    results = read_receipts((b"%d" % number for number in range(1000)), settings=settings, extract=extract)
    for _ in range(500):
        next(results)
    copies = list(temporary_folder.glob("*/*"))

    assert len(copies) <= settings.work.batch_size
    results.close()  # type: ignore[attr-defined]
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.parametrize("wrong", [7, None, io.StringIO("text"), [7], {"lunch.jpg": None}])
def test_what_is_no_receipt_is_a_type_error(wrong: object, settings: Settings, extract: Extract) -> None:
    """A programming error is reported as one, with the type that was passed."""
    with pytest.raises(TypeError, match="a path, bytes or a binary stream, not"):
        list(read_receipts(wrong, settings=settings, extract=extract))  # type: ignore[arg-type]


def test_a_result_unpacks(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """`for source, record in read_receipts(...)` is how the manual uses it."""
    (result,) = read_receipts(_files(tmp_path, "lunch.jpg"), settings=settings, extract=extract)

    source, record = result
    assert result == ReadResult(source, record)
