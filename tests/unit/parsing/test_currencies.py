"""Currency marks: what they can mean and where they count."""

from decimal import Decimal

import pytest

from extractor.parsing.currencies import CODES, SYMBOLS, WORDS, candidates_of, cash_steps, find_marks, has_decimals
from extractor.schemas.values import minor_digits


@pytest.mark.parametrize(
    ("text", "mark", "first"),
    [
        ("TOTAL RM 12.00", "RM", "MYR"),
        ("12,50€", "€", "EUR"),
        ("Amount (RM)", "RM", "MYR"),
        ("SUMA PLN 27,40", "PLN", "PLN"),
        ("75,00 kn", "kn", "HRK"),
        ("R2 330.47", "R", "ZAR"),
        ("K.D. 4.310", "K.D.", "KWD"),
        ("1,234円", "円", "JPY"),
        ("US$ 5.00", "US$", "USD"),
        ("26.13 лв.", "лв.", "BGN"),
    ],
)
def test_marks_beside_amounts(text: str, mark: str, first: str) -> None:
    """Signs, letters and codes are found where they touch an amount, stand in brackets or are ISO codes."""
    (found,) = find_marks(text)
    assert found.text == mark
    assert found.candidates[0] == first


@pytest.mark.parametrize("text", ["ALL ITEMS", "9.99 R", "FRESH MILK", "kr", "TOP QUALITY", "FR1_DENSPLATZ 12", "FR1EDENSPLATZ 12"])
def test_words_are_no_marks(text: str) -> None:
    """Letters and codes that are words elsewhere count only beside amounts."""
    assert find_marks(text) == ()


def test_tables_hold_iso_codes() -> None:
    """Every candidate is an ISO 4217 code of the table."""
    assert {code for codes in (*SYMBOLS.values(), *WORDS.values()) for code in codes} <= CODES


def test_an_unknown_mark_means_nothing() -> None:
    """What is no mark has no candidates: nothing is assumed."""
    assert candidates_of("XX") == ()


@pytest.mark.parametrize(("code", "step"), [("CHF", "0.05"), ("NZD", "0.10"), ("SEK", "1"), ("HUF", "5"), ("DKK", "0.50")])
def test_cash_is_rounded_to_the_smallest_coin(code: str, step: str) -> None:
    """The step of cash rounding differs by currency."""
    assert cash_steps()[code] == Decimal(step)


def test_cash_steps_are_known_currencies() -> None:
    """No step is listed for a code that does not exist, and none is below the minor unit."""
    assert set(cash_steps()) <= CODES
    assert all(step > Decimal(1).scaleb(-minor_digits(code)) or not minor_digits(code) for code, step in cash_steps().items())


def test_currencies_without_decimals() -> None:
    """Currencies without a minor unit, and those whose minor unit no receipt prints."""
    assert not any(map(has_decimals, ("JPY", "KRW", "IDR", "HUF", "UGX")))
    assert all(map(has_decimals, ("EUR", "USD", "KWD", "SEK")))
