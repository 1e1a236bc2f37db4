"""Normalising: what printed text means is decided once, from the whole receipt, and nothing is invented."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.config.settings import LocaleSettings
from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from extractor.readers.base import Evidence
from extractor.schemas.answer import DocumentType, ReceiptAnswer
from extractor.schemas.receipt import ItemKind
from extractor.schemas.values import FieldState, Origin
from extractor.validation.arithmetic import run_checks
from extractor.validation.decision import TRUST, examine
from extractor.validation.normalisation import Normalised, _card_network, normalise

NO_PREFERENCES = LocaleSettings()


def transcript(*lines: str) -> Transcript:
    """A page of 100 by 200 pixels with these rows."""
    rows = (Line((Fragment(text, Box(10, 10 * index, 90, 10 * index + 8), 0.9),)) for index, text in enumerate(lines))
    return Transcript(tuple(rows), 100, 200, "drawn")


def meant(
    *lines: str, evidence: dict[str, Evidence] | None = None, preferences: LocaleSettings = NO_PREFERENCES, **answer: Any
) -> Normalised:
    """What an answer means on a receipt that also prints these rows."""
    stated = ReceiptAnswer.model_validate(answer)
    return normalise(stated, evidence or {}, (transcript(*lines),), origin=Origin.OCR, preferences=preferences)


@pytest.mark.parametrize(
    ("total", "other", "value"),
    [("1.234,50", "12,00", "1234.50"), ("1,234.50", "12.00", "1234.50"), ("1.234", "12,00", "1234"), ("1.234", "0.500", "1.234")],
)
def test_the_decimal_mark_is_decided_from_all_amounts_together(total: str, other: str, value: str) -> None:
    """`1.234` is a thousand where the receipt writes commas, and one and a bit where it writes points."""
    assert meant(other, total=total).receipt.total == Decimal(value)


def test_signs_follow_the_field_and_refunds_are_negative() -> None:
    """Discounts and change count by their name, whatever sign is printed; a negative total makes a refund."""
    receipt = meant(total="12,00-", discount_total="-3,00", change_given="-1,00", rounding="-0,02").receipt
    assert (receipt.total, receipt.is_refund) == (Decimal("-12.00"), True)
    assert (receipt.discount_total, receipt.change_given, receipt.rounding) == (Decimal("3.00"), Decimal("1.00"), Decimal("-0.02"))


def test_a_text_that_means_nothing_is_kept_and_becomes_an_issue() -> None:
    """`soon` is no date: the value stays null, the text stays on record, and the field is asked again."""
    found = meant(transaction_date="soon", transaction_time="later", total="free")
    assert (found.receipt.transaction_date, found.receipt.transaction_time, found.receipt.total) == (None, None, None)
    assert {found.fields[name].state for name in ("transaction_date", "transaction_time", "total")} == {FieldState.UNREADABLE}
    assert found.fields["transaction_date"].raw_text == "soon"
    assert {issue.field for issue in found.issues} == {"transaction_date", "transaction_time", "total"}


def test_a_date_that_the_receipt_does_not_decide_stays_ambiguous() -> None:
    """03/04/2025 has two meanings until place, another date or a setting decides; until then both are kept."""
    open_ = meant(transaction_date="03/04/2025").receipt
    assert (open_.date_ambiguous, open_.date_candidates) == (True, (date(2025, 3, 4), date(2025, 4, 3)))
    assert open_.transaction_date in open_.date_candidates
    settled = meant(transaction_date="03/04/2025", preferences=LocaleSettings(date_order="DMY")).receipt
    assert (settled.date_ambiguous, settled.transaction_date) == (False, date(2025, 4, 3))
    proven = meant("Printed 28/03/2025", transaction_date="03/04/2025").receipt
    assert (proven.date_ambiguous, proven.transaction_date) == (False, date(2025, 4, 3))


def test_times_lose_nothing_but_their_spelling() -> None:
    """8:13:39 PM is 20:13:39."""
    assert meant(transaction_time="8:13:39 PM").receipt.transaction_time == time(20, 13, 39)


def test_no_currency_is_assumed() -> None:
    """A bare amount has no currency; a setting may break the tie, and evidence decides."""
    assert meant(total="12.00").receipt.currency_code is None
    assert meant(total="12.00", preferences=LocaleSettings(currency="SGD")).receipt.currency_code == "SGD"
    assert meant("USt-IdNr. DE123456789", "Summe EUR 12,00", total="12,00", currency="EUR").receipt.currency_code == "EUR"


def test_a_currency_that_is_only_the_likeliest_is_kept_and_said_to_be_so() -> None:
    """A dollar sign with one weak clue gives a likely currency and a reason that blocks; evidence or a setting takes the reason away."""
    rows = ("CORNER CAFE", "Sales Tax 8.25% 0.17", "Total $2.17", "$")
    guess = meant(*rows, total="$2.17", currency="$")
    assert guess.receipt.currency_code == "USD"
    [issue] = [issue for issue in guess.issues if issue.field == "currency_code"]
    assert (issue.kind, issue.blocking) == ("ambiguous", True)
    assert "USD or" in issue.message
    settled = meant(*rows, total="$2.17", currency="$", preferences=LocaleSettings(currency="USD"))
    assert not settled.issues
    assert (settled.fields["currency_code"].confidence or 0) >= TRUST["currency_code"].alone
    decided = meant("USt-IdNr. DE123456789", "Summe EUR 12,00", total="12,00", currency="EUR")
    assert not [issue for issue in decided.issues if issue.field == "currency_code"]


def test_thousands_stay_thousands_in_a_country_without_decimals() -> None:
    """Indonesia's decimal mark is the comma, but its prices have no decimals: `75,000` is seventy-five thousand."""
    rows = ("Jakarta Selatan, Indonesia", "Nasi Goreng 75,000", "Es Teh 12,500", "Total Rp 87,500", "Tunai 100,000", "Kembalian 12,500")
    receipt = meant(*rows, total="87,500", items=[{"description": "Nasi Goreng", "total_price": "75,000"}]).receipt
    assert (receipt.currency_code, receipt.total) == ("IDR", Decimal(87500))
    assert receipt.items[0].total_price == Decimal(75000)


def test_taxes_by_rate_add_up_to_the_tax_total_where_none_is_printed() -> None:
    """Two printed rates make one tax total, marked as arithmetic; a printed tax total is left alone."""
    lines = [{"rate": "7%", "amount": "0,70"}, {"rate": "19 %", "amount": "1,90"}]
    summed = meant(tax_lines=lines, total="20,00")
    assert summed.receipt.tax_total == Decimal("2.60")
    assert summed.fields["tax_total"].origin is Origin.ARITHMETIC
    assert [line.rate for line in summed.receipt.tax_lines] == [Decimal(7), Decimal(19)]
    assert meant(tax_lines=lines, tax_total="2,61").receipt.tax_total == Decimal("2.61")


@pytest.mark.parametrize(("total", "included"), [("11,90", False), ("10,00", True), ("12,00", None)])
def test_tax_inside_or_on_top_is_told_by_the_sums_or_not_at_all(total: str, included: bool | None) -> None:
    """Tax is on top where the sum needs it, inside where it closes without, unknown where neither closes."""
    assert meant(subtotal="10,00", tax_total="1,90", total=total).receipt.tax_included is included


def test_prices_that_contain_the_tax_tell_so_also_above_a_net_subtotal() -> None:
    """`NETTO 7.80, MwSt 0.55, SUMME 8.35`: what the goods cost says more than which sum the till prints first."""
    receipt = meant(items=[{"description": "Soap", "total_price": "8.35"}], subtotal="7.80", tax_total="0.55", total="8.35").receipt
    assert receipt.tax_included is True


def test_payments_that_a_till_books_as_negative_are_what_was_handed_over() -> None:
    """`CASH -50.00, CHANGE 18.53` pays 31.47; where money was given back, signs stay."""
    paid: dict[str, Any] = {"payments": [{"method": "CASH", "amount": "-50.00"}], "amount_tendered": "-50.00", "change_given": "18.53"}
    receipt = meant(total="31.47", **paid).receipt
    assert (receipt.payments[0].amount, receipt.amount_tendered) == (Decimal("50.00"), Decimal("50.00"))
    assert meant(total="-50.00", **paid).receipt.payments[0].amount == Decimal("-50.00")


@pytest.mark.parametrize(("price", "total"), [("59.00", "59.00"), ("-59.00", "-59.00")])
def test_a_total_read_beside_a_booked_payment_is_positive_where_goods_were_bought(price: str, total: str) -> None:
    """`Tea 59.00, Card -59.00`, the total itself unreadable; where the goods were given back, it stays negative."""
    assert meant(items=[{"description": "Tea", "total_price": price}], total="-59.00").receipt.total == Decimal(total)


def test_items_keep_their_parts_and_what_takes_away_is_a_discount() -> None:
    """Quantity, price and total of a line are numbers; a negative line is a discount."""
    rows = [
        {"description": "Tee  grün", "quantity": "2", "unit_price": "1,99", "total_price": "3,98 A"},
        {"description": "Rabatt", "total_price": "-0,50"},
    ]
    items = meant("12,00", items=rows).receipt.items
    assert (items[0].description, items[0].quantity, items[0].unit_price, items[0].total_price) == (
        "Tee grün",
        Decimal(2),
        Decimal("1.99"),
        Decimal("3.98"),
    )
    assert (items[1].total_price, items[1].kind) == (Decimal("-0.50"), ItemKind.DISCOUNT)


@pytest.mark.parametrize(
    ("method", "network"),
    [
        ("DISCOVERY VOUCHER", None),
        ("Advisa", None),
        ("Visage Gutschein", None),
        ("VISADEBIT", "Visa"),
        ("VISA1234", "Visa"),
        ("MASTERCARD CREDIT", "Mastercard"),
        ("Discover", "Discover"),
    ],
)
def test_a_card_network_is_a_word_of_the_payment_method(method: str, network: str | None) -> None:
    """A network's name inside another word names no card."""
    assert _card_network(method) == network


def test_card_networks_are_recognised_in_the_payment_method() -> None:
    """`VISA CREDIT` is a card of Visa."""
    payment = meant(payments=[{"method": "VISA CREDIT", "amount": "4,00", "card_last4": "1234"}]).receipt.payments[0]
    assert (payment.card_network, payment.card_last4, payment.amount) == ("Visa", "1234", Decimal("4.00"))


def test_evidence_is_filed_as_fractions_of_the_page() -> None:
    """A box in pixels becomes one that fits any rendering of the page, cut at its edges."""
    found = meant(total="4,00", evidence={"total": Evidence("Summe 4,00", 0, Box(10, 20, 120, 40), 0.8)})
    assert found.fields["total"].box == (0.1, 0.1, 1.0, 0.2)
    assert (found.fields["total"].raw_text, found.fields["total"].confidence, found.fields["total"].page) == ("Summe 4,00", 0.8, 0)


def test_an_absent_field_keeps_the_reason() -> None:
    """`not_printed` is knowledge; it is filed with the field."""
    missing = [{"field": "transaction_time", "reason": "not_printed"}, {"field": "total", "reason": "cut_off"}]
    found = meant(total="1.00", missing=missing)
    assert found.fields["transaction_time"].state is FieldState.NOT_PRINTED
    assert found.fields["total"].state is FieldState.OK


PRINTED = st.text(max_size=40) | st.from_regex(r"-?[0-9]{1,14}([.,' ][0-9]{1,14}){0,3}-?", fullmatch=True).map(lambda text: text[:40])
MAYBE = st.none() | PRINTED
ITEM = st.fixed_dictionaries({"description": MAYBE, "quantity": MAYBE, "unit_price": MAYBE, "discount": MAYBE, "total_price": MAYBE})
TAX = st.fixed_dictionaries({"rate": MAYBE, "net_amount": MAYBE, "amount": MAYBE})
TEXTS = [name for name, field in ReceiptAnswer.model_fields.items() if field.default is None and name != "document_type"]


@given(
    st.fixed_dictionaries(dict.fromkeys(TEXTS, MAYBE)),
    st.lists(ITEM, max_size=4),
    st.lists(TAX, max_size=3),
    st.none() | st.sampled_from(DocumentType),
    st.lists(PRINTED, max_size=4),
)
def test_whatever_is_printed_becomes_a_record_with_reasons(
    values: dict[str, Any], items: list[Any], taxes: list[Any], kind: DocumentType | None, lines: list[str]
) -> None:
    """No text on a receipt makes normalising or checking fail, and what is not understood is an issue, not an error."""
    found = meant(*(line for line in lines if line.strip()), items=items, tax_lines=taxes, document_type=kind, **values)
    checks = run_checks(found.receipt, today=date(2026, 1, 1))
    examination = examine(found.receipt, found.fields, checks)
    assert found.receipt.model_validate_json(found.receipt.model_dump_json()) == found.receipt
    assert examination.checks == checks
