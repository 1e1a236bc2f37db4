"""`receipts add` puts whole files into the inbox and replaces nothing."""

import errno
import os
from pathlib import Path

import pytest

from extractor.errors import InputError, StorageError
from extractor.storage.files import importer


def drop_file(path: Path, inbox: Path) -> Path:
    """What `receipts add` does, in an inbox that leaves `*.part` alone."""
    return importer.drop_file(path, inbox, is_ignored=lambda name: name.suffix == ".part")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def lunch(tmp_path: Path) -> Path:
    path = tmp_path / "lunch.jpg"
    path.write_bytes(b"a receipt")
    return path


def test_the_copy_is_whole_and_the_original_stays(inbox: Path, lunch: Path) -> None:
    """Nothing but the copy lies in the inbox, and the file that was given is untouched."""
    copy = drop_file(lunch, inbox)

    assert copy == inbox / "lunch.jpg"
    assert [path.read_bytes() for path in inbox.iterdir()] == [b"a receipt"]
    assert lunch.read_bytes() == b"a receipt"


def test_a_taken_name_gets_a_number(inbox: Path, lunch: Path) -> None:
    """A file that waits in the inbox is never replaced."""
    (inbox / "lunch.jpg").write_bytes(b"another receipt")

    names = [drop_file(lunch, inbox).name for _ in range(2)]

    assert names == ["lunch-2.jpg", "lunch-3.jpg"]
    assert (inbox / "lunch.jpg").read_bytes() == b"another receipt"


def test_a_file_system_without_links_serves_too(inbox: Path, lunch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT and network shares take receipts as well, and replace nothing either."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    (inbox / "lunch.jpg").write_bytes(b"another receipt")

    copy = drop_file(lunch, inbox)

    assert (copy.name, copy.read_bytes()) == ("lunch-2.jpg", b"a receipt")
    assert (inbox / "lunch.jpg").read_bytes() == b"another receipt"
    assert len(list(inbox.iterdir())) == 2


def test_a_full_disk_leaves_nothing_behind(inbox: Path, lunch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a receipt never appears."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageError, match="No space left"):
        drop_file(lunch, inbox)

    assert list(inbox.iterdir()) == []


def test_what_is_not_a_file_is_refused_by_name(inbox: Path, tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are named, and the inbox stays empty."""
    os.mkfifo(tmp_path / "pipe")

    for path, fact in ((tmp_path / "nothing.jpg", "does not exist"), (tmp_path, "is a folder"), (tmp_path / "pipe", "is not a file")):
        with pytest.raises(InputError, match=fact):
            drop_file(path, inbox)

    assert list(inbox.iterdir()) == []


def test_a_missing_inbox_names_the_command_that_makes_it(lunch: Path, tmp_path: Path) -> None:
    """Says that `receipts init` makes it."""
    with pytest.raises(StorageError, match="receipts init"):
        drop_file(lunch, tmp_path / "nowhere")


def test_names_fit_into_the_inbox(inbox: Path, tmp_path: Path) -> None:
    """The longest names keep their suffix, with and without a number."""
    longest = tmp_path / ("ü" * 125 + ".jpg")
    longest.write_bytes(b"a receipt")

    names = [drop_file(longest, inbox).name for _ in range(2)]

    assert names == ["ü" * 125 + ".jpg", "ü" * 124 + "-2.jpg"]


def test_a_link_that_a_user_names_is_followed(inbox: Path, lunch: Path, tmp_path: Path) -> None:
    """The bytes are copied, not the link."""
    link = tmp_path / "link.jpg"
    link.symlink_to(lunch)

    copy = drop_file(link, inbox)

    assert (copy.is_symlink(), copy.read_bytes()) == (False, b"a receipt")


def test_a_name_that_nobody_would_take_is_refused(inbox: Path, tmp_path: Path) -> None:
    """No file is put where it would wait for ever."""
    unfinished = tmp_path / "lunch.jpg.part"
    unfinished.write_bytes(b"a receipt")

    with pytest.raises(InputError, match="Rename it"):
        drop_file(unfinished, inbox)

    assert list(inbox.iterdir()) == []


def test_a_name_longer_than_any_file_s_is_an_input_error(inbox: Path, tmp_path: Path) -> None:
    """What the system refuses to look at is named like any other file that is not there."""
    with pytest.raises(InputError, match="cannot be read"):
        drop_file(tmp_path / ("n" * 300), inbox)
