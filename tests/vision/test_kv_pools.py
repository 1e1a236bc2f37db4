"""Pools: allocated parts never overlap, and nothing leaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.vision.kv_pools import Span, SpanAllocator

pytestmark = pytest.mark.vision


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60))
def test_parts_never_overlap_and_all_memory_comes_back(events: list[tuple[bool, int]]) -> None:
    """Any order of allocations and releases; afterwards everything can be allocated in one piece."""
    spans, held = SpanAllocator(100), list[Span]()
    for takes, number in events:
        if takes:
            if (span := spans.allocate(number)) is not None:
                held.append(span)
        elif held:
            spans.release(held.pop(number % len(held)))
        taken = [token for span in held for token in range(span.start, span.start + span.size)]
        assert len(taken) == len(set(taken)) == 100 - spans.free
    for span in held:
        spans.release(span)
    assert spans.allocate(100) == Span(0, 100)


def test_what_does_not_fit_is_not_allocated() -> None:
    """A part larger than every gap is refused, even if the gaps together would be enough."""
    spans = SpanAllocator(10)
    first, _, third = spans.allocate(4), spans.allocate(2), spans.allocate(4)
    assert first is not None
    assert third is not None
    spans.release(first)
    spans.release(third)
    assert spans.free == 8
    assert spans.allocate(5) is None
