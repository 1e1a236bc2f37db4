"""Pools: parts of memory never overlap, and nothing leaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.vision.kv_pools import Span, Spans

pytestmark = pytest.mark.vision


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60))
def test_parts_never_overlap_and_all_memory_comes_back(events: list[tuple[bool, int]]) -> None:
    """Any order of taking and giving back; afterwards all of it can be taken in one piece."""
    spans, held = Spans(100), list[Span]()
    for takes, number in events:
        if takes:
            if (span := spans.take(number)) is not None:
                held.append(span)
        elif held:
            spans.give(held.pop(number % len(held)))
        taken = [token for span in held for token in range(span.start, span.start + span.size)]
        assert len(taken) == len(set(taken)) == 100 - spans.free
    for span in held:
        spans.give(span)
    assert spans.take(100) == Span(0, 100)


def test_what_does_not_fit_is_not_given() -> None:
    """A part larger than every gap is refused, even where the gaps together would do."""
    spans = Spans(10)
    first, _, third = spans.take(4), spans.take(2), spans.take(4)
    assert first is not None
    assert third is not None
    spans.give(first)
    spans.give(third)
    assert spans.free == 8
    assert spans.take(5) is None
