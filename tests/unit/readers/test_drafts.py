"""Drafts for speculative decoding."""

import json

from hypothesis import given
from hypothesis import strategies as st

from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from extractor.readers.base import Issue, Look, Question
from extractor.readers.prompts import ALL_FIELDS, FIRST, again, answer_schema
from extractor.readers.vision.drafts import DraftCursor, draft_of

DRAFT = '{"merchant_name":"ACME STORE","items":[{"description":"milk","total_price":"1.20"},{"description":"tea","total_price":"1.20"}]}'


def following(said: str, draft: str = DRAFT, size: int = 12) -> str:
    cursor = DraftCursor(draft)
    for symbol in said:
        cursor.advance(symbol.encode())
    return cursor.propose(size).decode()


def test_an_answer_that_follows_its_draft_is_proposed() -> None:
    """From its first byte to its last."""
    for size in range(len(DRAFT)):
        assert following(DRAFT[:size]) == DRAFT[size : size + 12]


def test_an_answer_that_left_its_draft_is_found_again_further_on() -> None:
    """Nothing is proposed for a value that differs; what comes after it is, and of equal places the next one."""
    assert following('{"merchant_name":"ACNE') == ""
    assert following('{"merchant_name":"ACNE SHOP","items":[{"description":"') == 'milk","total'
    assert following('{"merchant_name":"ACNE SHOP","items":[{"description":"milk","total_price":"2","description":"') == 'tea","total_'


def test_words_of_the_page_are_known_by_their_beginning() -> None:
    """What another reader did not take for a value may still be printed."""
    assert following('{"merchant_name":"CORNER', "TILL 4\nCORNER SHOP LTD\n") == " SHOP LTD\n"
    assert following('{"merchant_name":"', "TILL 4\nCORNER SHOP LTD\n") == ""


@given(st.text(max_size=60), st.lists(st.binary(min_size=1, max_size=6), max_size=20))
def test_any_answer_is_followed(draft: str, pieces: list[bytes]) -> None:
    """A proposal is a part of the draft, or nothing."""
    cursor = DraftCursor(draft)
    for piece in pieces:
        cursor.advance(piece)
        assert cursor.propose(8) in draft.encode()
    assert DraftCursor("").propose(8) == b""


def line(text: str) -> Line:
    return Line((Fragment(text, Box(0, 0, 10, 10), 0.9),))


def test_a_draft_has_the_answers_own_form() -> None:
    """Keys in the schema's order, nulls where they must be stated, then the text of the pages; a draft that is no JSON is left out."""
    stated = json.dumps({"total": "1.20", "items": [{"total_price": "1.20", "description": "milk", "tax_code": "A"}]})
    page = Transcript((line("ACME"), line("milk 1.20")), 10, 10, "none")
    first, *text = draft_of(Question(draft=stated), [page]).split("\n")
    answer = json.loads(first)
    assert list(answer) == list(ALL_FIELDS) == list(answer_schema(FIRST)["properties"])
    assert answer["tip"] is None
    assert list(answer["items"][0].items()) == [
        ("description", "milk"), ("quantity", None), ("unit_price", None), ("total_price", "1.20"), ("tax_code", "A"),
    ]  # fmt: skip
    assert text == ["ACME", "milk 1.20"]
    assert draft_of(Question(draft="no JSON"), [page]) == "ACME\nmilk 1.20"


def test_the_draft_of_a_narrow_question_is_as_narrow() -> None:
    narrow = again([Issue("total", "missing", "Not found.")], Look())
    draft = draft_of(Question(narrow.fields, narrow.issues, draft='{"total":"1.20","tip":"1"}'), ())
    assert json.loads(draft) == {"total": "1.20", "missing": []}
