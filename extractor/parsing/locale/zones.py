"""The parts of a receipt in which words about its place count differently: header, address, items, totals, foot."""

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final

from extractor.parsing.amounts import find_amounts
from extractor.parsing.keywords import Role, roles_of

# Tax letters and stars that may follow a row's amount.
_MAX_SUFFIX: Final = 4
# Letters from which a row has a description of its own.
_MIN_LETTERS: Final = 3
# Rows without an amount that items may have between them: longer runs stand between a stray number and the items.
_MAX_GAP: Final = 5
_PAYMENT_ROLES: Final = frozenset({Role.CASH, Role.CARD, Role.PAYMENT, Role.CHANGE, Role.TAX})
_SUM_ROLES: Final = frozenset({Role.SUBTOTAL, Role.TOTAL, Role.GRAND})
# A house number beside a street, or a postal code beside a town, in any country's order.
_HOUSE_OR_POSTAL: Final = re.compile(
    r"^\W*(?:no\.?\s?)?\d{1,5}[a-z]?(?:[-/]\d{1,4})?[\s,]+(?:[nsew]\.?\s)?[^\W\d_]{3,}"
    r"|[^\W\d_]{3,}[\s.,]{1,3}\d{1,4}[a-z]?(?:[-/]\d{1,4})?,?$"
    r"|(?<!\d)(?:\d{3}[ -]?\d{2,3}|\d{4}|\d{5}-\d{3,4})[\s,]+[^\W\d_]{3,}|[^\W\d_]{2,}[\s.,]{1,4}(?:\d{4,6}|\d{5}-\d{4})\b"
    r"|\b[a-z]{1,2}\d[a-z\d]?\s?\d[a-z]{2}\b|\b[a-z]\d[a-z]\s?\d[a-z]\d\b",
    re.IGNORECASE,
)
# Labels whose numbers are no house numbers.
_NO_ADDRESS: Final = re.compile(
    r"\b(?:tel|fax|phone|date|time|table|invoice|receipt|check|order|server|cashier|guests?|store|pos|reg|term\w*)\b", re.IGNORECASE
)


class Zone(StrEnum):
    """A part of a receipt."""

    HEADER = "header"
    ADDRESS = "address"
    ITEMS = "items"
    TOTALS = "totals"
    FOOT = "foot"


def zones_of(rows: Sequence[str]) -> tuple[Zone, ...]:
    """The zone of each row of a receipt.

    Items run from the first row that ends in an amount, and is followed closely by another one, to the first sum, or to the first payment
    where no sum is printed. Sums, taxes and payments run from there to the last amount. Rows elsewhere with an amount and a description
    but without a known label are items, too. What stands above and below is header and foot, and a row of either that prints a house
    number or a postal code belongs, with the row below it, to the address.
    """
    is_priced = [_ends_in_amount(row) for row in rows]
    priced = [index for index, flag in enumerate(is_priced) if flag]
    if not priced:
        return _with_addresses(rows, [Zone.HEADER] * len(rows))
    last = priced[-1]
    first = next((one for one, other in pairwise(priced) if other - one <= _MAX_GAP), last)
    totals = _first_sum(rows, is_priced, first, last)
    if first < totals and first and _letters(rows[first]) < _MIN_LETTERS:
        first -= 1  # the description stands above its price
    zones = []
    for index, row in enumerate(rows):
        is_item = is_priced[index] and _letters(row) >= _MIN_LETTERS and not roles_of(row)
        if is_item or (first <= index < totals and Role.TAX not in roles_of(row)):
            zones.append(Zone.ITEMS)
        else:
            zones.append(Zone.HEADER if index < first else Zone.TOTALS if index <= last else Zone.FOOT)  # a tax above the first sum, too
    return _with_addresses(rows, zones)


def _first_sum(rows: Sequence[str], is_priced: Sequence[bool], first: int, last: int) -> int:
    """Index of the first sum with an amount, or of the first payment; the one after the last amount where there is neither."""
    for labels in (_SUM_ROLES, _PAYMENT_ROLES):
        for index in range(first, last + 1):
            if labels & roles_of(rows[index]) and any(is_priced[index : index + 3]):
                return index
    return last + 1


def _ends_in_amount(row: str) -> bool:
    amounts = find_amounts(row)
    if not amounts or amounts[-1].end < len(row.rstrip()) - _MAX_SUFFIX:
        return False
    mark = amounts[-1].mark  # letters before a number may be the end of a word: `BHD (126926-H)`
    return amounts[-1].decimals in (2, 3) or (bool(mark) and not mark[-1].isascii()) or mark.endswith("$")


def _letters(row: str) -> int:
    return sum(character.isalpha() for character in row)


def _with_addresses(rows: Sequence[str], zones: Sequence[Zone]) -> tuple[Zone, ...]:
    outside = [index for index, zone in enumerate(zones) if zone in (Zone.HEADER, Zone.FOOT)]
    found = {index for index in outside if _HOUSE_OR_POSTAL.search(rows[index].strip()) and not _NO_ADDRESS.search(rows[index])}
    below = {index + 1 for index in found if index + 1 in outside and _letters(rows[index + 1]) >= _MIN_LETTERS}
    return tuple(Zone.ADDRESS if index in found | below else zone for index, zone in enumerate(zones))
