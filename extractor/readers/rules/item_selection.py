"""The selection of line items: the cheapest combination of the possible meanings of all priced rows that matches a sum."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from extractor.ocr.transcript import Box
from extractor.parsing.amounts import DecimalMark
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import LabelledAmount
from extractor.readers.rules.item_text import has_name

# Roles of rows that sum up others.
_SUMS: Final = frozenset({Role.SUBTOTAL, Role.TOTAL, Role.NET})
# Roles of rows that are no items.
_NEVER: Final = frozenset({Role.SAVINGS, Role.EXCHANGE, Role.CHANGE, Role.TAX, Role.SERVICE, Role.TIP, Role.ROUNDING})
# Roles of rows that are never counted for being many: with them, the items add up to every total.
_CHARGES: Final = frozenset({Role.TAX, Role.SERVICE, Role.ROUNDING, Role.CHANGE})
# Roles of rows that are items only where the sum needs them, since names of goods contain such words.
_DOUBTFUL: Final = frozenset({Role.NOISE, Role.COUNT, Role.CASH, Role.CARD})
# Decimals of prices in some currencies, and of prices that OCR joined with a digit.
_THREE_DECIMALS: Final = 3
# What quantity times unit price may differ by from the price.
_ROUNDING: Final = Decimal("0.02")
# Costs of the meanings of a row, from hardly ever right to often: about the natural logarithm of the odds against one.
_COUNT_SUM: Final = 3.5
_COUNT_CHARGE: Final = 3.0
_COUNT_DOUBTFUL: Final = 1.5
_COUNT_NAMELESS: Final = 1.5
_DROP_ODD: Final = 1.0
_NEGATED: Final = 1.0
_REPLACED_BY_PRODUCT: Final = 1.5
# Cost of leaving out a row that looks like an item.
DROP: Final = 4.0
# Cost of leaving out a row that may be no item.
DROP_DOUBTFUL: Final = 1.0
# Cost of leaving out all rows of a kind, such as every discount or every `Price:` below an item, or of counting all doubtful ones.
GROUP: Final = 2.0
# Cost of ending the items early, at a row that looks like an item or not.
CUT: Final = 3.0
# Cost of ending the items early, at a row that looks like an item or not.
CUT_AT_DOUBTFUL: Final = 1.5
# Cost from which on a matching sum is more likely an accident.
BUDGET: Final = 5.0
# Rows with one name from which on they are treated as a group.
_MIN_GROUP: Final = 3
# Changes that are tried together, cheapest first.
_MAX_CHANGES: Final = 120


@dataclass(frozen=True)
class FoundItem:
    """One line item with its amounts and their positions."""

    description: str
    total: LabelledAmount
    box: Box
    row: int
    quantity: str | None = None
    unit: str | None = None
    unit_price: LabelledAmount | None = None
    product_code: str | None = None


@dataclass(frozen=True)
class Slot:
    """One row that may be an item.

    Attributes:
        usual: The item it is counted as where no sum contradicts that; `None` where it is no item.
        others: Its other meanings, each with its cost: about the natural logarithm of the odds against it.
        is_doubtful: True where its label or the shape of its price suggest that it is no item.
    """

    usual: FoundItem | None
    others: tuple[tuple[FoundItem | None, float], ...] = ()
    is_doubtful: bool = False

    @property
    def is_likely(self) -> bool:
        """True where it is an item or may be one by its label."""
        return self.usual is not None or any(
            item is not None and item.description and not item.total.roles & _CHARGES and cost <= _COUNT_CHARGE
            for item, cost in self.others
        )


@dataclass(frozen=True)
class ItemSelection:
    """Selected items, their cost, and whether they add up to a target."""

    items: tuple[FoundItem, ...]
    cost: float
    closes: bool


@dataclass(frozen=True)
class _Change:
    """One departure from the usual meanings: the replacement by slot, its cost, and the difference that it makes to the sum."""

    instead: Mapping[int, FoundItem | None]
    cost: float
    delta: Decimal


def choose_items(slots: Sequence[Slot], targets: Mapping[Decimal, float]) -> ItemSelection:
    """Return the cheapest selection that adds up to one of the targets, or the usual one where none does.

    Args:
        targets: Printed sums, each with the cost of the items adding up to it.
    """
    usual = {place: slot.usual for place, slot in enumerate(slots)}
    start = total_of(usual.values())
    changes = sorted((change for change in _changes(slots) if change.delta), key=lambda change: change.cost)[:_MAX_CHANGES]
    best: tuple[float, tuple[_Change, ...]] | None = None
    for target, price in targets.items():
        found = _cheapest(target - start, changes)
        if found is not None and price + found[0] <= BUDGET and (best is None or price + found[0] < best[0]):
            chosen = usual | {place: item for change in found[1] for place, item in change.instead.items()}
            if any(item is not None and slot.usual is not None for item, slot in zip(chosen.values(), slots, strict=True)):
                best = price + found[0], found[1]
    made = usual | {place: item for change in (best[1] if best else ()) for place, item in change.instead.items()}
    items = tuple(item for item in made.values() if item is not None)
    return ItemSelection(items, best[0] if best else BUDGET, best is not None)


def _cheapest(need: Decimal, changes: Sequence[_Change]) -> tuple[float, tuple[_Change, ...]] | None:
    """Return the cheapest combination of at most three changes of different rows that makes the difference, within the budget."""
    if not need:
        return 0.0, ()
    by_delta: dict[Decimal, list[_Change]] = {}
    for change in changes:
        by_delta.setdefault(change.delta, []).append(change)
    best: tuple[float, tuple[_Change, ...]] | None = None
    for chosen in _combinations(need, changes, by_delta):
        cost = sum(change.cost for change in chosen)
        if cost <= BUDGET and (best is None or cost < best[0]):
            best = cost, chosen
    return best


def _combinations(
    need: Decimal, changes: Sequence[_Change], by_delta: Mapping[Decimal, Sequence[_Change]]
) -> Iterator[tuple[_Change, ...]]:
    for last in by_delta.get(need, ()):
        yield (last,)
    for number, one in enumerate(changes):
        if one.cost * 2 > BUDGET:
            break  # the others of a pair cost no less
        for last in by_delta.get(need - one.delta, ()):
            if not _clashes(one, last):
                yield one, last
        for two in changes[number + 1 :]:
            if one.cost + 2 * two.cost > BUDGET:
                break
            if not _clashes(one, two):
                yield from ((one, two, last) for last in by_delta.get(need - one.delta - two.delta, ()) if not _clash_any(last, one, two))


def _clashes(one: _Change, other: _Change) -> bool:
    return not one.instead.keys().isdisjoint(other.instead)


def _clash_any(one: _Change, *others: _Change) -> bool:
    return any(_clashes(one, other) for other in others)


def _changes(slots: Sequence[Slot]) -> Iterator[_Change]:
    for place, slot in enumerate(slots):
        for item, cost in slot.others:
            yield _Change({place: item}, cost, total_of([item]) - total_of([slot.usual]))
        if slot.usual is not None and all(item is not None for item, _ in slot.others):
            yield _without(slots, [place], DROP_DOUBTFUL if slot.is_doubtful else DROP)
    for group in _groups(slots):
        yield _without(slots, group, GROUP)
    dashed = {place: positive(slot.usual) for place, slot in enumerate(slots) if slot.usual is not None and _has_leading_dash(slot.usual)}
    if dashed:
        yield _Change(dashed, GROUP, -2 * total_of(slots[place].usual for place in dashed))
    left_out = {place: slot.others[0][0] for place, slot in enumerate(slots) if slot.usual is None and slot.is_likely}
    if len(left_out) > 1:
        yield _Change(left_out, GROUP, total_of(left_out.values()))
    for place in range(1, len(slots)):
        yield _without(slots, range(place, len(slots)), CUT_AT_DOUBTFUL if slots[place].is_doubtful else CUT)


def _groups(slots: Sequence[Slot]) -> Iterator[list[int]]:
    """Yield rows that are items together or not at all: those with one name, negative ones, doubtful ones, those with a code alone."""
    named: dict[str, list[int]] = {}
    for place, slot in enumerate(slots):
        if slot.usual is not None:
            named.setdefault(slot.usual.description.casefold(), []).append(place)
    yield from (places for places in named.values() if len(places) >= _MIN_GROUP)
    negative = [place for place, slot in enumerate(slots) if slot.usual is not None and slot.usual.total.value < 0]
    doubtful = [place for place, slot in enumerate(slots) if slot.usual is not None and slot.is_doubtful]
    nameless = [place for place, slot in enumerate(slots) if slot.usual is not None and not has_name(slot.usual.description)]
    yield from (places for places in (negative, doubtful, nameless) if len(places) > 1)


def _has_leading_dash(item: FoundItem) -> bool:
    """Return whether a negative price is not labelled as a discount: the dash may only lead to it."""
    return item.total.value < 0 and Role.DISCOUNT not in item.total.roles


def _without(slots: Sequence[Slot], places: Iterable[int], cost: float) -> _Change:
    instead: dict[int, FoundItem | None] = dict.fromkeys(places)
    return _Change(instead, cost, -total_of(slots[place].usual for place in instead))


@dataclass(frozen=True)
class PriceFormat:
    """The usual format of one receipt's prices.

    Attributes:
        mark: Its decimal mark, or `None` where prices have no decimals.
        places: Digits behind the mark.
        most: The largest sum that the items may add up to; 0 where none is known.
    """

    mark: DecimalMark | None
    places: int
    most: Decimal

    @classmethod
    def of(cls, prices: Sequence[LabelledAmount], mark: DecimalMark | None, most: Decimal) -> "PriceFormat":
        three = sum(price.printed.decimals == _THREE_DECIMALS for price in prices)
        return cls(mark, _THREE_DECIMALS if three * 2 > len(prices) else 2 if mark else 0, most)


def make_slot(item: FoundItem, money: PriceFormat) -> Slot:
    """Return the possible meanings of a priced row, by its label and by the shape of its price."""
    mark = money.mark
    item = _with_plausible_price(item, money)
    if _is_product(item):
        return Slot(item)
    if not item.description:
        return Slot(None, ((item, _COUNT_NAMELESS),) if 0 < item.total.value < money.most else (), is_doubtful=True)
    labelled = _labelled(item, mark)
    if labelled is not None:
        return labelled
    printed, value = item.total.printed, item.total.value
    is_odd = value < 0 or not printed.is_money_like or printed.decimals > money.places or bool(mark and not printed.decimals)
    if is_odd or re.search(r"\d{5}", item.description):
        return Slot(item, ((None, _DROP_ODD),), is_doubtful=True)
    product = _product(item)
    if product is not None and product > 0 and mark is not None:
        return Slot(item, ((with_price(item, f"{product:.2f}".replace(".", mark), mark), _REPLACED_BY_PRODUCT),))
    return Slot(item)


def _labelled(item: FoundItem, mark: DecimalMark | None) -> Slot | None:
    """Return the meanings of a row by its label; `None` where the label is no evidence against an item."""
    roles, value = item.total.roles, item.total.value
    if roles & {Role.DISCOUNT, Role.DEPOSIT} and not value:
        return Slot(None, is_doubtful=True)
    if roles & (_NEVER | _SUMS):
        return Slot(None, ((item, _COUNT_SUM if roles & _SUMS else _COUNT_CHARGE),), is_doubtful=True)
    if Role.DISCOUNT in roles and value > 0:
        given_back = with_price(item, f"-{item.total.printed.text}", mark)
        return Slot(item, ((given_back, _NEGATED), (None, _NEGATED)), is_doubtful=True)
    if roles & _DOUBTFUL and not roles & {Role.DISCOUNT, Role.DEPOSIT}:
        return Slot(None, ((item, _COUNT_DOUBTFUL),), is_doubtful=True)
    return None


def _is_product(item: FoundItem) -> bool:
    """Return whether the row itself prints a quantity and a unit price whose product is the price."""
    product = _product(item)
    return product is not None and item.total.value > 0 and abs(product - item.total.value) <= _ROUNDING


def _product(item: FoundItem) -> Decimal | None:
    """Return quantity times unit price, where the row itself prints both."""
    if item.quantity is None or item.unit_price is None or item.unit_price.row != item.total.row:
        return None
    return Decimal(item.quantity.replace(",", ".")) * item.unit_price.value


def _with_plausible_price(item: FoundItem, money: PriceFormat) -> FoundItem:
    """Return the item with a price in the format of its receipt: two decimals where others have them, and not beyond the total."""
    printed, mark = item.total.printed, money.mark
    if mark is None:
        return item
    if printed.decimals == _THREE_DECIMALS > money.places and mark in printed.text:
        return with_price(item, printed.text[:-1], mark)
    digits = printed.text
    if printed.decimals == _THREE_DECIMALS and mark not in digits and item.total.value > money.most > 0:
        return with_price(item, re.sub(r"[.,](?=\d{3}$)", mark, digits)[:-1], mark)  # `3.288` for `3,28 B`
    if printed.decimals == 0 and digits.isdigit() and len(digits) > 2 and item.total.value > money.most > 0:
        return with_price(item, f"{digits[:-2]}{mark}{digits[-2:]}", mark)
    return item


def unsigned(slot: Slot) -> Slot:
    """Return the slot without negative prices."""
    usual = slot.usual
    return replace(slot, usual=positive(usual) if usual else None, others=tuple((positive(i) if i else None, c) for i, c in slot.others))


def positive(item: FoundItem) -> FoundItem:
    """Return the item with the absolute value of its price."""
    total = item.total
    text = total.printed.text.strip("-–—−~()")
    return item if total.value >= 0 else replace(item, total=replace(total, printed=replace(total.printed, text=text), value=-total.value))


def total_of(items: Iterable[FoundItem | None]) -> Decimal:
    """Return the sum of the prices; `None` counts nothing."""
    return sum((item.total.value for item in items if item is not None), Decimal(0))


def with_price(item: FoundItem, text: str, mark: DecimalMark | None) -> FoundItem:
    """Return the item with its price parsed from another text; the text that OCR returned is kept in `LabelledAmount.seen`."""
    total = item.total
    printed = replace(total.printed, text=text)
    return replace(item, total=replace(total, printed=printed, value=printed.value(mark), seen=total.seen or total.printed.text))
