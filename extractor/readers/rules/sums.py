"""Sums of amounts that match printed values: the arithmetic behind every choice among amounts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import combinations

from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import AmountRow, AmountRows, LabelledAmount

CENT = Decimal("0.01")
# Largest difference that rounding to coins makes: five cents in Malaysia, Canada, Australia and Switzerland.
CASH_STEP = Decimal("0.05")
# Amounts between subtotal and total that are tried in every combination.
MAX_ADDERS = 8
# Amounts side by side at most. A row with more is no row of a table, and their pairs would be too many to try.
MAX_COLUMNS = 8
# Roles of amounts that sum up others, or pay for them; the first of them ends the items.
SUMMED: frozenset[Role] = frozenset(
    {
        Role.GRAND,
        Role.TOTAL,
        Role.SUBTOTAL,
        Role.CASH,
        Role.CARD,
        Role.PAYMENT,
        Role.CHANGE,
        Role.TAX,
        Role.NET,
        Role.ROUNDING,
        Role.SERVICE,
    }
)
# Roles of amounts that lead from a subtotal to a total.
ADDERS: frozenset[Role] = frozenset({Role.TAX, Role.SERVICE, Role.TIP, Role.ROUNDING, Role.DISCOUNT, Role.DEPOSIT, Role.SAVINGS})


@dataclass(frozen=True)
class Sums:
    """Values that arithmetic on one receipt confirms. Every set holds values that some sum of printed amounts results in."""

    rows: AmountRows

    @cached_property
    def entries(self) -> tuple[LabelledAmount, ...]:
        return self.rows.entries

    @cached_property
    def first_sum(self) -> int:
        """Index of the first row below the first priced one that is labelled as a sum; the number of rows where there is none."""
        seen = False
        for row in self.rows:
            if row.entries:
                named = row.entries[-1].roles
                if seen and named & SUMMED:
                    return row.index
                seen = seen or not named & SUMMED or bool(named & {Role.DISCOUNT})
                if not seen and named & {Role.GRAND, Role.TOTAL, Role.SUBTOTAL} and row.entries[-1].value:
                    return row.index
        return len(self.rows.rows)

    @cached_property
    def items(self) -> frozenset[Decimal]:
        """Sums of the item prices, from the first priced row down to each possible last one."""
        sums, running = set(), Decimal(0)
        for row in self.rows:
            if row.index >= self.first_sum:
                break
            if row.last is not None and not row.roles & {Role.NOISE, Role.SAVINGS, Role.EXCHANGE}:
                running += row.last.value
                sums.add(running)
        return frozenset(sums)

    @cached_property
    def last_items(self) -> Decimal | None:
        """Sum of all item prices; `None` where there are none."""
        total = [row.last.value for row in self.rows if row.index < self.first_sum and row.last is not None]
        return sum(total, Decimal(0)) if len(total) > 0 else None

    @cached_property
    def paid(self) -> frozenset[Decimal]:
        """Cash tendered minus change, where at least one of them is labelled so and the change stands below."""
        return frozenset(self._differences(is_strict=False))

    @cached_property
    def paid_surely(self) -> frozenset[Decimal]:
        """Cash tendered minus change, where both are labelled."""
        return frozenset(self._differences(is_strict=True))

    def _differences(self, *, is_strict: bool) -> Iterable[Decimal]:
        changes = [e for e in self.entries if Role.CHANGE in e.roles]
        for change in changes:
            for cash in self.entries:
                labelled = bool(cash.roles & {Role.CASH, Role.CARD, Role.PAYMENT})
                near = -6 <= change.row - cash.row <= 8
                if cash is not change and near and (labelled or not is_strict) and abs(cash.value) > abs(change.value) > 0:
                    yield abs(cash.value) - abs(change.value)

    @cached_property
    def built(self) -> frozenset[Decimal]:
        """Subtotal plus or minus the taxes, charges, discounts and rounding printed below it, at least one of which is not zero."""
        found = set()
        for base in self.entries:
            if not base.roles & {Role.SUBTOTAL, Role.NET, Role.TOTAL} or not base.value:
                continue
            adders = [
                e for e in self.entries if base.row - 4 <= e.row <= base.row + 12 and e.roles & ADDERS and not e.roles & {Role.SUBTOTAL}
            ]
            found |= _reachable(base.value, tuple(adders[:MAX_ADDERS]))
        return frozenset(found)

    @cached_property
    def column(self) -> tuple[LabelledAmount, ...]:
        """The rightmost amount of every row, top to bottom."""
        return tuple(row.last for row in self.rows if row.last is not None)

    @cached_property
    def runs(self) -> dict[Decimal, int]:
        """Values that are the sum of the amounts directly above them, whatever their labels, with the number of amounts summed."""
        found: dict[Decimal, int] = {}
        for place, entry in enumerate(self.column):
            running = Decimal(0)
            for count, above in enumerate(reversed(self.column[:place]), 1):
                running += above.value
                if count > 1 and running == entry.value and above.value:
                    found[entry.value] = max(count, found.get(entry.value, 0))
        return found

    @cached_property
    def settled(self) -> frozenset[Decimal]:
        """Values that are the difference of two amounts below them, whatever their labels: tendered and change."""
        found = set()
        for entry in self.column:
            following = [below.value for row in self.rows.rows[entry.row + 1 : entry.row + 6] for below in row.entries[:MAX_COLUMNS]]
            if any(a - b == entry.value and b > 0 for a, b in combinations(following, 2)):
                found.add(entry.value)
        return frozenset(found)

    @cached_property
    def taxed(self) -> frozenset[Decimal]:
        """Net amount plus tax, side by side on one row of a tax table."""
        found = set()
        for row in self.rows:
            values = [entry.value for entry in row.entries[:MAX_COLUMNS] if entry.value > 0]
            for net, tax in combinations(values, 2):
                large, small = max(net, tax), min(net, tax)
                if small <= large * Decimal("0.3"):
                    found.add(large + small)
        return frozenset(found)

    @cached_property
    def table_total(self) -> Decimal | None:
        """Sum of all rows of a tax table with several rates."""
        sums = [sum((e.value for e in row.entries[:2]), Decimal(0)) for row in self.rows if _is_table_row(row)]
        return sum(sums, Decimal(0)) if len(sums) > 1 else None

    def bases(self, total: Decimal, tax: Decimal) -> tuple[LabelledAmount, ...]:
        """Return the printed amounts that become the total when the tax and any other printed charges are added; best labelled first."""
        if not tax and not self.extras:
            return ()
        offsets = _reachable(tax, self.extras) | {tax}
        found = [e for e in self.entries if e.value != total and any(abs(e.value + offset - total) <= self.slack for offset in offsets)]
        fitting = [
            e for e in found if not e.roles & {Role.CASH, Role.CHANGE, Role.CARD, Role.DISCOUNT, Role.SAVINGS} and abs(e.value) > abs(tax)
        ]
        return tuple(sorted(fitting, key=_base_rank))

    def leads(self, base: Decimal, total: Decimal, tax: Decimal) -> bool:
        """Return whether the tax and any other printed charges lead from a base to the total."""
        return any(offset and abs(base + offset - total) <= self.slack for offset in _reachable(tax, self.extras) | {tax})

    @cached_property
    def slack(self) -> Decimal:
        """Tolerance of a sum: a cent, or the rounding step where the receipt prints a rounding."""
        if not any(Role.ROUNDING in row.roles for row in self.rows):
            return CENT
        return CASH_STEP if self.rows.mark else Decimal(100)

    def base_merit(self, total: Decimal, tax: Decimal) -> float:
        """Return how strongly a printed base that leads to the total supports a tax."""
        if not tax:
            return 0.0
        bases = self.bases(total, tax)
        return (3.0 if bases[0].roles & {Role.SUBTOTAL, Role.NET, Role.TOTAL} else 1.5) if bases else 0.0

    @cached_property
    def extras(self) -> tuple[LabelledAmount, ...]:
        """Charges other than tax: service charge, tip, rounding, discounts below the items."""
        roles = {Role.SERVICE, Role.TIP, Role.ROUNDING, Role.DISCOUNT, Role.DEPOSIT}
        others = {Role.GRAND, Role.TOTAL, Role.SUBTOTAL, Role.TAX, Role.NOISE}
        found = [e for e in self.entries if e.roles & roles and not e.roles & others and e.value and e.row >= self.first_sum - 1]
        return tuple(found[:5])


def _base_rank(entry: LabelledAmount) -> tuple[int, int]:
    roles = entry.roles
    if Role.SUBTOTAL in roles:
        return 0, entry.index
    return (1 if roles & {Role.NET, Role.TOTAL} else 2), entry.index


def _is_table_row(row: AmountRow) -> bool:
    return len(row.entries) in (2, 3) and "%" in row.text and all(entry.value >= 0 for entry in row.entries)


def _reachable(base: Decimal, adders: Sequence[LabelledAmount]) -> set[Decimal]:
    reached = {base}
    for adder in adders:
        signs = (-abs(adder.value),) if adder.roles & {Role.DISCOUNT, Role.SAVINGS} else (adder.value,)
        reached |= {value + sign for value in reached for sign in signs if sign}
    reached.discard(base)
    return reached


def is_near(value: Decimal, values: Iterable[Decimal], tolerance: Decimal = CENT) -> bool:
    """Return whether `values` holds `value` within the tolerance."""
    return any(abs(value - other) <= tolerance for other in values)
