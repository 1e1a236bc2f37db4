"""Where values stand in an answer, and how sure the model was of them."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.readers.vision.answer_spans import evidence_of

ANSWER = '{"merchant_name":"Café \\"A\\": 1","items":[{"description":"milk","total_price":"1.20"},{"description":null}],"total":"12"}'


@given(st.lists(st.integers(1, len(ANSWER.encode()) - 1), unique=True))
def test_values_are_found_however_the_text_is_cut_into_tokens(cuts: list[int]) -> None:
    """Even inside a character; nulls are no evidence."""
    text, edges = ANSWER.encode(), [0, *sorted(cuts), len(ANSWER.encode())]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    found = evidence_of(pieces, [-0.5] * len(pieces), page=1)
    assert {path: seen.text for path, seen in found.items()} == {
        "merchant_name": 'Café "A": 1',
        "items[0].description": "milk",
        "items[0].total_price": "1.20",
        "total": "12",
    }
    assert all(seen.confidence == pytest.approx(math.exp(-0.5)) for seen in found.values())
    assert all(seen.page == 1 for seen in found.values())


def test_confidence_is_that_of_the_values_own_tokens() -> None:
    """Keys and braces are certain under a grammar and say nothing."""
    pieces = [b'{"total":"', b"1", b"2", b'","tip":', b"null}"]
    found = evidence_of(pieces, [-9.0, -1.0, -2.0, -9.0, -9.0], page=0)
    assert found["total"].confidence == pytest.approx(math.exp(-(9.0 + 1.0 + 2.0 + 9.0) / 4))


def test_what_the_grammar_forced_says_nothing_about_a_value() -> None:
    """A value is as sure as its chosen tokens; one without any has no confidence."""
    pieces = [b'{"total":"', b"1", b"2", b'","kind":"', b"fee", b'"}']
    found = evidence_of(pieces, [None, -1.0, None, None, None, None], page=0)
    assert found["total"].confidence == pytest.approx(math.exp(-1.0))
    assert found["kind"].confidence is None


@given(st.integers(0, len(ANSWER) - 1))
def test_an_answer_that_was_cut_off_gives_what_was_complete(size: int) -> None:
    """And never fails."""
    text = ANSWER[:size].encode()
    found = evidence_of([text], [-0.5], page=0)
    assert {seen.text for seen in found.values()} <= {'Café "A": 1', "milk", "1.20", "12"}


json_values = st.recursive(
    st.none() | st.text(max_size=5), lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3)
)


@given(st.dictionaries(st.text(min_size=1, max_size=4), json_values, max_size=4))
def test_any_json_is_walked(answer: dict[str, object]) -> None:
    """As many values are found as there are, less nulls, where no two share a path."""
    text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()
    assert len(evidence_of([text], [0.0], page=0)) <= _count(answer)


def _count(value: object) -> int:
    if isinstance(value, dict):
        return sum(_count(part) for part in value.values())
    if isinstance(value, list):
        return sum(_count(part) for part in value)
    return value is not None
