"""The taxes: single lines and tax tables, each with rate, net amount and tax where they are printed, and their sum."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations, permutations
from typing import Final

from extractor.printed.amounts import find_percentages
from extractor.printed.keywords import Role
from extractor.readers.ocr.rows import Entry, Row, Rows

CENT: Final = Decimal("0.01")
_NEAR: Final = Decimal("0.02")
_TABLE_REACH: Final = 6
"""Rows below a heading that may belong to its table."""
_MAX_RATE: Final = Decimal(40)
_CODE: Final = re.compile(r"^\W*([A-Z]{1,3}\d?|\d)(?=[\s=:.)*%@\t]|\d|$)")


@dataclass(frozen=True)
class TaxFigure:
    """One printed tax: its row, what it says, and the amounts on it."""

    row: Row
    rate: Decimal | None
    net: Entry | None
    amount: Entry
    is_table: bool
    is_proven: bool

    @property
    def code(self) -> str | None:
        match = _CODE.match(self.row.text) if self.is_table else None
        return match[1] if match else None


@dataclass(frozen=True)
class Taxes:
    """All taxes of a receipt.

    Attributes:
        lines: One a rate; a tax that is printed twice is there once.
        total: The sum of all taxes, or `None` where no tax is printed.
        source: Where the sum, or the only tax, is printed; `None` where the sum is not printed.
    """

    lines: tuple[TaxFigure, ...]
    total: Decimal | None
    source: Entry | None
    is_proven: bool


def find_taxes(rows: Rows, total: Decimal | None) -> Taxes:
    """Every printed tax, and the sum that fits the rest of the receipt best.

    Args:
        total: The receipt's total, which decides between a tax of one rate and the sum over all.
    """
    figures = [*_table_figures(rows), *_single_figures(rows)]
    if not figures:
        return Taxes((), None, None, is_proven=False)
    tables = _distinct(figure for figure in figures if figure.is_table)
    singles = _distinct(figure for figure in figures if not figure.is_table)
    return max(_options(rows, tables, singles, figures), key=lambda option: _merit(rows, option, total, figures))


def _single_figures(rows: Rows) -> list[TaxFigure]:
    found = []
    for row in rows:
        named = [entry for entry in row.entries if _is_tax(entry)]
        if not named or _in_table(rows, row):
            continue
        rates = [rate for rate in find_percentages(row.text) if rate <= _MAX_RATE]
        found.append(TaxFigure(row, rates[0] if rates else None, None, named[-1], is_table=False, is_proven=False))
    return found


def _is_tax(entry: Entry) -> bool:
    roles = entry.roles
    return Role.TAX in roles and not roles & {Role.GRAND, Role.SUBTOTAL, Role.NET, Role.NOISE, Role.CHANGE, Role.CASH}


def _in_table(rows: Rows, row: Row) -> bool:
    return any(figure.row is row for figure in _table_figures(rows))


def _table_figures(rows: Rows) -> list[TaxFigure]:
    figures: list[TaxFigure] = []
    heading = None
    for row in rows:
        if _is_heading(row):
            heading = row.index
        if len(row.entries) < 2:
            continue
        under = heading is not None and row.index - heading <= _TABLE_REACH
        if figure := _figure(row, is_under_heading=under):
            figures.append(figure)
            heading = row.index if under else heading
    return _without_sums(figures)


def _is_heading(row: Row) -> bool:
    return Role.TAX in row.roles and len(row.entries) == 0


def _figure(row: Row, *, is_under_heading: bool) -> TaxFigure | None:
    """Net and tax of one table row: proven by its rate, or by net + tax = gross, or by its place under a heading of tax columns."""
    entries = [entry for entry in row.entries if entry.value >= 0]
    rates = [rate for rate in find_percentages(row.text) if 0 <= rate <= _MAX_RATE]
    is_named = Role.TAX in row.roles
    options: list[tuple[int, TaxFigure]] = []
    for net, tax in permutations(entries, 2):
        if tax.value > net.value * _MAX_RATE / 100:
            continue
        listed = rates or [
            entry.value
            for entry in entries
            if entry not in (net, tax) and 0 < entry.value <= 30 and entry.index < max(net.index, tax.index)
        ]
        for rate in listed:
            expected, inside = net.value * rate / 100, net.value * rate / (100 + rate)
            if abs(expected - tax.value) <= _NEAR:
                options.append((3 if tax.value else 1, TaxFigure(row, rate, net, tax, is_table=True, is_proven=True)))
            elif abs(inside - tax.value) <= _NEAR and tax.value:
                options.append((2, TaxFigure(row, rate, None, tax, is_table=True, is_proven=True)))
        if (is_under_heading or is_named) and any(
            abs(net.value + tax.value - gross.value) <= CENT for gross in entries if gross not in (net, tax)
        ):
            options.append((2, TaxFigure(row, rates[0] if rates else None, net, tax, is_table=True, is_proven=bool(tax.value))))
    if options and (is_under_heading or is_named or rates):
        return max(options, key=lambda option: option[0])[1]
    if is_under_heading and len(entries) == 2:
        net, tax = entries if entries[0].value >= entries[1].value else entries[::-1]
        if tax.value <= net.value * _MAX_RATE / 100 and not row.roles & {Role.CASH, Role.CHANGE, Role.CARD}:
            return TaxFigure(row, rates[0] if rates else None, net, tax, is_table=True, is_proven=False)
    return None


def _without_sums(figures: Sequence[TaxFigure]) -> list[TaxFigure]:
    """The table's rows without the one that sums up the others."""
    for figure in figures:
        others = [other for other in figures if other is not figure]
        if len(others) > 1 and Role.TOTAL in figure.row.roles and figure.amount.value == sum(o.amount.value for o in others):
            return others
        if len(others) == 1 and Role.TOTAL in figure.row.roles and figure.amount.value == others[0].amount.value and figure.rate is None:
            return others
    return list(figures)


def _distinct(figures: Iterable[TaxFigure]) -> list[TaxFigure]:
    kept: dict[tuple[Decimal | None, Decimal, str], TaxFigure] = {}
    for figure in figures:
        name = figure.code or "" if figure.is_table else re.sub(r"[\W\d]", "", figure.amount.label).casefold()
        kept.setdefault((figure.rate, figure.amount.value, name), figure)
    return list(kept.values())


def _options(rows: Rows, tables: list[TaxFigure], singles: list[TaxFigure], figures: list[TaxFigure]) -> list[Taxes]:
    options = []
    printed = {entry.value: entry for entry in rows.entries if Role.TAX in entry.roles}
    for figure in figures:
        lines = tuple(tables) if tables and sum(f.amount.value for f in tables) == figure.amount.value else (figure,)
        options.append(Taxes(lines, figure.amount.value, figure.amount, is_proven=figure.is_proven))
    groups = [tables, singles] if len(singles) <= 6 else [tables]
    for group in groups:
        sizes = range(2, len(group) + 1) if len(group) <= 6 else [len(group)]
        for size in sizes:
            for chosen in combinations(group, size):
                value = sum((figure.amount.value for figure in chosen), Decimal(0))
                proven = all(figure.is_proven for figure in chosen)
                options.append(Taxes(tuple(chosen), value, printed.get(value), is_proven=proven))
    return options


def _merit(rows: Rows, option: Taxes, total: Decimal | None, figures: list[TaxFigure]) -> tuple[float, float]:
    """How well a sum of taxes fits: with the total, with the printed bases, with what is printed as the sum."""
    value = option.total or Decimal(0)
    tables = [figure for figure in figures if figure.is_table]
    merit = 0.0
    if total is not None:
        bases = {entry.value for entry in rows.entries if entry.roles & {Role.SUBTOTAL, Role.NET, Role.TOTAL} and entry.value != total}
        merit += 3.0 * (bool(value) and any(abs(base + value - total) <= _NEAR for base in bases))
        nets = sum((figure.net.value for figure in option.lines if figure.net), Decimal(0))
        merit += 2.0 * (nets > 0 and abs(nets + value - total) <= 2 * _NEAR)
        merit -= 3.0 * (abs(value) > abs(total) * Decimal("0.4"))
        rates = [figure.rate for figure in option.lines if figure.rate]
        if len(option.lines) == 1 and rates:
            merit += 1.0 * (abs(total * rates[0] / (100 + rates[0]) - value) <= _NEAR)
            merit += 0.5 * (abs(total * rates[0] / 100 - value) <= _NEAR)
    merit += 1.0 * (len(tables) > 1 and value == sum(figure.amount.value for figure in tables))
    merit += 0.7 * option.is_proven
    merit += 0.5 * min(3, sum(figure.amount.value == value for figure in figures))
    merit += 0.3 * (option.source is not None)
    merit += 0.2 * (value > 0)
    return merit, -float(len(option.lines))


def with_rate(figure: TaxFigure, rate: Decimal) -> TaxFigure:
    """The same tax with a rate."""
    return replace(figure, rate=rate)
