"""What a row of the item list may be counted as: the item that it most likely sells, and what else it may mean, each at a price."""

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


@dataclass(frozen=True)
class FoundItem:
    """One line item with its amounts' places."""

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
        usual: What it is counted as where no sum speaks against it; `None` where it is no item.
        others: What else it may be, each with what it costs to believe that: about the natural logarithm of the odds against it.
        is_doubtful: True where its label or shape says that it may be no item.
    """

    usual: FoundItem | None
    others: tuple[tuple[FoundItem | None, float], ...] = ()
    is_doubtful: bool = False

    @property
    def is_likely(self) -> bool:
        """True where it is an item or may be one by its label."""
        return self.usual is not None or any(
            item is not None and item.description and not item.total.roles & _CHARGES and cost <= _IN_NEVER for item, cost in self.others
        )


_SUMS: Final = frozenset({Role.SUBTOTAL, Role.TOTAL, Role.NET})
_NEVER: Final = frozenset({Role.SAVINGS, Role.EXCHANGE, Role.CHANGE, Role.TAX, Role.SERVICE, Role.TIP, Role.ROUNDING})
# Labels of rows that are never counted for being many: with them, the items add up to every total.
_CHARGES: Final = frozenset({Role.TAX, Role.SERVICE, Role.ROUNDING, Role.CHANGE})
# Labels of rows that are items only where the sum needs them, since names of wares hold such words; from hardly ever to often.
_DOUBTFUL: Final = frozenset({Role.NOISE, Role.COUNT, Role.CASH, Role.CARD})
_THREE: Final = 3
_NEAR: Final = Decimal("0.02")
_IN_SUMS: Final = 3.5
_IN_NEVER: Final = 3.0
_IN_DOUBTFUL: Final = 1.5
_IN_NAMELESS: Final = 1.5
_OUT_ODD: Final = 1.0
_SIGN: Final = 1.0
_PRODUCT: Final = 1.5


@dataclass(frozen=True)
class PriceOption:
    """What the prices of one receipt look like.

    Attributes:
        mark: Its decimal mark, or `None` where prices have no decimals.
        places: Digits behind it.
        most: The largest sum that the items may add up to; 0 where none is known.
    """

    mark: DecimalMark | None
    places: int
    most: Decimal

    @classmethod
    def of(cls, prices: Sequence[LabelledAmount], mark: DecimalMark | None, most: Decimal) -> "PriceOption":
        three = sum(price.printed.decimals == _THREE for price in prices)
        return cls(mark, _THREE if three * 2 > len(prices) else 2 if mark else 0, most)


def make_slot(item: FoundItem, money: PriceOption) -> Slot:
    """What a priced row may be, by its label and by the shape of its price."""
    mark = money.mark
    item = _with_sane_price(item, money)
    if _is_product(item):
        return Slot(item)
    if not item.description:
        return Slot(None, ((item, _IN_NAMELESS),) if 0 < item.total.value < money.most else (), is_doubtful=True)
    labelled = _labelled(item, mark)
    if labelled is not None:
        return labelled
    printed, value = item.total.printed, item.total.value
    is_odd = value < 0 or not printed.is_money_like or printed.decimals > money.places or bool(mark and not printed.decimals)
    if is_odd or re.search(r"\d{5}", item.description):
        return Slot(item, ((None, _OUT_ODD),), is_doubtful=True)
    product = _product(item)
    if product is not None and product > 0 and mark is not None:
        return Slot(item, ((with_price(item, f"{product:.2f}".replace(".", mark), mark), _PRODUCT),))
    return Slot(item)


def _labelled(item: FoundItem, mark: DecimalMark | None) -> Slot | None:
    """What its label says of a row; `None` where it says nothing against an item."""
    roles, value = item.total.roles, item.total.value
    if roles & {Role.DISCOUNT, Role.DEPOSIT} and not value:
        return Slot(None, is_doubtful=True)
    if roles & (_NEVER | _SUMS):
        return Slot(None, ((item, _IN_SUMS if roles & _SUMS else _IN_NEVER),), is_doubtful=True)
    if Role.DISCOUNT in roles and value > 0:
        given_back = with_price(item, f"-{item.total.printed.text}", mark)
        return Slot(item, ((given_back, _SIGN), (None, _SIGN)), is_doubtful=True)
    if roles & _DOUBTFUL and not roles & {Role.DISCOUNT, Role.DEPOSIT}:
        return Slot(None, ((item, _IN_DOUBTFUL),), is_doubtful=True)
    return None


def _is_product(item: FoundItem) -> bool:
    """True where the row itself prints a quantity and a unit price that make the price."""
    product = _product(item)
    return product is not None and item.total.value > 0 and abs(product - item.total.value) <= _NEAR


def _product(item: FoundItem) -> Decimal | None:
    """What quantity and unit price make, where the row itself prints both."""
    if item.quantity is None or item.unit_price is None or item.unit_price.row != item.total.row:
        return None
    return Decimal(item.quantity.replace(",", ".")) * item.unit_price.value


def _with_sane_price(item: FoundItem, money: PriceOption) -> FoundItem:
    """The item with a price that prices of its receipt can be: two decimals where others have them, and not beyond the total."""
    printed, mark = item.total.printed, money.mark
    if mark is None:
        return item
    if printed.decimals == _THREE > money.places and mark in printed.text:
        return with_price(item, printed.text[:-1], mark)
    digits = printed.text
    if printed.decimals == _THREE and mark not in digits and item.total.value > money.most > 0:
        return with_price(item, re.sub(r"[.,](?=\d{3}$)", mark, digits)[:-1], mark)  # `3.288` for `3,28 B`
    if printed.decimals == 0 and digits.isdigit() and len(digits) > 2 and item.total.value > money.most > 0:
        return with_price(item, f"{digits[:-2]}{mark}{digits[-2:]}", mark)
    return item


def unsigned(slot: Slot) -> Slot:
    """The slot with prices that are not below zero."""
    usual = slot.usual
    return replace(slot, usual=positive(usual) if usual else None, others=tuple((positive(i) if i else None, c) for i, c in slot.others))


def positive(item: FoundItem) -> FoundItem:
    """The item with a price that is not below zero."""
    total = item.total
    text = total.printed.text.strip("-–—−~()")
    return item if total.value >= 0 else replace(item, total=replace(total, printed=replace(total.printed, text=text), value=-total.value))


def total_of(items: Iterable[FoundItem | None]) -> Decimal:
    """The sum of the prices; `None` counts nothing."""
    return sum((item.total.value for item in items if item is not None), Decimal(0))


def with_price(item: FoundItem, text: str, mark: DecimalMark | None) -> FoundItem:
    """The item with its price read as another text; what OCR saw is kept in `LabelledAmount.seen`."""
    total = item.total
    printed = replace(total.printed, text=text)
    return replace(item, total=replace(total, printed=printed, value=printed.value(mark), seen=total.seen or total.printed.text))


# Cost of leaving out a row that looks like an item.
DROP: Final = 4.0
DROP_DOUBTFUL: Final = 1.0
# Cost of leaving out all rows of a kind, such as every discount or every `Price:` below an item, or of counting all doubtful ones.
GROUP: Final = 2.0
CUT: Final = 3.0
# Cost of ending the items early, at a row that looks like an item or not.
CUT_AT_DOUBTFUL: Final = 1.5
# Costs from which on a sum that closes is more likely an accident.
BUDGET: Final = 5.0
_REPEATED: Final = 3
# Changes that are tried together, cheapest first.
_MANY: Final = 120


@dataclass(frozen=True)
class ItemSelection:
    """Items, what they cost to believe, and whether they add up."""

    items: tuple[FoundItem, ...]
    cost: float
    closes: bool


@dataclass(frozen=True)
class _Change:
    """One departure from the usual reading of the rows: by slot, what it is counted as instead."""

    instead: Mapping[int, FoundItem | None]
    cost: float
    delta: Decimal


def choose_items(slots: Sequence[Slot], targets: Mapping[Decimal, float]) -> ItemSelection:
    """The cheapest reading of the rows that adds up to one of the sums, or the usual one where none does.

    Args:
        targets: Printed sums, each with what it costs to believe that the items add up to it.
    """
    usual = {place: slot.usual for place, slot in enumerate(slots)}
    start = total_of(usual.values())
    changes = sorted((change for change in _changes(slots) if change.delta), key=lambda change: change.cost)[:_MANY]
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
    """At most three changes of different rows that make the difference, for the least cost within the budget."""
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
            if not _clash(one, last):
                yield one, last
        for two in changes[number + 1 :]:
            if one.cost + 2 * two.cost > BUDGET:
                break
            if not _clash(one, two):
                yield from ((one, two, last) for last in by_delta.get(need - one.delta - two.delta, ()) if not _clash_any(last, one, two))


def _clash(one: _Change, other: _Change) -> bool:
    return not one.instead.keys().isdisjoint(other.instead)


def _clash_any(one: _Change, *others: _Change) -> bool:
    return any(_clash(one, other) for other in others)


def _changes(slots: Sequence[Slot]) -> Iterator[_Change]:
    for place, slot in enumerate(slots):
        for item, cost in slot.others:
            yield _Change({place: item}, cost, total_of([item]) - total_of([slot.usual]))
        if slot.usual is not None and all(item is not None for item, _ in slot.others):
            yield _without(slots, [place], DROP_DOUBTFUL if slot.is_doubtful else DROP)
    for group in _groups(slots):
        yield _without(slots, group, GROUP)
    dashed = {place: positive(slot.usual) for place, slot in enumerate(slots) if slot.usual is not None and _is_dashed(slot.usual)}
    if dashed:
        yield _Change(dashed, GROUP, -2 * total_of(slots[place].usual for place in dashed))
    left_out = {place: slot.others[0][0] for place, slot in enumerate(slots) if slot.usual is None and slot.is_likely}
    if len(left_out) > 1:
        yield _Change(left_out, GROUP, total_of(left_out.values()))
    for place in range(1, len(slots)):
        yield _without(slots, range(place, len(slots)), CUT_AT_DOUBTFUL if slots[place].is_doubtful else CUT)


def _is_dashed(item: FoundItem) -> bool:
    """True for a price below zero that is labelled as no discount: the dash may only lead to it."""
    return item.total.value < 0 and Role.DISCOUNT not in item.total.roles


def _without(slots: Sequence[Slot], places: Iterable[int], cost: float) -> _Change:
    instead: dict[int, FoundItem | None] = dict.fromkeys(places)
    return _Change(instead, cost, -total_of(slots[place].usual for place in instead))


def _groups(slots: Sequence[Slot]) -> Iterator[list[int]]:
    """Rows that are items together or not at all: those with the same name, discounts, doubtful ones, those with a code alone."""
    named: dict[str, list[int]] = {}
    for place, slot in enumerate(slots):
        if slot.usual is not None:
            named.setdefault(slot.usual.description.casefold(), []).append(place)
    yield from (places for places in named.values() if len(places) >= _REPEATED)
    negative = [place for place, slot in enumerate(slots) if slot.usual is not None and slot.usual.total.value < 0]
    doubtful = [place for place, slot in enumerate(slots) if slot.usual is not None and slot.is_doubtful]
    nameless = [place for place, slot in enumerate(slots) if slot.usual is not None and not has_name(slot.usual.description)]
    yield from (places for places in (negative, doubtful, nameless) if len(places) > 1)
