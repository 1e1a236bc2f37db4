"""Checks: what the receipt's own arithmetic proves or contradicts."""

from datetime import date

import pytest

from extractor.schemas.receipt import Item, Payment, Receipt, TaxLine
from extractor.schemas.record import Check
from extractor.validation.arithmetic import run_checks
from tests.receipts import amount, receipt

TODAY = date(2026, 3, 1)


def check(name: str, of: Receipt) -> Check:
    return next(check for check in run_checks(of, today=TODAY) if check.name == name)


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


def test_total_sum_fails_when_no_reading_closes() -> None:
    """A check that fails says what was expected and what was found."""
    failed = check("total_sum", receipt(subtotal="10.00", tax_total="1.90", total="13.90"))
    assert (failed.passed, failed.expected, failed.actual) == (False, amount("11.90"), amount("13.90"))


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


def test_prices_may_contain_the_tax_where_the_subtotal_is_net() -> None:
    """`NETTO 7.80, MwSt 7 % 0.55, SUMME 8.35`: the shelf prices add up to the total."""
    line = TaxLine(rate=amount("7"), net_amount=amount("7.80"), amount=amount("0.55"))
    values = receipt(subtotal="7.80", tax_total="0.55", total="8.35")
    priced = values.model_copy(update={"tax_lines": [line], "items": [Item(description="Soap", total_price=amount("8.35"))]})
    assert check("items_sum", priced).passed
    cheaper = priced.model_copy(update={"items": [Item(description="Soap", total_price=amount("8.05"))]})
    assert not check("items_sum", cheaper).passed


def test_cash_within_cash_rounding_only_where_the_currency_has_cents() -> None:
    """20.00 - 6.35 proves 13.67 in cash; yen have nothing to round."""
    assert check("cash", receipt(total="13.67", amount_tendered="20.00", change_given="6.35")).passed
    assert not check("cash", receipt(total="13.60", amount_tendered="20.00", change_given="6.00")).passed
    assert check("cash", receipt(total="980", amount_tendered="1000", change_given="20", currency_code="JPY")).passed


def test_cash_rounding_without_a_word_closes_the_total_where_cash_was_paid() -> None:
    """72.93 paid as 72.95 in cash closes; by card it does not."""
    assert check("total_sum", receipt(subtotal="72.93", total="72.95", amount_tendered="100.00", change_given="27.05")).passed
    assert not check("total_sum", receipt(subtotal="72.93", total="72.95")).passed


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


@pytest.mark.parametrize(("day", "passed"), [(date(2013, 3, 15), False), (date(2018, 3, 15), True)])
def test_no_receipt_is_older_than_the_tax_that_it_prints(day: date, passed: bool) -> None:
    """An 8 of the year that was read as 3 shows where Malaysia's GST was not levied yet."""
    line = TaxLine(description="GST S@6%", amount=amount("6.78"))
    printed = receipt(merchant_country="MY", tax_lines=(line,), transaction_date=day)
    assert check("date_plausible", printed).passed is passed
    assert check("date_plausible", printed.model_copy(update={"merchant_country": None})).passed


@pytest.mark.parametrize(
    ("currency", "total", "tendered", "change"),
    [
        ("NOK", "99.60", "200.00", "100.00"),
        ("SEK", "47.50", "100.00", "52.00"),
        ("CZK", "218.40", "500.00", "282.00"),
        ("DKK", "61.20", "100.00", "39.00"),
        ("HUF", "1998", "2000", "0"),
        ("HUF", "2347", "5000", "2655"),
        ("ISK", "1290", "2000", "710"),
        ("CHF", "12.33", "20.00", "7.65"),
        ("THB", "99.90", "100.00", "0.00"),
    ],
)
def test_cash_is_rounded_to_the_coins_of_the_currency(currency: str, total: str, tendered: str, change: str) -> None:
    """Change that the till rounds to its smallest coin does not contradict the total, whichever country's coin it is."""
    of = receipt(currency_code=currency, subtotal=total, total=total, amount_tendered=tendered, change_given=change)
    assert check("cash", of).passed
    rounded = str(amount(tendered) - amount(change))
    assert check("total_sum", receipt(currency_code=currency, subtotal=total, total=rounded, amount_tendered=tendered)).passed


@pytest.mark.parametrize(
    ("currency", "total", "tendered", "change"),
    [
        ("NOK", "99.60", "200.00", "98.00"),
        ("NOK", "99.60", "200.00", "100.70"),
        ("HUF", "1998", "2010", "0"),
        ("EUR", "99.60", "200.00", "100.00"),
        ("JPY", "1200", "2000", "799"),
    ],
)
def test_cash_rounding_goes_no_further_than_one_coin(currency: str, total: str, tendered: str, change: str) -> None:
    """More than a coin, or an amount that no coins make, is a misread total or cash line."""
    assert not check("cash", receipt(currency_code=currency, total=total, amount_tendered=tendered, change_given=change)).passed
