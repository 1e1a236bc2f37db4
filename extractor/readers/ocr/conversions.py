"""Sums that are printed again in the currency before or after the euro: conversions, and no totals of their own."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from extractor.printed.keywords import Role
from extractor.readers.ocr.rows import Entry, Row, Rows

_RATES: Final = (Decimal("1.95583"), Decimal("7.53450"))
"""Lev and kuna for a euro: where both were printed by law, the currency of the sale came first. Source: Council of the European Union."""
_NEAR: Final = Decimal("0.02")
_REACH: Final = 4
"""Rows below a sum within which it is converted."""
_SUMS: Final = frozenset({Role.GRAND, Role.TOTAL, Role.SUBTOTAL})


def without_conversions(rows: Rows) -> Rows:
    """The rows, where a sum that is an earlier one in the other currency says only that it is converted."""
    sums = [entry for entry in rows.entries if entry.roles & _SUMS and entry.value > 0]
    converted = {entry.index for entry in sums if any(_converts(other, entry) for other in sums)}
    return replace(rows, rows=tuple(_marked(row, converted) for row in rows)) if converted else rows


def _converts(earlier: Entry, later: Entry) -> bool:
    if not 0 < later.row - earlier.row <= _REACH:
        return False
    pairs = ((earlier.value, later.value), (later.value, earlier.value))
    return any(abs(euros * rate - other) <= _NEAR for euros, other in pairs for rate in _RATES)


def _marked(row: Row, converted: set[int]) -> Row:
    if not any(entry.index in converted for entry in row.entries):
        return row
    entries = tuple(_as_exchange(entry) if entry.index in converted else entry for entry in row.entries)
    return replace(row, entries=entries, roles=row.roles - _SUMS | {Role.EXCHANGE})


def _as_exchange(entry: Entry) -> Entry:
    return replace(entry, roles=entry.roles - _SUMS | {Role.EXCHANGE})
