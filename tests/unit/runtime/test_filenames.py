"""Names that are fit for every file system, and identifiers that sort by time."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.jobs import RECEIPT_ID_LENGTH, new_receipt_id
from extractor.runtime.filenames import printable, safe_stem, safe_suffix


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("lunch.jpg", "lunch"),
        ("Müller & Söhne 12€.jpg", "Müller & Söhne 12€"),
        ("receipt \N{RECEIPT}.jpg", "receipt \N{RECEIPT}"),
        ("two\nlines\tand\x00more.jpg", "two_lines_and_more"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "_.._boot"),
        ("-rf.jpg", "rf"),
        ("...hidden.jpg", "hidden"),
        ("caf\udce9.jpg", "caf_"),
        ("gpj.\u202eeman.jpg", "gpj._eman"),
        ("CON.jpg", "_CON"),
        ("a:b?c*.jpg", "a_b_c_"),
        ("???", "___"),
        (" . .jpg", "receipt"),
        ("é" * 125 + ".jpg", "é" * 40),
    ],
)
def test_stems_are_made_safe(name: str, stem: str) -> None:
    """What reads well is kept; what steers a terminal, a shell or a file system is not."""
    assert safe_stem(name) == stem


@given(st.text(min_size=1))
def test_any_name_becomes_a_safe_stem(name: str) -> None:
    """The stem is never empty, hidden, too long, or a path of its own."""
    stem = safe_stem(name)
    assert 0 < len(stem.encode()) <= 81
    assert Path(stem).name == stem
    assert not stem.startswith((".", "-", "~", " "))
    assert stem.isprintable()


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.jpg", ".jpg"),
        ("a.tar.GZ", ".GZ"),
        ("a", None),
        ("a.", None),
        (".jpg", None),
        ("a.j\npg", None),
        ("a.jpg ", None),
        ("a.üü", None),
    ],
)
def test_only_plain_suffixes_are_kept(name: str, suffix: str | None) -> None:
    """Letters and digits; anything else could be a trick."""
    assert safe_suffix(name) == suffix


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_any_name_is_printable(name: bytes) -> None:
    """Bytes of any encoding become text that JSON and SQLite take."""
    printable(os.fsdecode(name)).encode()


def test_identifiers_sort_by_time_and_differ() -> None:
    """A later arrival has the greater identifier; two of one moment differ."""
    start = datetime(2026, 3, 14, tzinfo=UTC)
    ids = [new_receipt_id(start + timedelta(milliseconds=number)) for number in range(0, 10_000, 7)]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {RECEIPT_ID_LENGTH}
    assert len({new_receipt_id(start) for _ in range(1000)}) == 1000
