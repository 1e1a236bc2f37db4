"""What readers are asked is worded once and reviewed: another wording gives other answers."""

import json
from collections.abc import Callable

import pytest

from extractor.readers.base import Issue, Look, Question
from extractor.readers.prompts import FIRST, again, answer_schema, prompt
from extractor.schemas.record import ReasonKind

AGAIN = again(
    [
        Issue("transaction_time", ReasonKind.MISSING, "No time was found."),
        Issue("items[2].total_price", ReasonKind.CONFLICT, "Sum is off."),
    ],
    Look(effort=1),
)


@pytest.mark.parametrize(("name", "question"), [("question_first.txt", FIRST), ("question_again.txt", AGAIN)])
def test_the_wording_is_the_one_that_was_reviewed(name: str, question: Question, golden: Callable[[str, str], None]) -> None:
    """Prompt and schema change only on purpose, with a new PROMPT_VERSION; then run `pytest --update-golden`."""
    golden(name, prompt(question) + "\n\n" + json.dumps(answer_schema(question), indent=1) + "\n")
