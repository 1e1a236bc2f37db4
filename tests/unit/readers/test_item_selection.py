"""Rows are chosen so that they add up to a printed sum, where that costs little belief."""

from decimal import Decimal

from extractor.ocr.transcript import Box
from extractor.parsing.amounts import find_amounts
from extractor.readers.rules.amount_rows import LabelledAmount
from extractor.readers.rules.item_selection import BUDGET, FoundItem, Slot, choose_items


def item(price: str, name: str = "Tea") -> FoundItem:
    printed = find_amounts(price)[0]
    entry = LabelledAmount(
        0, 0, 0, printed, printed.value("."), Box(0, 0, 1, 1), name, frozenset(), is_adjacent=False, is_last=True, confidence=1.0
    )
    return FoundItem(name, entry, Box(0, 0, 1, 1), 0)


def chosen(slots: list[Slot], *targets: str) -> tuple[list[str], bool]:
    choice = choose_items(slots, {Decimal(target): 0.0 for target in targets})
    return [str(each.total.value) for each in choice.items], choice.closes


def test_items_that_add_up_stay_as_they_are() -> None:
    """Nothing is changed where the usual reading closes, and nothing where no cheap one does."""
    slots = [Slot(item("2.00")), Slot(item("3.00"), ((None, 1.0),))]
    assert chosen(slots, "5.00") == (["2.00", "3.00"], True)
    assert chosen(slots, "9.99") == (["2.00", "3.00"], False)
    assert chosen([], "9.99") == ([], False)


def test_the_cheapest_matching_selection_is_returned() -> None:
    """Of two combinations that reach the sum, the cheaper one is selected."""
    slots = [Slot(item("2.00", "A")), Slot(item("3.00", "B")), Slot(item("3.00", "C"), ((None, 1.0),), is_doubtful=True)]
    choice = choose_items(slots, {Decimal("5.00"): 0.0})
    assert [each.description for each in choice.items] == ["A", "B"]
    assert choice.cost == 1.0


def test_a_row_that_is_usually_none_is_counted_where_the_sum_needs_it() -> None:
    """Its price was believed at its cost; many such rows are believed together."""
    slots = [Slot(item("2.00")), *(Slot(None, ((item("1.50"), 1.5),)) for _ in range(4))]
    assert chosen(slots, "3.50") == (["2.00", "1.50"], True)
    assert chosen(slots, "8.00") == (["2.00", "1.50", "1.50", "1.50", "1.50"], True)


def test_rows_of_codes_below_the_items_are_left_out_together() -> None:
    """Where every item has a row of a code and its price before the discount, these rows are no items, and neither are the discounts."""
    slots = [
        Slot(item(price, name)) for price, name in (("7.00", "SHIRT"), ("9.00", "855531-034"), ("8.00", "SOCKS"), ("9.50", "777112-9"))
    ]
    assert chosen(slots, "15.00") == (["7.00", "8.00"], True)


def test_what_costs_too_much_is_an_accident() -> None:
    """Two ordinary items are not left out to meet a sum."""
    slots = [Slot(item(price, name)) for price, name in (("2.00", "A"), ("3.10", "B"), ("4.25", "C"), ("5.00", "D"))]
    choice = choose_items(slots, {Decimal("7.00"): 0.0})
    assert (len(choice.items), choice.closes, choice.cost) == (4, False, BUDGET)


def test_a_total_is_not_its_own_item() -> None:
    """A row that is usually no item does not close the receipt alone."""
    assert chosen([Slot(None, ((item("5.00"), 1.5),))], "5.00") == ([], False)
