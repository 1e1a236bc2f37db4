"""Checks: what the receipt's own arithmetic and its readings prove, and what they leave open."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from extractor.checks import TRUST, examine
from schemas.answer import DocumentType
from schemas.receipt import Item, Payment, Receipt, TaxLine
from schemas.record import Check
from schemas.values import FieldEvidence, FieldState

TODAY = date(2026, 3, 1)
REQUIRED = {"merchant_name": "Tea & Co", "transaction_date": date(2026, 2, 3), "currency_code": "EUR"}
AMOUNTS = {"subtotal", "discount_total", "tax_total", "tip", "service_charge", "rounding", "total", "amount_tendered", "change_given"}


def amount(text: str) -> Decimal:
    return Decimal(text)


def receipt(**values: Any) -> Receipt:
    amounts = {name: amount(value) if name in AMOUNTS and value is not None else value for name, value in values.items()}
    return Receipt(**(REQUIRED | {"transaction_time": "12:00"} | amounts))


def sure(**changes: FieldEvidence) -> dict[str, FieldEvidence]:
    return {name: FieldEvidence(raw_text=name, confidence=trust.alone) for name, trust in TRUST.items()} | changes


def likely(by: float = 0.0, looks: int = 1) -> dict[str, FieldEvidence]:
    """Every field just likely enough to be believed when something backs it, or less by so much."""
    return {name: FieldEvidence(raw_text=name, confidence=trust.backed - by, looks=looks) for name, trust in TRUST.items()}


def check(name: str, of: Receipt) -> Check:
    return next(check for check in examine(of, sure(), today=TODAY).checks if check.name == name)


@pytest.mark.parametrize(
    "values",
    [
        {"subtotal": "10.00", "total": "10.00"},
        {"subtotal": "10.00", "tax_total": "1.90", "total": "11.90"},
        {"subtotal": "11.90", "tax_total": "1.90", "total": "11.90"},
        {"subtotal": "10.00", "tax_total": "0.60", "service_charge": "1.00", "rounding": "-0.01", "total": "11.59"},
        {"subtotal": "12.00", "discount_total": "2.00", "total": "10.00"},
        {"subtotal": "10.00", "tax_total": "0.80", "tip": "2.00", "total": "10.80"},
        {"subtotal": "-10.00", "tax_total": "-1.90", "total": "-11.90"},
    ],
    ids=["plain", "tax on top", "tax inside", "service and rounding", "discount", "tip not in the total", "refund"],
)
def test_total_sum_closes_in_every_way_that_receipts_are_printed(values: dict[str, str]) -> None:
    """Tax inside or on top, tip and discount counted or not: any consistent reading closes."""
    assert check("total_sum", receipt(**values)).passed


def test_total_sum_fails_when_no_reading_closes_and_blocks() -> None:
    """A total that contradicts its parts is not accepted, and the check says what was expected."""
    examination = examine(receipt(subtotal="10.00", tax_total="1.90", total="13.90"), sure(), today=TODAY)
    failed = next(check for check in examination.checks if check.name == "total_sum")
    assert (failed.passed, failed.expected, failed.actual) == (False, amount("11.90"), amount("13.90"))
    assert not examination.is_acceptable


def test_a_subtotal_taken_for_the_total_does_not_prove_itself() -> None:
    """Where a rate says that tax comes on top of the subtotal, the subtotal is not the total, however often it is printed."""
    lines = (TaxLine(rate=amount("12.5"), net_amount=amount("885.00"), amount=amount("110.63")),)
    assert not check("total_sum", receipt(subtotal="885.00", total="885.00", tax_total="110.63", tax_lines=lines)).passed
    assert check("total_sum", receipt(subtotal="885.00", total="995.63", tax_total="110.63", tax_lines=lines)).passed


def test_items_sum_allows_tax_on_top_and_discounts_below() -> None:
    """Items add up to the subtotal, or to the total less what is on top."""
    items = (Item(total_price=amount("4.00")), Item(total_price=amount("6.00")))
    assert check("items_sum", receipt(items=items, tax_total="0.80", total="10.80")).passed
    assert check("items_sum", receipt(items=items, discount_total="1.00", total="9.00")).passed
    assert not check("items_sum", receipt(items=items, total="10.50")).passed


def test_items_that_do_not_add_up_flag_but_do_not_block() -> None:
    """A lost line item must not keep a proven total from being accepted."""
    items = (Item(total_price=amount("4.00")),)
    assert examine(receipt(items=items, subtotal="10.00", total="10.00"), sure(), today=TODAY).is_acceptable


def test_cash_within_cash_rounding_only_where_the_currency_has_cents() -> None:
    """20.00 - 6.35 proves 13.67 in cash; yen have nothing to round."""
    assert check("cash", receipt(total="13.67", amount_tendered="20.00", change_given="6.35")).passed
    assert not check("cash", receipt(total="13.60", amount_tendered="20.00", change_given="6.00")).passed
    assert check("cash", receipt(total="980", amount_tendered="1000", change_given="20", currency_code="JPY")).passed


def test_payments_may_contain_tip_and_change() -> None:
    """A card payment of total plus tip is in order; so is cash that was given back in part."""
    assert check("payments_sum", receipt(total="10.00", tip="2.00", payments=(Payment(amount=amount("12.00")),))).passed
    assert check("payments_sum", receipt(total="10.00", change_given="5.00", payments=(Payment(amount=amount("15.00")),))).passed
    assert not check("payments_sum", receipt(total="10.00", payments=(Payment(amount=amount("11.00")),))).passed


def test_tax_lines_close_on_net_and_on_gross() -> None:
    """19 % of 10.00 net and 19 % inside 11.90 gross are both 1.90."""
    for base in ("10.00", "11.90"):
        line = TaxLine(rate=amount("19"), net_amount=amount(base), amount=amount("1.90"))
        assert check("tax_lines[0]", receipt(tax_lines=(line,), tax_total="1.90", total="11.90")).passed


def test_quantity_times_price_is_the_line() -> None:
    """0.846 kg at 2.49 is 2.11; a returned line counts negative."""
    items = (
        Item(quantity=amount("0.846"), unit_price=amount("2.49"), total_price=amount("2.11")),
        Item(quantity=amount("2"), unit_price=amount("1.99"), total_price=amount("-3.98")),
        Item(quantity=amount("3"), unit_price=amount("1.00"), total_price=amount("4.00")),
    )
    found = [check(f"items[{index}]", receipt(items=items, total="2.13")).passed for index in range(3)]
    assert found == [True, True, False]


@pytest.mark.parametrize(("day", "plausible"), [(date(2026, 3, 2), True), (date(2026, 3, 3), False), (date(1970, 1, 1), False)])
def test_dates_from_the_future_or_before_tills_block(day: date, plausible: bool) -> None:
    """A day is left for time zones; beyond it, and before 1990, a date is misread."""
    assert examine(receipt(transaction_date=day, total="1.00"), sure(), today=TODAY).is_acceptable is plausible


@pytest.mark.parametrize("name", ["merchant_name", "transaction_date", "currency_code", "total"])
def test_nothing_required_may_be_missing(name: str) -> None:
    """A record without merchant, date, currency or total needs a person, and says so."""
    values: dict[str, Any] = {"total": "1.00"} | {name: None}
    issues = examine(receipt(**values), sure(), today=TODAY).issues
    assert [(issue.field, issue.kind) for issue in issues if issue.blocking] == [(name, "missing")]


def test_a_missing_time_is_asked_for_but_does_not_block_and_not_printed_is_an_answer() -> None:
    """Many receipts print no time: it is asked for, and then let be."""
    asked = examine(receipt(total="1.00", transaction_time=None), sure(), today=TODAY)
    assert asked.is_acceptable
    assert [issue.field for issue in asked.issues] == ["transaction_time"]
    settled = sure(transaction_time=FieldEvidence(state=FieldState.NOT_PRINTED))
    assert not examine(receipt(total="1.00", transaction_time=None), settled, today=TODAY).issues


def test_an_ambiguous_date_blocks_and_names_its_candidates() -> None:
    """03/04 stays open until the receipt, a setting or a person decides."""
    candidates = (date(2026, 2, 3), date(2026, 3, 2))
    issues = examine(receipt(total="1.00", date_ambiguous=True, date_candidates=candidates), sure(), today=TODAY).issues
    assert [issue.kind for issue in issues if issue.blocking] == ["ambiguous"]
    assert "2026-02-03 or 2026-03-02" in issues[0].message


def test_a_likely_value_needs_something_independent() -> None:
    """Likely is not enough; likely and a second look, or likely and the sums, is."""
    alone = examine(receipt(total="10.00"), likely(), today=TODAY)
    assert {issue.field for issue in alone.issues} == {"merchant_name", "transaction_date", "currency_code", "total"}
    proven = examine(receipt(subtotal="10.00", total="10.00"), likely(), today=TODAY)
    assert "total" not in {issue.field for issue in proven.issues}
    assert examine(receipt(total="10.00"), likely(looks=2), today=TODAY).is_acceptable


def test_looks_do_not_outvote_sums() -> None:
    """A total that no sum supports and one contests needs a person, however many looks agree; one sum that closes settles it."""
    items = (Item(total_price=amount("4.19")),)
    seen_twice = likely(looks=2)
    assert not examine(receipt(items=items, total="194.19"), seen_twice, today=TODAY).is_acceptable
    paid = (Payment(amount=amount("194.19")),)
    assert examine(receipt(items=items, total="194.19", payments=paid), seen_twice, today=TODAY).is_acceptable


def test_change_that_contradicts_the_total_blocks() -> None:
    """20.00 handed over and 0.50 back is not a total of 20.00."""
    examination = examine(receipt(total="20.00", amount_tendered="20.00", change_given="0.50"), sure(), today=TODAY)
    assert [(issue.field, issue.kind) for issue in examination.issues if issue.blocking][:1] == [("total", "conflict")]


def test_an_unlikely_value_is_never_confirmed_by_agreement() -> None:
    """Two looks can make the same mistake."""
    assert not examine(receipt(total="10.00"), likely(by=0.01, looks=2), today=TODAY).is_acceptable


def test_looks_that_disagree_block() -> None:
    """Where looks disagree, a person decides, however sure each look was."""
    fields = sure(total=FieldEvidence(raw_text="10.00", confidence=1.0, state=FieldState.CONFLICT))
    issues = examine(receipt(total="10.00"), fields, today=TODAY).issues
    assert [(issue.field, issue.kind) for issue in issues] == [("total", "conflict")]


def test_what_is_not_a_receipt_is_never_accepted() -> None:
    """A landscape has no total to accept."""
    examination = examine(receipt(total="1.00", document_type=DocumentType.NOT_A_RECEIPT), sure(), today=TODAY)
    assert [issue.kind for issue in examination.issues if issue.blocking] == ["not_a_receipt"]
