"""How the receipt was paid: means of payment, cash handed over, change handed back."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from extractor.printed.keywords import Role
from extractor.readers.ocr.rows import Entry, Row, Rows

_LAST4: Final = re.compile(r"(?:[*xX#•.·关美★女兴长大×]{2,}[\s-]*|\b(?:ending|acct|account|card|no\.?)\D{0,12})(\d{4})(?!\d)")


@dataclass(frozen=True)
class FoundPayment:
    """One means of payment."""

    method: str
    amount: Entry
    last4: str | None


@dataclass(frozen=True)
class Payments:
    """All that the receipt says of paying."""

    payments: tuple[FoundPayment, ...]
    tendered: Entry | None
    change: Entry | None


def find_payments(rows: Rows, total: Decimal | None, total_row: int | None) -> Payments:
    """Payments, cash and change; amounts above the total are no payments."""
    below = [entry for entry in rows.entries if total_row is None or entry.row >= total_row - 2]
    changes = [entry for entry in below if Role.CHANGE in entry.roles and Role.CASH not in entry.roles]
    cash = [entry for entry in below if _is_cash(entry)]
    tendered, change = _matched(cash, changes, total)
    cards = [
        entry for entry in below if entry.roles & {Role.CARD} and not entry.roles & {Role.CHANGE, Role.GRAND, Role.NOISE, Role.SUBTOTAL}
    ]
    last4 = next((match[1] for row in rows if (match := _LAST4.search(row.text))), None)
    found: dict[Decimal, FoundPayment] = {}
    for entry in cards:
        if entry.value and (total is None or abs(entry.value) <= abs(total) * 2):
            # By magnitude: the till books `-8.35`, and the terminal's slip says `8.35` of the same card.
            found.setdefault(abs(entry.value), FoundPayment(_method(rows.rows[entry.row], entry), entry, last4))
    if tendered is not None and not found:
        found[abs(tendered.value)] = FoundPayment(_method(rows.rows[tendered.row], tendered), tendered, None)
    return Payments(tuple(found.values()), tendered, change)


def _is_cash(entry: Entry) -> bool:
    return Role.CASH in entry.roles and not entry.roles & {Role.CHANGE, Role.GRAND, Role.SUBTOTAL, Role.TAX, Role.ROUNDING}


def _matched(cash: list[Entry], changes: list[Entry], total: Decimal | None) -> tuple[Entry | None, Entry | None]:
    """Cash and change that explain the total, or else the first of each."""
    for tendered in cash:
        for change in changes:
            if total is not None and abs(abs(tendered.value) - abs(change.value) - total) <= Decimal("0.05"):
                return tendered, change
    enough = [entry for entry in cash if total is None or abs(entry.value) >= abs(total)]
    return next(iter(enough or cash), None), next(iter(changes), None)


def _method(row: Row, entry: Entry) -> str:
    return (entry.label or row.label).strip(" :.*-=\t")[:120]
