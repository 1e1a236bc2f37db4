"""A single misread digit put right where the sums prove it, and only there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from extractor.parsing.amounts import DecimalMark, find_amounts
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import AmountRows, LabelledAmount
from extractor.readers.rules.item_selection import FoundItem
from extractor.readers.rules.sums import CASH_STEP
from extractor.readers.rules.totals import TotalChoice

# Pairs of digits that small OCR models mix up in faint or low print.
CONFUSED: Final = frozenset("08 06 09 68 89 38 56 58 35 17 14 49 27 39 59".split())

_RIVAL: Final = 0.1
_OTHER: Final = frozenset({Role.TAX, Role.COUNT, Role.CHANGE, Role.SUBTOTAL})


def with_value(entry: LabelledAmount, value: Decimal, mark: DecimalMark | None) -> LabelledAmount | None:
    """The amount with one digit read as its look-alike, so that it means `value`; `None` where that is not possible.

    The text that OCR saw is kept in `LabelledAmount.seen`.
    """
    text = entry.printed.text
    for place, digit in enumerate(text):
        for pair in CONFUSED:
            if digit in pair:
                other = text[:place] + pair.replace(digit, "") + text[place + 1 :]
                found = find_amounts(other)
                if len(found) == 1 and found[0].value(mark) == value:
                    return replace(entry, printed=replace(entry.printed, text=other), value=value, seen=text)
    return None


def is_contested(choices: Sequence[TotalChoice], mark: DecimalMark | None) -> bool:
    """True where an amount that is labelled as a total and is likely one too differs from the likeliest by one digit that looks alike.

    One of the two is misread then. What is printed twice in two ways by rounding to coins differs by less.
    """
    best, *rivals = choices
    value = best.candidate.value
    return any(
        rival.probability >= _RIVAL
        and abs(rival.candidate.value - value) > CASH_STEP
        and with_value(rival.candidate.best, value, mark) is not None
        and any(entry.roles & {Role.GRAND, Role.TOTAL} and not entry.roles & _OTHER for entry in rival.candidate.entries)
        for rival in rivals
    )


def is_unread(best: TotalChoice, rows: AmountRows) -> bool:
    """True where the likeliest total is not labelled as one, and a row below it is, with digits that give no amount: `TOTAL 40 1`."""
    if any(entry.roles & {Role.GRAND, Role.TOTAL} for entry in best.candidate.entries):
        return False
    return any(
        row.index > best.candidate.best.row
        and row.roles & {Role.GRAND, Role.TOTAL}
        and not row.roles & _OTHER
        and not row.entries
        and any(character.isdigit() for character in row.text)
        for row in rows
    )


def repair_subtotal(
    subtotal: LabelledAmount, items: Sequence[FoundItem], leads: Callable[[Decimal], bool], mark: DecimalMark | None
) -> LabelledAmount:
    """The subtotal, put right where the items add up to a look-alike of it that leads to the total while it does not itself.

    Args:
        leads: Whether taxes and charges lead from a subtotal to the total.
    """
    if leads(subtotal.value) or not items:
        return subtotal
    value = _sum(items)
    if not leads(value):
        return subtotal
    return with_value(subtotal, value, mark) or subtotal


def repair_items(items: Sequence[FoundItem], proven: Sequence[Decimal], mark: DecimalMark | None) -> tuple[FoundItem, ...]:
    """The items, with what keeps them from adding up to a proven sum put right: the minus of discounts, or one digit.

    Nothing is changed where they add up already, or where two prices could be it.

    Args:
        proven: Subtotal or total, where other sums prove them.
    """
    listed = tuple(items)
    if len(listed) < 2 or _sum(listed) in proven:
        return listed
    signed = tuple(_given_back(item) if Role.DISCOUNT in item.total.roles and item.total.value > 0 else item for item in listed)
    if signed != listed and _sum(signed) in proven:
        return signed
    possible = [
        (*listed[:place], replace(item, total=entry), *listed[place + 1 :])
        for target in proven
        for place, item in enumerate(listed)
        if (entry := with_value(item.total, item.total.value + target - _sum(listed), mark)) is not None
    ]
    return possible[0] if len(possible) == 1 else listed


def _sum(items: Sequence[FoundItem]) -> Decimal:
    return sum((item.total.value for item in items), Decimal(0))


def _given_back(item: FoundItem) -> FoundItem:
    printed = item.total.printed
    total = replace(item.total, printed=replace(printed, text=f"-{printed.text}"), value=-item.total.value, seen=printed.text)
    return replace(item, total=total)
