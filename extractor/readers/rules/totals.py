"""The total: every printed value as a candidate, its features, the trained choice among them, and repairs of single misread digits."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np

from extractor.parsing.amounts import DecimalMark, find_amounts
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import AmountRows, LabelledAmount
from extractor.readers.rules.item_selection import FoundItem
from extractor.readers.rules.models import network
from extractor.readers.rules.sums import CASH_STEP, CENT, Sums, is_near

WEIGHTS: Final = "total.json"


@dataclass(frozen=True)
class Candidate:
    """One value that may be the total, with all positions where it is printed."""

    value: Decimal
    entries: tuple[LabelledAmount, ...]

    @cached_property
    def best(self) -> LabelledAmount:
        """The position with the strongest label: a grand total before a total, else the lowest labelled one."""
        return max(self.entries, key=lambda entry: (_label_strength(entry), -entry.index))


@dataclass(frozen=True)
class TotalChoice:
    """A candidate, its probability of being the total, and its confidence: the share of choices of that probability that are right."""

    candidate: Candidate
    probability: float
    confidence: float


def choose_total(rows: AmountRows, sums: Sums) -> tuple[TotalChoice, ...]:
    """Return the candidates with their probabilities, likeliest first; empty where no amount is printed."""
    candidates = find_candidates(rows)
    if not candidates:
        return ()
    model = network(WEIGHTS)
    probabilities = model.probabilities(features(rows, sums, candidates))
    ranked = sorted(zip(candidates, probabilities, strict=True), key=lambda pair: -pair[1])
    return tuple(TotalChoice(candidate, float(probability), model.confidence(float(probability))) for candidate, probability in ranked)


def find_candidates(rows: AmountRows) -> tuple[Candidate, ...]:
    """Return every printed value once, with its positions, in order of first appearance."""
    places: dict[Decimal, list[LabelledAmount]] = defaultdict(list)
    for entry in rows.entries:
        places[entry.value].append(entry)
    return tuple(Candidate(value, tuple(entries)) for value, entries in places.items())


def _label_strength(entry: LabelledAmount) -> int:
    roles = entry.roles
    if Role.GRAND in roles:
        return 4
    if Role.TOTAL in roles and not roles & {Role.CHANGE, Role.CASH, Role.TAX, Role.NET}:
        return 3
    return 2 if Role.TOTAL in roles else 1 if roles & {Role.CARD, Role.PAYMENT, Role.SUBTOTAL} else 0


# Roles in the order of their features.
ROLES: Final = tuple(Role)
# Roles beside which a total is still labelled as nothing else.
_CLEAN: Final = frozenset({Role.GRAND, Role.TOTAL, Role.GROSS, Role.HEADING, Role.CARD, Role.UNIT, Role.PAYMENT})


def features(rows: AmountRows, sums: Sums, candidates: Sequence[Candidate]) -> np.ndarray:
    """Return one row of features per candidate, columns as `feature_names`; numbers between -1 and about 3."""
    context = _context(rows, candidates)
    return np.array([list(_features(rows, sums, candidate, context).values()) for candidate in candidates], dtype=np.float64)


def feature_names(rows: AmountRows, sums: Sums, candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Return the name of each column of `features`."""
    return tuple(_features(rows, sums, candidates[0], _context(rows, candidates)))


@dataclass(frozen=True)
class _Context:
    """Properties of the whole receipt that every candidate is compared with, computed once.

    Attributes:
        sizes: The largest and the second largest amount without sign; the same twice where all are one.
        totals: Amounts labelled as a total, in print order.
        span: First and last row with an amount.
        payments: Amounts labelled as paid.
        ascending: Every value once.
    """

    count: int
    sizes: tuple[Decimal, Decimal]
    totals: tuple[Decimal, ...]
    span: tuple[int, int]
    payments: frozenset[Decimal]
    ascending: tuple[Decimal, ...]


def _context(rows: AmountRows, candidates: Sequence[Candidate]) -> _Context:
    sizes = sorted({abs(candidate.value) for candidate in candidates})
    totals = [e.value for e in rows.entries if e.roles & {Role.TOTAL, Role.GRAND} and not e.roles & {Role.TAX, Role.CHANGE, Role.COUNT}]
    paid = [e.value for e in rows.entries if e.roles & {Role.CARD, Role.PAYMENT, Role.CASH} and not e.roles & {Role.TOTAL, Role.GRAND}]
    return _Context(
        count=len(candidates),
        sizes=(sizes[-1], sizes[-2:][0]),
        totals=tuple(totals),
        span=(rows.entries[0].row, rows.entries[-1].row),
        payments=frozenset(paid),
        ascending=tuple(sorted({candidate.value for candidate in candidates})),
    )


def _features(rows: AmountRows, sums: Sums, candidate: Candidate, context: _Context) -> dict[str, float]:
    value, entries = candidate.value, candidate.entries
    roles = [entry.roles for entry in entries]
    last_row = max(1, len(rows.rows) - 1)
    top, bottom = context.span
    best = candidate.best
    largest, second = context.sizes
    totals = context.totals
    found: dict[str, float] = {f"role_{role}": float(any(role in r for r in roles)) for role in ROLES}
    found |= {
        "clean_total": float(any(Role.TOTAL in r and r <= _CLEAN for r in roles)),
        "clean_grand": float(any(Role.GRAND in r and r <= _CLEAN for r in roles)),
        "own_label": float(any(r & {Role.TOTAL, Role.GRAND} and not e.is_adjacent for r, e in zip(roles, entries, strict=True))),
        "only_cash": float(all(r & {Role.CASH} and not r & {Role.TOTAL, Role.GRAND} for r in roles)),
        "only_change": float(all(Role.CHANGE in r for r in roles)),
        "only_tax": float(all(Role.TAX in r and not r & {Role.TOTAL, Role.GRAND} for r in roles)),
        "no_label": float(not any(roles)),
        "count_2": float(len(entries) == 2),
        "count_3": float(len(entries) > 2),
        "is_largest": float(abs(value) == largest),
        "is_second": float(context.count > 1 and abs(value) == second),
        "share_of_largest": float(abs(value) / largest) if largest else 0.0,
        "is_largest_total": float(bool(totals) and value == max(totals)),
        "is_last_total": float(bool(totals) and value == totals[-1]),
        "is_first_total": float(bool(totals) and value == totals[0]),
        "height": min(3.0, best.box.height / max(1.0, rows.text_height)),
        "position": best.row / last_row,
        "position_in_amounts": (best.row - top) / max(1, bottom - top),
        "below_items": float(best.row >= sums.first_sum),
        "at_first_sum": float(best.row == sums.first_sum),
        "is_zero": float(value == 0),
        "is_negative": float(value < 0),
        "has_cents": float(best.printed.decimals == 2),
        "has_mark": float(bool(best.printed.mark)),
        "is_last": float(best.is_last),
        "alone": float(len(rows.rows[best.row].entries) == 1),
        "confidence": best.confidence,
    }
    return found | _arithmetic(rows, sums, candidate, context)


def _arithmetic(rows: AmountRows, sums: Sums, candidate: Candidate, context: _Context) -> dict[str, float]:
    value, best = candidate.value, candidate.best
    below = rows.rows[best.row + 1 : best.row + 4]
    return {
        "paid_surely": float(value in sums.paid_surely),
        "paid": float(value in sums.paid),
        "settled": float(value > 0 and value in sums.settled),
        "run_of_2": float(sums.runs.get(value) == 2),
        "run_of_3": float(sums.runs.get(value, 0) > 2),
        "paid_rounded": float(is_near(value, sums.paid_surely, CASH_STEP)),
        "built": float(is_near(value, sums.built, CENT)),
        "taxed": float(is_near(value, sums.taxed, CENT * 2)),
        "table": float(sums.table_total is not None and is_near(value, [sums.table_total], CENT * 2)),
        "items": float(sums.last_items is not None and is_near(value, [sums.last_items], CENT)),
        "some_items": float(is_near(value, sums.items, CENT)),
        "is_payment": float(value in context.payments),
        "above_payment": float(any(row.roles & {Role.CASH, Role.CARD, Role.PAYMENT} for row in below)),
        "above_change": float(any(row.roles & {Role.CHANGE} for row in below)),
        "has_rounded_twin": float(_has_rounded_twin(value, context.ascending)),
    }


def _has_rounded_twin(value: Decimal, ascending: Sequence[Decimal]) -> bool:
    """Return whether another value differs by no more than rounding to coins."""
    place = bisect_left(ascending, value)
    beside = (*ascending[max(0, place - 1) : place], *ascending[place + 1 : place + 2])
    return any(0 < abs(value - other) < CASH_STEP for other in beside)


# Pairs of digits that small OCR models confuse in faint or low print.
CONFUSED: Final = frozenset("08 06 09 68 89 38 56 58 35 17 14 49 27 39 59".split())
# Probability from which another candidate contests the likeliest one.
_RIVAL_PROBABILITY: Final = 0.1
# Roles beside which an amount labelled as total is none.
_NO_TOTALS: Final = frozenset({Role.TAX, Role.COUNT, Role.CHANGE, Role.SUBTOTAL})


def is_contested(choices: Sequence[TotalChoice], mark: DecimalMark | None) -> bool:
    """Return whether another amount labelled as a total differs from the likeliest one by a single confusable digit.

    One of the two is misread then. Totals that are printed before and after rounding to coins differ by less.
    """
    best, *rivals = choices
    value = best.candidate.value
    return any(
        rival.probability >= _RIVAL_PROBABILITY
        and abs(rival.candidate.value - value) > CASH_STEP
        and with_value(rival.candidate.best, value, mark) is not None
        and any(entry.roles & {Role.GRAND, Role.TOTAL} and not entry.roles & _NO_TOTALS for entry in rival.candidate.entries)
        for rival in rivals
    )


def is_unread(best: TotalChoice, rows: AmountRows) -> bool:
    """Return whether a row below the likeliest total is labelled as one, and it is not, but parses to no amount: `TOTAL 40 1`."""
    if any(entry.roles & {Role.GRAND, Role.TOTAL} for entry in best.candidate.entries):
        return False
    return any(
        row.index > best.candidate.best.row
        and row.roles & {Role.GRAND, Role.TOTAL}
        and not row.roles & _NO_TOTALS
        and not row.entries
        and any(character.isdigit() for character in row.text)
        for row in rows
    )


def repair_subtotal(
    subtotal: LabelledAmount, items: Sequence[FoundItem], leads: Callable[[Decimal], bool], mark: DecimalMark | None
) -> LabelledAmount:
    """Return the subtotal, repaired where the items add up to a value that differs by one confusable digit and leads to the total.

    Args:
        leads: Returns whether taxes and charges lead from a subtotal to the total.
    """
    if leads(subtotal.value) or not items:
        return subtotal
    value = _sum(items)
    if not leads(value):
        return subtotal
    return with_value(subtotal, value, mark) or subtotal


def repair_items(items: Sequence[FoundItem], proven: Sequence[Decimal], mark: DecimalMark | None) -> tuple[FoundItem, ...]:
    """Return the items, repaired where one change makes them add up to a proven sum: the minus sign of discounts, or one digit.

    Nothing is changed where they add up already, or where two prices could be at fault.

    Args:
        proven: Subtotal or total, where other sums prove them.
    """
    listed = tuple(items)
    if len(listed) < 2 or _sum(listed) in proven:
        return listed
    signed = tuple(_negated(item) if Role.DISCOUNT in item.total.roles and item.total.value > 0 else item for item in listed)
    if signed != listed and _sum(signed) in proven:
        return signed
    possible = [
        (*listed[:place], replace(item, total=entry), *listed[place + 1 :])
        for target in proven
        for place, item in enumerate(listed)
        if (entry := with_value(item.total, item.total.value + target - _sum(listed), mark)) is not None
    ]
    return possible[0] if len(possible) == 1 else listed


def with_value(entry: LabelledAmount, value: Decimal, mark: DecimalMark | None) -> LabelledAmount | None:
    """Return the amount with one digit replaced by a confusable one, so that it has the given value; `None` where that is not possible.

    The text that OCR returned is kept in `LabelledAmount.seen`.
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


def _sum(items: Sequence[FoundItem]) -> Decimal:
    return sum((item.total.value for item in items), Decimal(0))


def _negated(item: FoundItem) -> FoundItem:
    printed = item.total.printed
    total = replace(item.total, printed=replace(printed, text=f"-{printed.text}"), value=-item.total.value, seen=printed.text)
    return replace(item, total=total)
