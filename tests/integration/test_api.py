"""Files are read in Python without storing anything; here with a scripted extraction, in tests/acceptance with the real one."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from extractor import read_receipts
from extractor.config.settings import Settings
from extractor.errors import ExtractorError, InputError, Unreadable
from extractor.jobs import Extracted, Source
from extractor.testing import make_record


class Extract:
    """Plain records, but an error for names that begin with `bad`; remembers the batches that it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, sources: Sequence[Source]) -> list[Extracted]:
        self.batches.append([source.name for source in sources])
        return [Unreadable(f"{source.name} is damaged.") if source.name.startswith("bad") else (make_record(source),) for source in sources]


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
    assert [record.original_filename for record in (first, *rest)] == [path.name for path in paths]
    assert len({record.receipt_id for record in (first, *rest)}) == 10


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

    records = list(read_receipts(paths, settings=settings, extract=extract, on_error=lambda path, error: heard.append((path, error))))

    assert [record.original_filename for record in records] == ["good.jpg", "good.jpg"]
    assert [path for path, _ in heard] == [tmp_path / "nothing.jpg", tmp_path, tmp_path / "pipe", bad]
    assert [type(error) for _, error in heard] == [InputError, InputError, InputError, Unreadable]


def test_names_that_are_not_utf8_become_valid_text(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """Any name that the file system can hold becomes a record that JSON can hold."""
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    path.write_bytes(b"a receipt")

    (record,) = read_receipts([path], settings=settings, extract=extract)

    assert record.original_filename == "caf\\xe9.jpg"
    assert "caf" in record.model_dump_json()


def test_a_link_is_read_under_its_own_name(tmp_path: Path, settings: Settings, extract: Extract) -> None:
    """Whoever names a link means what it points to."""
    (target,) = _files(tmp_path, "target.jpg")
    link = tmp_path / "link.jpg"
    link.symlink_to(target)

    named, direct = read_receipts([link, str(target)], settings=settings, extract=extract)

    assert (named.original_filename, direct.original_filename) == ("link.jpg", "target.jpg")
    assert named.source_sha256 == direct.source_sha256


@pytest.mark.parametrize("name", ["n" * 300 + ".jpg", "nul\0byte.jpg", "half \ud800.jpg", "/dev/zero", "-rf"])
def test_a_name_that_no_file_can_have_is_an_input_error(name: str, settings: Settings, extract: Extract) -> None:
    """Whatever a program asks to be read, it hears of it as an error of ours."""
    with pytest.raises(InputError):
        list(read_receipts([name], settings=settings, extract=extract))
