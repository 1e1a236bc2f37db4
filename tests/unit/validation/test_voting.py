"""A vote: what most of several answers to one question say."""

import pytest

from extractor.readers.base import Evidence, Issue, Question
from extractor.schemas.answer import ReceiptAnswer
from extractor.schemas.record import ReasonKind
from extractor.validation.voting import vote

TOTAL = Question(fields=("total",), issues=(Issue("total", ReasonKind.MISSING, "Not found."),))
ITEMS = Question(fields=("items",), issues=(Issue("items", ReasonKind.CONFLICT, "Off."),))


def totals(*texts: str | None) -> list[ReceiptAnswer]:
    return [ReceiptAnswer.model_validate({"total": text}) for text in texts]


def evidence(answers: list[ReceiptAnswer]) -> list[dict[str, Evidence]]:
    return [{"total": Evidence(str(answer.total), confidence=number / 10)} for number, answer in enumerate(answers)]


def test_the_value_of_more_than_half_counts_however_it_is_written() -> None:
    """`4.00` and `EUR 4.00` are one value; the first one's text and evidence stand for it, with the share that agrees."""
    answers = totals("9.00", "4.00", "EUR 4.00", "4.00", None)
    found = vote(answers, evidence(answers), TOTAL)
    assert found.answer.total == "4.00"
    assert found.evidence["total"].confidence == 0.1
    assert found.agreement == {"total": 0.6}
    assert found.split == {}


@pytest.mark.parametrize("texts", [("1", "2", "3"), ("1", "1", "2", "2"), ("1", None), ("1", "1", None, None, "2")])
def test_no_majority_gives_no_value(texts: tuple[str | None, ...]) -> None:
    """Half is not most. What was said is kept for the person who looks."""
    found = vote(totals(*texts), [{}] * len(texts), TOTAL)
    assert found.answer.total is None
    assert set(found.split["total"]) == {text for text in texts if text}


def test_a_majority_for_nothing_is_an_answer_with_its_reason() -> None:
    """Most say that there is none, and why."""
    absent = ReceiptAnswer.model_validate({"missing": [{"field": "total", "reason": "not_printed"}]})
    found = vote([*totals("1"), absent, absent], [{}] * 3, TOTAL)
    assert found.answer.total is None
    assert [(one.field, one.reason) for one in found.answer.missing] == [("total", "not_printed")]
    assert found.split == {}


def test_lists_count_as_a_whole() -> None:
    """A list that most answers give is taken; of lists that all differ none is, and none is called torn."""
    rows = [ReceiptAnswer.model_validate({"items": [{"description": name, "total_price": "1"}]}) for name in "aba"]
    assert [item.description for item in vote(rows, [{}] * 3, ITEMS).answer.items] == ["a"]
    split = vote(rows[:2], [{}] * 2, ITEMS)
    assert (split.answer.items, split.split) == ((), {})
