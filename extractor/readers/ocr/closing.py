"""The rows that are items, chosen so that they add up to a printed sum where that costs little belief."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from extractor.printed.keywords import Role
from extractor.readers.ocr.descriptions import says_something
from extractor.readers.ocr.slots import FoundItem, Slot, positive, total_of

DROP: Final = 4.0
"""Cost of leaving out a row that looks like an item."""
DROP_DOUBTFUL: Final = 1.0
GROUP: Final = 2.0
"""Cost of leaving out all rows of a kind, such as every discount or every `Price:` below an item, or of counting all doubtful ones."""
CUT: Final = 3.0
CUT_AT_DOUBTFUL: Final = 1.5
"""Cost of ending the items early, at a row that looks like an item or not."""
BUDGET: Final = 5.0
"""Costs from which on a sum that closes is more likely an accident."""
_REPEATED: Final = 3
_MANY: Final = 120
"""Changes that are tried together, cheapest first."""


@dataclass(frozen=True)
class Choice:
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


def choose_items(slots: Sequence[Slot], targets: Mapping[Decimal, float]) -> Choice:
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
    return Choice(items, best[0] if best else BUDGET, best is not None)


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
    nameless = [place for place, slot in enumerate(slots) if slot.usual is not None and not says_something(slot.usual.description)]
    yield from (places for places in (negative, doubtful, nameless) if len(places) > 1)
