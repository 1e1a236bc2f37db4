"""The targets of `make fuzz`, run for seconds instead of minutes."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import files, seeds_of
from tests.fuzz.targets import TARGETS

QUICK = [name for name in TARGETS if name not in {"images", "pdfs", "kinds", "reader"}]


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=80)
@given(data=st.binary(max_size=120))
def test_any_bytes_keep_the_promise(name: str, data: bytes) -> None:
    """Each target's docstring is the promise."""
    TARGETS[name](data)


@pytest.mark.parametrize("name", QUICK)
def test_seeds_keep_the_promise(name: str) -> None:
    """The initial corpus violates no guarantee."""
    for seed in seeds_of(name):
        TARGETS[name](seed)


@settings(max_examples=25)
@given(data=st.binary(min_size=50, max_size=600))
def test_the_reader_answers_any_transcript(data: bytes) -> None:
    """Whatever OCR sees, the reader gives a valid answer that becomes checked values."""
    TARGETS["reader"](data)


@pytest.mark.parametrize("damage", ["flipped", "cut", "spliced", "doubled"])
@settings(max_examples=100)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(damage: str, data: st.DataObject) -> None:
    """A file of any format with flipped bits, a missing end, a part of another one or its own part twice raises nothing but InputError."""
    name = data.draw(st.sampled_from(sorted(files())))
    whole = files()[name]
    place = st.integers(0, len(whole) - 1)
    if damage == "flipped":
        broken = bytearray(whole)
        # Headers say sizes and counts, and lie at the start.
        for at, mask in data.draw(
            st.lists(st.tuples(place | st.integers(0, min(200, len(whole) - 1)), st.integers(1, 255)), min_size=1, max_size=8)
        ):
            broken[at] ^= mask
        whole = bytes(broken)
    elif damage == "cut":
        whole = whole[: data.draw(place)]
    elif damage == "spliced":
        other = files()[data.draw(st.sampled_from(sorted(files())))]
        at = data.draw(place)
        whole = whole[:at] + other[min(at, len(other)) :]
    else:
        begin, end = sorted((data.draw(place), data.draw(place)))
        whole = whole[:end] + whole[begin:]
    TARGETS["kinds"](whole)
    TARGETS["images"](whole)
    TARGETS["pdfs"](whole)


@example(b"\x00\x00x = " + b"[" * 5000)  # nested deeper than Python's stack
@example(b"\x00\x00[inbox]\nsettle_seconds = " + b"9" * 5000)  # more digits than Python converts
@example(b"\x00\x00" + b"a." * 3000 + b"b = 1")
@example(b'\x00\x00inbox_dir = "a\\u0000b"')
@example(b"\x00\x00inbox_dir = '~nobody-of-that-name/inbox'")
@settings(max_examples=5)
@given(data=st.binary(max_size=20))
def test_settings_that_break_the_parser(data: bytes) -> None:
    """A settings file that the TOML library or the file system chokes on is a ConfigError, like any other mistake."""
    TARGETS["settings"](data)
