"""What stands between the items and the total: subtotal, discounts, tip, service charge, rounding."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from extractor.printed.keywords import Role
from extractor.readers.ocr.rows import Entry, Rows
from extractor.readers.ocr.sums import Sums
from extractor.readers.ocr.taxes import Taxes

_NEXT: Final = 6
"""Rows between two sums of one receipt at most; further down stands the card slip."""
MAX_ROUNDING: Final = Decimal("0.99")


@dataclass(frozen=True)
class Charges:
    """The places of each amount; `None` where it is not printed."""

    subtotal: Entry | None
    discount: Entry | None
    tip: Entry | None
    service: Entry | None
    rounding: Entry | None


def find_charges(rows: Rows, sums: Sums, total: Entry | None, taxes: Taxes) -> Charges:
    """Subtotal and charges that lead to the total."""
    return Charges(
        subtotal=_subtotal(rows, sums, total, taxes),
        discount=_discount(rows, sums),
        tip=_named(rows, Role.TIP, total),
        service=_named(rows, Role.SERVICE, total),
        rounding=_rounding(rows, total),
    )


def _subtotal(rows: Rows, sums: Sums, total: Entry | None, taxes: Taxes) -> Entry | None:
    """The amount labelled as subtotal that fits best; else the printed amount from which the charges lead to the total."""
    named = [entry for entry in rows.entries if Role.SUBTOTAL in entry.roles]
    plain = [entry for entry in named if not entry.roles & {Role.NET, Role.TAX, Role.COUNT, Role.DISCOUNT}] or named
    if plain:
        return max(plain, key=lambda entry: (_fit(entry, sums, total, taxes), not entry.is_adjacent, -entry.index))
    if total is None:
        return None
    last = max((entry.row for entry in rows.entries if entry.row < sums.first_sum), default=0)
    bases = [entry for entry in sums.bases(total.value, taxes.total or Decimal(0)) if entry.row >= min(last, sums.first_sum - 1)]
    return bases[0] if bases else _earlier_sum(rows, total)


def _fit(entry: Entry, sums: Sums, total: Entry | None, taxes: Taxes) -> int:
    """How many sums say that this is the subtotal; the tax alone leading to the total says most."""
    fits = sums.last_items is not None and entry.value == sums.last_items
    if total is None:
        return fits
    tax = taxes.total or Decimal(0)
    closes = any(base is entry for base in sums.bases(total.value, tax))
    return 2 * fits + 3 * closes + 3 * (bool(tax) and entry.value + tax == total.value) + (entry.value == total.value)


def _earlier_sum(rows: Rows, total: Entry) -> Entry | None:
    """A sum equal to the total that is printed above it under another name."""
    others = {Role.CASH, Role.CARD, Role.PAYMENT, Role.CHANGE, Role.COUNT, Role.NOISE, Role.TAX}
    same = [e for e in rows.entries if e.value == total.value and e.roles & {Role.TOTAL, Role.GRAND} and not e.roles & others]
    return same[0] if len(same) > 1 and same[0].label != same[-1].label and same[-1].row - same[0].row <= _NEXT else None


def _named(rows: Rows, role: Role, total: Entry | None) -> Entry | None:
    others = {Role.GRAND, Role.TAX, Role.SUBTOTAL, Role.NOISE, Role.CASH, Role.CHANGE}
    found = [e for e in rows.entries if role in e.roles and not e.roles & others and (total is None or abs(e.value) < abs(total.value))]
    return found[-1] if found else None


def _rounding(rows: Rows, total: Entry | None) -> Entry | None:
    found = [
        e for e in rows.entries if Role.ROUNDING in e.roles and not e.roles & {Role.GRAND, Role.SUBTOTAL} and abs(e.value) <= _most(total)
    ]
    return found[0] if found else None


def _most(total: Entry | None) -> Decimal:
    return max(MAX_ROUNDING, abs(total.value) / 100) if total is not None else MAX_ROUNDING


def _discount(rows: Rows, sums: Sums) -> Entry | None:
    below = [e for e in rows.entries if e.roles & {Role.DISCOUNT} and not e.roles & {Role.SAVINGS, Role.GRAND, Role.SUBTOTAL}]
    summed: Sequence[Entry] = [entry for entry in below if entry.row >= sums.first_sum]
    return summed[0] if summed else None
