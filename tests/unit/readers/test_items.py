"""Line items: every layout of name, quantity, unit price and price on a hand-made transcript."""

from typing import Any

import pytest

from extractor.readers.ocr.amounts import read_amounts
from extractor.readers.ocr.descriptions import Description, describe
from tests.transcripts import transcript
from tests.unit.readers.test_amounts import priced


def items(*rows: "str | list[tuple[float, str]]") -> list[dict[str, Any]]:
    """The items read from a receipt of these rows."""
    return list(read_amounts([transcript(*rows)]).values.get("items", []))


def brief(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Descriptions and prices alone."""
    return [(item["description"], item["total_price"]) for item in found]


def test_name_and_price() -> None:
    """A row of a name and a price is an item; tax letters belong to neither."""
    assert brief(items(priced("EGGS", "2.50 T"), priced("HAM", "3.00 F"), priced("TOTAL", "5.50"))) == [("EGGS", "2.50"), ("HAM", "3.00")]


def test_quantity_below() -> None:
    """`2 x 1,99` below an item is its quantity and unit price."""
    (item,) = items(priced("Gurken", "3,98 A"), "2 x 1,99", priced("SUMME", "3,98"))
    assert (item["description"], item["quantity"], item["unit_price"], item["total_price"]) == ("Gurken", "2", "1,99", "3,98")


def test_quantity_above() -> None:
    """`3 x 0,99` above an item is its quantity where the item before does not cost that."""
    first, second = items(priced("PADS", "1,39 C"), [(60.0, "3 x 0,99")], priced("RIEGEL", "2,97 B"), priced("SUMME", "4,36"))
    assert (first["quantity"], second["quantity"], second["unit_price"]) == (None, "3", "0,99")


def test_weight() -> None:
    """A weight and a price per kilogram explain the item's price."""
    (item,) = items(priced("Bananen", "2,11 A"), "0,846 kg x 2,49 EUR/kg", priced("SUMME", "2,11"))
    assert (item["quantity"], item["unit_of_measure"], item["unit_price"]) == ("0,846", "kg", "2,49")


def test_name_above_code_and_price() -> None:
    """The topmost row of text above a nameless price is the name; codes below it are not."""
    found = items(
        [(20, "Description"), (450, "Amount")],
        "PILLAR SINK TAP 87601",
        "0Z05 -5/60",
        [(20, "9074624"), (250, "1 x 19.90"), (510, "19.90")],
        priced("Total", "19.90"),
    )
    assert brief(found) == [("PILLAR SINK TAP 87601", "19.90")]


def test_name_below_code_and_price() -> None:
    """Where names stand below their prices, the header above the first price is no name."""
    found = items(
        "WELCOME TO THE STORE",
        "17545 GALE AVE",
        "CITY OF INDUSTRY",
        "THANKS FOR VISITING US",
        priced("6473553", "299.00"),
        "OCULUS QUEST 2",
        priced("6429500", "49.00"),
        "CARRYING CASE",
        priced("Subtotal", "348.00"),
        priced("Total", "348.00"),
    )
    assert brief(found) == [("OCULUS QUEST 2", "299.00"), ("CARRYING CASE", "49.00")]
    assert [item["product_code"] for item in found] == ["6473553", "6429500"]


def test_discounts_and_deposits() -> None:
    """Discounts and deposits between items are rows of their own, with their sign."""
    found = items(
        priced("Kartoffeln", "2,69 A"),
        priced("Preisvorteil", "-0,30"),
        priced("Cola", "1,75 B"),
        priced("Pfand 0,25 M", "0,25 B"),
        priced("zu zahlen", "4,39"),
    )
    assert brief(found) == [("Kartoffeln", "2,69"), ("Preisvorteil", "-0,30"), ("Cola", "1,75"), ("Pfand 0,25 M", "0,25")]


def test_columns_of_quantity_and_unit_price() -> None:
    """With several columns of amounts, the last is the price and the one before it the unit price."""
    first, second = items(priced("2 ESTRELLA 0,5", "5,40", "10,80"), priced("1 BRAVES", "5,75"), priced("TOTAL", "16,55"))
    assert (first["description"], first["quantity"], first["unit_price"], first["total_price"]) == ("ESTRELLA 0,5", "2", "5,40", "10,80")
    assert second["description"] == "BRAVES"


def test_sums_by_category_are_no_items() -> None:
    """Rows that only sum up the items by category are left out, since the items alone make the subtotal."""
    found = items(
        priced("SOUP", "10.00"),
        priced("BEER", "6.00"),
        priced("FOOD", "10.00"),
        priced("BEVERAGES", "6.00"),
        priced("SUBTOTAL", "16.00"),
        priced("TOTAL", "16.00"),
    )
    assert [item["total_price"] for item in found] == ["10.00", "6.00"]


def test_taxes_between_items() -> None:
    """A tax printed below an item is no item, and does not end them."""
    found = items(
        priced("TV", "299.00"),
        priced("Sales Tax", "28.43"),
        priced("CASE", "49.00"),
        priced("Sales Tax", "4.63"),
        priced("Subtotal", "348.00"),
        priced("Sales Tax", "33.06"),
        priced("Total", "381.06"),
    )
    assert brief(found) == [("TV", "299.00"), ("CASE", "49.00")]


def test_no_items() -> None:
    """A card slip has none."""
    assert items(priced("AMOUNT", "20.00"), priced("VISA", "20.00")) == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2 Hot Tea", Description("Hot Tea", quantity="2")),
        ("1x Croquetas", Description("Croquetas", quantity="1")),
        ("2-Tenderloin", Description("Tenderloin", quantity="2")),
        ("9555590501204 RUBBER BOOTS", Description("RUBBER BOOTS", code="9555590501204")),
        ("BATH RUGS\t40076499017", Description("BATH RUGS", code="40076499017")),
        ("(A) OVOS CLASSE M", Description("OVOS CLASSE M")),
        ("Pale Ale 4x330ml", Description("Pale Ale 4x330ml")),
        ("Milk 1L\tT", Description("Milk 1L")),
        ("Coke Zero\tx2", Description("Coke Zero", quantity="2")),
    ],
)
def test_descriptions(text: str, meant: Description) -> None:
    """Counts, codes and tax letters are taken off a name, and nothing else."""
    assert describe(text) == meant
