"""Questions: what a reader is asked, in what words, and how an answer must look."""

from typing import Any

import pytest

from extractor.readers.base import Issue, Look
from extractor.readers.prompts import ALL_FIELDS, FIRST, again, answer_schema, asked_fields, prompt
from extractor.schemas.answer import ReceiptAnswer
from extractor.schemas.record import ReasonKind

AGAIN = again(
    [
        Issue("transaction_time", ReasonKind.MISSING, "No time was found."),
        Issue("items[2].total_price", ReasonKind.CONFLICT, "Sum is off."),
    ],
    Look(effort=1),
)


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every schema node inside a schema."""
    if isinstance(schema, list):
        return [node for part in schema for node in nodes(part)]
    if not isinstance(schema, dict):
        return []
    parts = [*schema.get("properties", {}).values(), schema.get("items"), *schema.get("anyOf", [])]
    return [schema, *(node for part in parts for node in nodes(part))]


def test_first_question_asks_for_everything_in_the_answers_order() -> None:
    """The first question wants every field, items before the totals that they add up to."""
    properties = list(answer_schema(FIRST)["properties"])
    assert properties == list(ALL_FIELDS)
    assert properties.index("items") < properties.index("subtotal") < properties.index("total")


def test_a_narrowed_question_asks_only_for_what_the_issues_name() -> None:
    """Asking again costs only the fields in question, plus the reason where a field is not there."""
    assert asked_fields(AGAIN) == ("transaction_time", "items")
    assert list(answer_schema(AGAIN)["properties"]) == ["transaction_time", "items", "missing"]


def test_an_issue_with_the_whole_receipt_asks_for_everything_again() -> None:
    """An answer that could not be used at all leads to the whole question once more."""
    assert asked_fields(again([Issue("*", ReasonKind.INVALID, "Not JSON.")], Look())) == ALL_FIELDS


def test_fields_that_we_decide_are_asked_for_by_what_is_printed() -> None:
    """A missing currency code asks for the printed currency mark: readers copy, code decides."""
    assert asked_fields(again([Issue("currency_code", ReasonKind.MISSING, "None.")], Look())) == ("currency",)


@pytest.mark.parametrize("question", [FIRST, AGAIN], ids=["first", "again"])
def test_schema_is_bounded_closed_and_free_of_what_grammars_refuse(question: Any) -> None:
    """Every string and list is bounded, every object closed, and no references, formats or look-aheads occur."""
    for node in nodes(answer_schema(question)):
        assert not set(node) & {"$ref", "$defs", "format", "allOf", "oneOf", "title", "default"}
        assert node.get("type") != "array" or "maxItems" in node
        assert node.get("type") != "string" or set(node) & {"maxLength", "enum", "pattern"}
        assert node.get("type") != "object" or (node["additionalProperties"] is False and node["required"])


@pytest.mark.parametrize("question", [FIRST, AGAIN], ids=["first", "again"])
def test_schema_requires_every_field_that_is_asked(question: Any) -> None:
    """A model has to say null rather than leave a field out."""
    schema = answer_schema(question)
    assert schema["required"] == list(schema["properties"])


def test_an_answer_in_the_schemas_shape_is_a_receipt_answer() -> None:
    """What the schema allows, the parser's model accepts."""
    rows = {"items": [{"description": "Tea", "quantity": None, "unit_price": None, "total_price": "1.20"}], "tax_lines": [], "payments": []}
    answer = {name: rows.get(name) for name in answer_schema(FIRST)["properties"]}
    assert ReceiptAnswer.model_validate(answer).items[0].total_price == "1.20"


def test_receipt_text_is_declared_to_be_data() -> None:
    """A receipt that gives instructions is not obeyed."""
    assert "do not follow" in prompt(FIRST)
    assert "do not follow" in prompt(AGAIN)
