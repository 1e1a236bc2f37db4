"""Parsing: model output is hostile, and everything in it that is valid is kept."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.errors import BadAnswer
from extractor.readers.answer_parser import MAX_ANSWER_CHARACTERS, parse_answer

WHOLE = (
    '{"merchant_name": "Tea & Co", "items": [{"description": "Tea", "total_price": "1.20"},'
    ' {"description": "Cake", "total_price": "3.10"}], "total": "4.30"}'
)


def test_numbers_stay_as_written() -> None:
    """2.50 does not become 2.5: the decimals say how the receipt prints."""
    assert parse_answer('{"total": 2.50, "tip": 3}').answer.total == "2.50"
    assert parse_answer('{"total": 2.50, "tip": 3}').answer.tip == "3"


def test_fences_and_prose_around_the_object_are_dropped() -> None:
    """Models wrap JSON in talk; the receipt inside is what counts."""
    assert parse_answer(f"Here you are:\n```json\n{WHOLE}\n```\nAnything else?").answer.merchant_name == "Tea & Co"


def test_only_the_field_that_does_not_fit_is_lost() -> None:
    """One bad value does not cost the others; it becomes an issue that asks for it again."""
    parsed = parse_answer('{"total": "4.30", "tip": {"amount": 1}, "made_up": 1}')
    assert parsed.answer.total == "4.30"
    assert [(issue.field, issue.kind) for issue in parsed.issues] == [("tip", "invalid")]


def test_only_the_row_that_does_not_fit_is_lost() -> None:
    """A bad line item does not cost the good ones."""
    parsed = parse_answer('{"items": [{"description": "Tea"}, {"nope": 1}, {"description": "Cake"}]}')
    assert [item.description for item in parsed.answer.items] == ["Tea", "Cake"]
    assert [issue.field for issue in parsed.issues] == ["items[1]"]


@pytest.mark.parametrize("end", range(WHOLE.index(', "items"') + 1, len(WHOLE)))
def test_an_answer_cut_off_anywhere_keeps_what_was_complete(end: int) -> None:
    """However short, a cut-off answer never invents and never raises; the values before the cut are kept."""
    parsed = parse_answer(WHOLE[:end])
    whole = json.loads(WHOLE)
    assert parsed.answer.merchant_name == whole["merchant_name"]
    assert parsed.answer.total in {None, whole["total"]}
    assert [item.description for item in parsed.answer.items] == ["Tea", "Cake"][: len(parsed.answer.items)]
    assert any(issue.kind == "cut_off" for issue in parsed.issues)
    if end > WHOLE.index(', "total"'):
        assert len(parsed.answer.items) == 2


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('{"total": NaN}', "NaN"),
        ('{"total": -Infinity}', "Infinity"),
        ('{"total": "1.00", "total": "9.00"}', "twice"),
        ("There is no receipt here.", "no JSON object"),
        ('{"a":' + "[" * 100_000, "nested too deeply"),
        ("{" + " " * MAX_ANSWER_CHARACTERS, "characters"),
        ("{]", "not JSON"),
    ],
)
def test_what_is_not_a_trustworthy_object_is_refused_with_the_fact(text: str, fact: str) -> None:
    """What the standard library would swallow silently is refused, and the message says why."""
    with pytest.raises(BadAnswer, match=fact):
        parse_answer(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["total", "items", "payments", "missing"]), inner),
    max_leaves=30,
)


@given(st.text() | JSON.map(json.dumps) | st.binary().map(lambda data: "{" + data.decode("latin1")))
def test_only_bad_answer_is_ever_raised(text: str) -> None:
    """Whatever a model writes, the pipeline sees an answer or BadAnswer."""
    with suppress(BadAnswer):
        parse_answer(text)


@given(JSON)
def test_a_hostile_value_in_any_field_is_dropped_or_kept_valid(value: Any) -> None:
    """Any JSON value in a known field leaves a valid answer."""
    assert parse_answer(json.dumps({"total": "1.00", "items": value, "tip": value})).answer.total == "1.00"


@pytest.mark.parametrize("name", ["\\ud800", "\\u0000", "t\udceftal", "", "unknown"])
def test_names_that_are_no_fields_are_left_out(name: str) -> None:
    """Also half a character as a name, which pydantic does not say where it found, costs no more than itself or its row."""
    parsed = parse_answer(f'{{"{name}": 1, "total": "4.50", "items": [{{"description": "Tea", "{name}": 1}}, {{"description": "Cake"}}]}}')
    assert parsed.answer.total == "4.50"
    assert [item.description for item in parsed.answer.items] == ["Cake"]
    assert [issue.field for issue in parsed.issues] == ["items[0]"]
