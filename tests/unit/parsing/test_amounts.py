"""Printed amounts: what counts as one, and what it means."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.parsing.amounts import decimal_mark, find_amounts, find_percentages, parse_amount


@pytest.mark.parametrize(
    ("text", "mark", "meant"),
    [
        ("RM 1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("1'234.50 CHF", ".", "1234.50"),
        ("12,34,567.00", ".", "1234567.00"),
        ("1 234,50 kr", ",", "1234.50"),
        ("R2 330.47", ".", "2330.47"),
        ("ИТОГ\t1 170.30", ".", "1170.30"),
        ("ИТОГ =12 170.30", ".", "12170.30"),
        ("TEA\t2 170.30", ".", "170.30"),
        ("12,-", ",", "12"),
        ("Rp45.000,-", None, "45000"),
        ("45.000", None, "45000"),
        ("¥1,234", None, "1234"),
        ("KD 1.250", ".", "1.250"),
        ("0.765", ".", "0.765"),
        (".74", ".", "0.74"),
        ("٫٥٠ ١٢٫٥٠", ".", "0.50"),
        ("164，00", ",", "164.00"),
        ("12,50", ".", "12.50"),
    ],
)
def test_separators_of_many_countries(text: str, mark: "str | None", meant: str) -> None:
    """Thousands and decimals are told apart by the receipt's decimal mark, or by the number's shape where that cannot be."""
    assert parse_amount(text, mark) == Decimal(meant)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["-3.50", "3.50-", "(3.50)", "-$3.50", "$-3.50", "3.50 CR", "−3,50"])
def test_signs(text: str) -> None:
    """A minus may stand in front, behind, beside the currency mark, or be brackets or CR."""
    assert parse_amount(text, ".") == Decimal("-3.50")


@pytest.mark.parametrize("text", ["TOTAL - 3.50", "A-3.50", "3.50 T", "(2) 3.50"])
def test_dashes_that_are_no_minus(text: str) -> None:
    """A dash between a label and an amount, or inside a code, is no sign."""
    assert find_amounts(text)[-1].value(".") == Decimal("3.50")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("12. 50", "12.50"),
        ("9 .00", "9.00"),
        ("O.00", "0.00"),
        ("RM82.B0", "82.80"),
        ("26,S7", "26.57"),
        ("RMi0,05", "10.05"),
        ("83.,60", "83.60"),
        ("$25 71", "25.71"),
        ("1, 565 938", "1565938"),
        ("2₁8,50", "218.50"),
    ],
)
def test_misread_amounts(text: str, meant: str) -> None:
    """Spaces, doubled marks and letters that OCR puts into an amount do not change it."""
    assert find_amounts(text)[0].readings[0] == Decimal(meant)


@pytest.mark.parametrize("text", ["142.35B", "8.99T", "1.99 B", "9.99 R"])
def test_tax_letters_stay_letters(text: str) -> None:
    """A letter behind two decimals is a tax letter, and no currency mark either."""
    (amount,) = find_amounts(text)
    assert amount.decimals == 2
    assert amount.mark == ""


@pytest.mark.parametrize(
    "text",
    [
        "03/10/68 14:07",
        "2018-10-03",
        "26.10.2017",
        "17:00-24.00",
        "TEL 03-9201 6281",
        "6%",
        "7,5 %",
        "0,846 kg",
        "500 ml",
        "9555590501204",
        "xxxx 1234",
        "NO.59 JALAN",
        "www.shop24.com",
        "A4",
        "31119X",
        "FR1_DENSPLATZ",
    ],
)
def test_numbers_that_are_no_amounts(text: str) -> None:
    """Dates, times, opening hours, telephone numbers, percentages, measures, codes and addresses hold no amount."""
    assert not [amount for amount in find_amounts(text) if amount.is_money_like]


@pytest.mark.parametrize(("text", "price"), [("2 x 1,99", "1,99"), ("1.000 x 13,90", "13,90"), ("0,846 kg x 2,49", "2,49")])
def test_factors_are_no_amounts(text: str, price: str) -> None:
    """Of a quantity and its price, only the price is an amount."""
    assert [amount.text for amount in find_amounts(text)] == [price]


@pytest.mark.parametrize("text", ["CYMA B. 26.13", "TOTAL S 26.13", "B 26.13"])
def test_letters_beside_an_amount_stay_letters(text: str) -> None:
    """A letter that stands apart from an amount is no digit of it."""
    assert [amount.text for amount in find_amounts(text)] == ["26.13"]


def test_prices_that_touch() -> None:
    """Two prices without a space between them are two prices."""
    assert [amount.text for amount in find_amounts("1.000108.00 108.00")] == ["1.000", "108.00", "108.00"]


def test_a_mark_belongs_to_the_amount_it_touches() -> None:
    """A currency mark between two numbers belongs to the one behind it."""
    first, second = find_amounts("10.00 $14.92")
    assert (first.mark, second.mark) == ("", "$")


@pytest.mark.parametrize(
    ("texts", "mark"),
    [
        (["12.50", "3.00"], "."),
        (["12,50", "0,846 kg x 2,49"], ","),
        (["1.234,50"], ","),
        (["45.000", "1.234.500"], None),
        (["¥1,234", "200"], None),
        (["Rp 45.000", "104,651", "104,70"], None),
        (["Rp 45.000,00", "12.500,00"], ","),
        (["K.D. 4.310", "6.970"], "."),
        (["25,00 EUR", "1,207 kg x 8,99"], ","),
        (["Kopi 25.000", "Total 25.000", "Tunai 50.00", "Qty 1.00", "30,000"], None),
        (["1.000 x 2,50", "2.000 x 1,25", "5,00"], ","),
        ([], None),
    ],
)
def test_decimal_mark_of_a_receipt(texts: list[str], mark: "str | None") -> None:
    """All amounts of a receipt decide its decimal mark together; receipts without decimals have none."""
    assert decimal_mark(texts) == mark


def test_percentages() -> None:
    """Percentages are found with comma, dot and spaces; numbers above 100 are no rates."""
    assert find_percentages("MwSt 19,00% 7 % 250%") == (Decimal(19), Decimal(7))


@given(st.text(max_size=60))
def test_any_text_is_safe(text: str) -> None:
    """No text makes the parser fail, and every amount lies inside its text."""
    for amount in find_amounts(text):
        assert 0 <= amount.start < amount.end <= len(text)
        assert amount.readings
    parse_amount(text, ".")
    find_percentages(text)
    decimal_mark([text])


@given(
    st.decimals(min_value=-99999, max_value=99999, places=2),
    st.sampled_from([(".", ","), (",", "."), (".", ""), (",", ""), (".", "'")]),
    st.sampled_from(["", "RM ", "€", "EUR "]),
)
def test_round_trip(value: Decimal, marks: tuple[str, str], currency: str) -> None:
    """An amount printed in any common style is parsed back to itself."""
    decimal, thousands = marks
    printed = f"{abs(value):,.2f}".replace(",", "_").replace(".", decimal).replace("_", thousands)
    sign = "-" if value < 0 else ""
    assert parse_amount(f"{sign}{currency}{printed}", decimal) == value  # type: ignore[arg-type]


def test_a_discount_behind_another_amount_is_no_date() -> None:
    """`00 -7.99` in `12.00 -7.99` has the shape of a date, and is the end of one amount and all of the next."""
    for text in ("Discount $12.00\t-7.99", "Discount 12.00 -7.99"):
        assert [amount.text for amount in find_amounts(text)] == ["12.00", "-7.99"]


def test_a_price_behind_stars_is_no_masked_card() -> None:
    """`**` at the end of a name hides no digits of the price; `**** 4525` does."""
    assert [amount.text for amount in find_amounts("Pad Se-ew ** JAY **\t12.50")] == ["12.50"]
    assert not find_amounts("VISA **** 4525")
