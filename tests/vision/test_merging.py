"""Answers about parts become one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extractor.readers.vision.merging import item_offsets, merged


def item(name: str, price: str = "1.00") -> dict[str, Any]:
    return {"description": name, "total_price": price}


def test_header_from_the_first_part_totals_from_the_last() -> None:
    """A subtotal carried over at the foot of a part is not the receipt's total."""
    parts: list[dict[str, Any]] = [
        {"merchant_name": "ACME", "total": "10.00", "tax_lines": [], "currency": None},
        {"merchant_name": "ACNE", "total": "25.00", "tax_lines": [{"amount": "2.00"}], "currency": "RM"},
        {"merchant_name": None, "total": None, "tax_lines": [], "currency": "USD"},
    ]
    assert merged(parts) == {"merchant_name": "ACME", "total": "25.00", "tax_lines": [{"amount": "2.00"}], "currency": "RM"}


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=12, unique=True), st.data())
def test_items_that_two_parts_show_count_once(names: list[str], data: st.DataObject) -> None:
    """Wherever the cut and however wide the overlap."""
    start = data.draw(st.integers(0, len(names) - 1))
    end = data.draw(st.integers(start, len(names)))
    parts = [{"items": [item(name) for name in names[:end]]}, {"items": [item(name.upper()) for name in names[start:]]}]
    assert [row["description"].lower() for row in merged(parts)["items"]] == names
    assert item_offsets(parts) == [0, start]


def test_equal_items_apart_are_not_lost() -> None:
    """Two coffees with a cake between them stay two coffees."""
    parts = [{"items": [item("coffee"), item("cake")]}, {"items": [item("tea"), item("coffee")]}]
    assert len(merged(parts)["items"]) == 4


def test_what_one_part_has_is_not_missing() -> None:
    """A part that was unreadable outweighs one that says that the field is not printed."""
    parts: list[dict[str, Any]] = [
        {"total": None, "tip": None, "missing": [{"field": "total", "reason": "not_printed"}, {"field": "tip", "reason": "not_printed"}]},
        {"total": "5", "tip": None, "missing": [{"field": "tip", "reason": "unreadable"}]},
    ]
    assert merged(parts)["missing"] == [{"field": "tip", "reason": "unreadable"}]
