"""The taxes: single lines and rows of tax tables, each with rate, net amount and tax where they are printed, and their sum."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, permutations
from typing import Final

from extractor.parsing.digits import find_percentages
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import AmountRow, AmountRows, LabelledAmount, loose_price
from extractor.readers.rules.sums import MAX_COLUMNS, SUMMED, Sums

CENT: Final = Decimal("0.01")
# What a tax computed from its rate may differ by from the printed one.
_ROUNDING: Final = Decimal("0.02")
# Rows below a heading that may belong to its table.
_TABLE_REACH: Final = 6
# No consumption tax is higher, in percent.
_MAX_RATE: Final = Decimal(40)
# Taxes whose sums are tried in every combination.
_MAX_COMBINED: Final = 6
# Rows between a sum and the tax that leads from it to the total.
_BASE_REACH: Final = 3
# Letters of a label without meaning, such as a currency.
_BARE_LETTERS: Final = 3
# The letter or digit at the beginning of a row of a tax table that items refer to.
_CODE: Final = re.compile(r"^\W*([A-Z]{1,3}\d?|[А-ЯЂЈЉЊЋЏΑ-Ω]|\d)(?=[\s=:.)*%@\t]|\d|$)")


@dataclass(frozen=True)
class TaxFigure:
    """One printed tax with its rate, net amount and gross amount where they are printed.

    Attributes:
        is_table: True for a row of a tax table.
        is_proven: True where the amounts of the row confirm each other.
    """

    row: AmountRow
    rate: Decimal | None
    net: LabelledAmount | None
    amount: LabelledAmount
    is_table: bool
    is_proven: bool
    gross: LabelledAmount | None = None

    @property
    def base(self) -> Decimal | None:
        """The net amount, printed or derived from the gross amount."""
        if self.net is not None:
            return self.net.value
        return self.gross.value - self.amount.value if self.gross is not None else None

    @property
    def code(self) -> str | None:
        match = _CODE.match(self.row.text) if self.is_table else None
        return match[1] if match else None


@dataclass(frozen=True)
class Taxes:
    """All taxes of a receipt.

    Attributes:
        lines: One per rate; a tax that is printed twice occurs once.
        total: The sum of all taxes, or `None` where no tax is printed.
        source: Where the sum, or the only tax, is printed; `None` where the sum is not printed.
    """

    lines: tuple[TaxFigure, ...]
    total: Decimal | None
    source: LabelledAmount | None


def find_taxes(rows: AmountRows, sums: Sums, total: Decimal | None) -> Taxes:
    """Return every printed tax, and the sum that fits the rest of the receipt best.

    Args:
        total: The receipt's total, which decides between a tax of one rate and the sum over all.
    """
    tables = _table_figures(rows, total)
    singles = _single_figures(rows, {figure.row.index for figure in tables})
    figures = [figure for figure in (*tables, *singles) if _is_possible(figure, total)]
    options = _options(rows, figures) + _unlabelled_taxes(rows, sums, total)
    if not options:
        return Taxes((), None, None)
    return max(options, key=lambda option: _merit(sums, option, total, figures))


def _is_possible(figure: TaxFigure, total: Decimal | None) -> bool:
    return total is None or not total or abs(figure.amount.value) <= abs(total) * _MAX_RATE / 100


def _single_figures(rows: AmountRows, in_tables: set[int]) -> list[TaxFigure]:
    """Return the amounts labelled as tax outside tables."""
    found = []
    for row in rows:
        named = [entry for entry in row.entries if _is_tax(entry)]
        if row.index not in in_tables:
            rates = [rate for rate in find_percentages(row.text) if rate <= _MAX_RATE]
            found += [TaxFigure(row, rates[0] if rates else None, None, entry, is_table=False, is_proven=False) for entry in named]
    return found


def _is_tax(entry: LabelledAmount) -> bool:
    return Role.TAX in entry.roles and not entry.roles & {Role.GRAND, Role.SUBTOTAL, Role.NOISE, Role.CHANGE, Role.CASH}


def _table_figures(rows: AmountRows, total: Decimal | None) -> list[TaxFigure]:
    figures: list[TaxFigure] = []
    heading = None
    for row in rows:
        if _is_heading(row):
            heading = row.index
        if not 2 <= len(row.entries) <= MAX_COLUMNS:
            continue
        is_under = heading is not None and row.index - heading <= _TABLE_REACH
        if figure := _table_figure(row, total, is_under_heading=is_under):
            figures.append(figure)
            heading = row.index if is_under else heading
    return _without_sums(figures)


def _is_heading(row: AmountRow) -> bool:
    """Return whether a row is the heading of tax columns, such as `GST Summary  Amount  Tax`."""
    columns = row.text.count("\t") > 0 or bool(row.roles & {Role.NET, Role.GROSS, Role.TOTAL, Role.HEADING})
    return Role.TAX in row.roles and Role.NOISE not in row.roles and not row.entries and columns


def _table_figure(row: AmountRow, total: Decimal | None, *, is_under_heading: bool) -> TaxFigure | None:
    """Return net and tax of a row, confirmed by its rate, by net + tax = gross, or by its place under a heading of tax columns."""
    if row.roles & {Role.CASH, Role.CHANGE, Role.CARD} and not row.roles & {Role.TAX}:
        return None
    entries = [entry for entry in row.entries if entry.value >= 0]
    rates = [rate for rate in find_percentages(row.text) if 0 <= rate <= _MAX_RATE]
    is_named = is_under_heading or Role.TAX in row.roles
    near = _ROUNDING if any(entry.printed.decimals == 2 for entry in entries) else Decimal(1)
    found: list[tuple[int, TaxFigure]] = []
    for net, tax in permutations(entries, 2):
        if tax.value > net.value * _MAX_RATE / 100:
            continue
        others = [entry for entry in entries if entry not in (net, tax)]
        for rate in rates or [entry.value for entry in others if 0 < entry.value <= 30 and entry.index < max(net.index, tax.index)]:
            if abs(net.value * rate / 100 - tax.value) <= near and (is_named or rates):
                found.append((3 if tax.value else 1, TaxFigure(row, rate, net, tax, is_table=True, is_proven=True)))
            elif abs(net.value * rate / (100 + rate) - tax.value) <= near and tax.value and (is_named or rates):
                found.append((2, TaxFigure(row, rate, None, tax, is_table=True, is_proven=True, gross=net)))
        if any(abs(net.value + tax.value - gross.value) <= CENT and (is_named or gross.value == total) for gross in others):
            found.append((2, TaxFigure(row, rates[0] if rates else None, net, tax, is_table=True, is_proven=bool(tax.value))))
    if found:
        return max(found, key=lambda option: option[0])[1]
    if is_under_heading and len(entries) == 2:
        net, tax = entries if entries[0].value >= entries[1].value else entries[::-1]
        if tax.value <= net.value * _MAX_RATE / 100:
            return TaxFigure(row, rates[0] if rates else None, net, tax, is_table=True, is_proven=False)
    return None


def _without_sums(figures: Sequence[TaxFigure]) -> list[TaxFigure]:
    """Return the table's rows without the one that sums up the others."""
    for figure in figures:
        others = [other for other in figures if other is not figure]
        is_sum = figure.row.roles & {Role.TOTAL, Role.GRAND, Role.SUBTOTAL} and figure.rate is None
        if others and is_sum and figure.amount.value == sum(other.amount.value for other in others):
            return others
    return list(figures)


def _distinct(figures: Iterable[TaxFigure]) -> list[TaxFigure]:
    kept: dict[tuple[Decimal | None, Decimal, str], TaxFigure] = {}
    for figure in figures:
        name = figure.code or "" if figure.is_table else re.sub(r"[\W\d]", "", figure.amount.label).casefold()
        kept.setdefault((figure.rate, figure.amount.value, name), figure)
    return list(kept.values())


def _options(rows: AmountRows, figures: Sequence[TaxFigure]) -> list[Taxes]:
    """Return each printed tax alone, and the sums over several."""
    tables = _distinct(figure for figure in figures if figure.is_table)
    singles = _distinct(figure for figure in figures if not figure.is_table)
    printed = {entry.value: entry for entry in rows.entries if entry.roles & {Role.TAX, Role.TOTAL, Role.GRAND}}
    options = [Taxes((figure,), figure.amount.value, figure.amount) for figure in figures]
    for group in (tables, singles):
        sizes = range(2, len(group) + 1) if len(group) <= _MAX_COMBINED else [len(group)]
        for size in sizes:
            for chosen in combinations(group, size):
                value = sum((figure.amount.value for figure in chosen), Decimal(0))
                options.append(Taxes(tuple(chosen), value, printed.get(value)))
    return options


def _unlabelled_taxes(rows: AmountRows, sums: Sums, total: Decimal | None) -> list[Taxes]:
    """Return printed amounts that lead from a labelled subtotal or net sum to the total, unless labelled as something else."""
    if total is None:
        return []
    is_named = any(Role.TAX in row.roles for row in rows)
    bases = [entry for entry in rows.entries if entry.roles & {Role.SUBTOTAL, Role.NET} and 0 <= entry.value < total]
    found = []
    for base in bases:
        near = rows.rows[max(0, base.row - _BASE_REACH) : base.row + _BASE_REACH + 1]
        beside = [entry for row in near for entry in (*row.entries, *_loose_taxes(row, rows, total)) if base.value + entry.value == total]
        found += [entry for entry in beside if _may_be_tax(entry, base, rows.rows[entry.row])]
        if is_named and Role.SUBTOTAL in base.roles:
            free = [entry for entry in rows.entries if entry.row >= sums.first_sum - 2 and not entry.roles & SUMMED - {Role.TAX}]
            found += [entry for entry in free if base.value + entry.value == total]
    return [Taxes((TaxFigure(rows.rows[e.row], None, None, e, is_table=False, is_proven=False),), e.value, e) for e in found]


def _loose_taxes(row: AmountRow, rows: AmountRows, total: Decimal) -> list[LabelledAmount]:
    """Return the tax that lost its decimal mark on a row that names it, as in `7% TAX  70`."""
    if rows.mark is None or row.entries or Role.TAX not in row.roles:
        return []
    price = loose_price(row, row.box.right, rows.mark, total)
    return [price] if price is not None else []


def _may_be_tax(entry: LabelledAmount, base: LabelledAmount, row: AmountRow) -> bool:
    """Return whether an amount between a base and the total has no label, or only a rate, or its base is a net sum."""
    if entry.roles & (SUMMED | {Role.TIP, Role.DISCOUNT}) - {Role.TAX} or entry.value * 100 > base.value * _MAX_RATE:
        return False
    is_bare = sum(character.isalpha() for character in entry.label) <= _BARE_LETTERS
    return is_bare or Role.NET in base.roles or bool(find_percentages(row.text)) or bool(entry.seen)


def _merit(sums: Sums, option: Taxes, total: Decimal | None, figures: Sequence[TaxFigure]) -> tuple[float, float]:
    """Score how well a sum of taxes fits the total, the printed bases and the other printed taxes."""
    value = option.total or Decimal(0)
    merit = 0.7 * all(figure.is_proven for figure in option.lines)
    merit += 0.5 * min(3, sum(figure.amount.value == value for figure in figures))
    merit += 0.3 * (option.source is not None) + 0.2 * (value > 0)
    merit -= 1.0 * any(Role.NET in figure.amount.roles for figure in option.lines)
    merit -= 0.2 * any(not figure.amount.is_last for figure in option.lines if not figure.is_table)
    merit -= 1.0 * any(figure.amount.printed.decimals > 2 for figure in option.lines)
    merit += 1.5 * (len(option.lines) == 1 and _is_sum_of_others(value, figures)) + 1.5 * _belong_together(option.lines)
    if total is not None:
        is_net = any(Role.NET in figure.amount.roles for figure in option.lines)
        merit += 0.0 if is_net else sums.base_merit(total, value)
        nets = sum((figure.base or Decimal(0) for figure in option.lines), Decimal(0))
        merit += 2.0 * (nets > 0 and abs(nets + value - total) <= 2 * _ROUNDING)
        merit -= 3.0 * (not _is_plausible(value, total))
        rates = [figure.rate for figure in option.lines if figure.rate]
        if len(option.lines) == 1 and rates:
            merit += 1.0 * (abs(total * rates[0] / (100 + rates[0]) - value) <= _ROUNDING)
            merit += 0.5 * (abs(total * rates[0] / 100 - value) <= _ROUNDING)
    return merit, -float(len(option.lines))


def _belong_together(lines: Sequence[TaxFigure]) -> bool:
    """Return whether taxes belong together: one per rate, or the same amount under two names, as CGST and SGST."""
    rates = [line.rate for line in lines]
    if len(lines) < 2 or None in rates:
        return False
    names = {re.sub(r"[\W\d]", "", line.amount.label).casefold() for line in lines}
    is_split = len(lines) == 2 and lines[0].amount.value == lines[1].amount.value and not any(line.is_table for line in lines)
    return len(set(rates)) == len(rates) or (is_split and len(names) == 2 and all(name.endswith("gst") for name in names))


def _is_plausible(value: Decimal, total: Decimal) -> bool:
    return abs(value) <= abs(total) * _MAX_RATE / 100


def _is_sum_of_others(value: Decimal, figures: Sequence[TaxFigure]) -> bool:
    """Return whether a value is what two or more of the other printed taxes add up to."""
    for group in ([f for f in figures if f.is_table], [f for f in figures if not f.is_table]):
        others = [figure.amount.value for figure in _distinct(group) if figure.amount.value not in (value, 0)]
        if len(others) > 1 and any(sum(chosen) == value for size in (2, 3) for chosen in combinations(others[:_MAX_COMBINED], size)):
            return True
    return False
