"""Whether printed texts say the same about a field, and what most of several answers say. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from extractor.parsing.dates.finder import find_dates
from extractor.parsing.times import find_times
from extractor.readers.base import Evidence, Question, root_of
from extractor.readers.prompts import asked_fields
from extractor.schemas.answer import MissingField, ReceiptAnswer
from extractor.validation.normalisation import AMOUNT_FIELDS, MAGNITUDE_FIELDS

ALIKE = {"merchant_name": 0.93, "merchant_address": 0.85}
"""Names and addresses of two looks agree from this similarity on: looks differ in spaces, accents and, in long texts, a letter."""


@dataclass
class VoteResult:
    """What most of several answers to one question say.

    Attributes:
        answer: A field has the value that more than half of the answers give, and none where more than half give none, or where no value
            has a majority.
        evidence: Of the values taken.
        agreement: By field with a value, the share of the answers that give it.
        torn: By field without a majority, the values that were given.
    """

    answer: ReceiptAnswer = field(default_factory=ReceiptAnswer)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    torn: dict[str, tuple[str, ...]] = field(default_factory=dict)


def vote(answers: Sequence[ReceiptAnswer], evidences: Sequence[Mapping[str, Evidence]], question: Question) -> VoteResult:
    """The majority of each field that was asked, lists as a whole; of equal values the first one's text.

    Args:
        answers: Drawn independently of one another; at least one.
    """
    result, values, missing = VoteResult(), dict[str, Any](), list[MissingField]()
    for name in asked_fields(question):
        stated = [getattr(answer, name) for answer in answers]
        sizes = [sum(_same(name, one, other) for other in stated) for one in stated]
        best = max(range(len(stated)), key=lambda index: (sizes[index], -index))
        value, share = stated[best], sizes[best] / len(stated)
        if share <= 1 / 2:
            if not any(isinstance(one, tuple) for one in stated):
                result.torn[name] = tuple(dict.fromkeys(str(one) for one in stated if one is not None))
        elif value is None or value == ():
            missing += [absence for absence in answers[best].missing if absence.field == name][:1]
        else:
            values[name], result.agreement[name] = value, share
            result.evidence |= {path: seen for path, seen in evidences[best].items() if root_of(path) == name}
    result.answer = ReceiptAnswer.model_validate(values | {"missing": tuple(missing)})
    return result


def _same(name: str, one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return agree(name, one, other)
    return bool(one == other)


def agree(name: str, one: str, other: str) -> bool:
    """Whether two printed texts say the same about a field: the same digits of an amount, a common day, the same minute, a like name."""
    if one == other:
        return True
    if name in AMOUNT_FIELDS or name in MAGNITUDE_FIELDS:
        return re.sub(r"\D", "", one) == re.sub(r"\D", "", other)
    if name == "transaction_date":
        days = [{day for printed in find_dates(text) for day in printed.days} for text in (one, other)]
        return bool(days[0] & days[1])
    if name == "transaction_time":
        minutes = [{(printed.value.hour, printed.value.minute) for printed in find_times(text)} for text in (one, other)]
        return bool(minutes[0] & minutes[1])
    a, b = (re.sub(r"[\W_]", "", text.casefold()) for text in (one, other))
    if name in ALIKE and a and b:
        return a in b or b in a or SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE[name]
    return a == b
