"""Builds receipts for tests from a complete one."""

from datetime import date, time
from decimal import Decimal
from typing import Any

from extractor.schemas.receipt import Receipt, amounts_of

AMOUNTS = frozenset(
    ("subtotal", "discount_total", "tax_total", "tip", "service_charge", "rounding", "total", "amount_tendered", "change_given")
)


def amount(text: str) -> Decimal:
    return Decimal(text)


def receipt(**values: Any) -> Receipt:
    """Return a receipt with merchant, date, time and currency, and the given values; amounts are given as text."""
    complete = {
        "merchant_name": "Tea & Co",
        "transaction_date": date(2026, 2, 3),
        "transaction_time": time(12, 0),
        "currency_code": "EUR",
    }
    numbers = {name: amount(value) if name in AMOUNTS and value is not None else value for name, value in values.items()}
    made = Receipt(**(complete | numbers))
    assert set(amounts_of(made)) <= AMOUNTS
    return made
