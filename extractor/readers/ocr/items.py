"""The line items: which rows sell something, what it is called, how many, and what it cost."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations
from typing import Final

from extractor.ocr.interface import Box
from extractor.printed import currencies
from extractor.printed.keywords import Role
from extractor.readers.ocr.descriptions import QUANTITY, WEIGHT, describe, says_something
from extractor.readers.ocr.rows import Entry, Row, Rows

_ENDS: Final = frozenset({Role.SUBTOTAL, Role.TOTAL, Role.GRAND, Role.CASH, Role.CHANGE})
_NEVER: Final = frozenset({Role.SAVINGS, Role.EXCHANGE, Role.CHANGE, Role.TAX, Role.GRAND})
_DOUBTFUL: Final = frozenset(
    {Role.NOISE, Role.SUBTOTAL, Role.TOTAL, Role.COUNT, Role.NET, Role.CASH, Role.CARD, Role.SERVICE, Role.TIP, Role.ROUNDING}
)
"""Labels of rows that are items only where the sum needs them."""
_FACTS: Final = re.compile(r"[:：#№]\s*\d|\d[./-]\d{1,2}[./-]\d|\d[:：]\d\d|www\.|@\w")
"""Numbers with a name, dates, times and addresses of the net: what no item is called."""
_BETWEEN: Final = re.compile(
    rf"[\W\dxX]*(?:{'|'.join(currencies.CODES)}|[^\W\d]{{2,3}}\.?|(?:[^\W\d]{{1,3}}\.?)?/\w+)?[\W\dxX]*", re.IGNORECASE
)
"""What may stand between a unit price and the price."""
_BARCODE: Final = 8
"""Digits of the shortest barcode."""
_NEAR: Final = Decimal("0.02")
_REACH: Final = 3
"""Rows between a name and its price at most."""
_MANY: Final = 8
_MAX_DROPPED: Final = 2
"""Doubtful rows that are left out to make the items add up."""


@dataclass(frozen=True)
class FoundItem:
    """One line item with its amounts' places."""

    description: str
    total: Entry
    box: Box
    row: int
    quantity: str | None = None
    unit: str | None = None
    unit_price: Entry | None = None
    product_code: str | None = None


@dataclass
class _Pending:
    """What rows without a price said of the next item."""

    names: list[Row] = field(default_factory=list)
    quantity: str | None = None
    unit: str | None = None
    unit_price: Entry | None = None


def find_items(rows: Rows, sums: Iterable[Entry]) -> tuple[FoundItem, ...]:
    """The line items in print order.

    Args:
        sums: Subtotal and total as far as they are known: the items end above them, and should add up to one of them.
    """
    known = tuple(sums)
    targets = {entry.value for entry in known}
    first = next((row.index for row in rows if row.last is not None and not row.last.roles & (_NEVER | {Role.NOISE})), None)
    if first is None or any(entry.row < first for entry in known):
        return ()
    labelled = [row.index for row in rows if row.last is not None and row.index > first and _is_end(row.last)]
    ends = [min(labelled, default=len(rows.rows)), *(entry.row for entry in known if entry.row > first)]
    tried = [_fitting(_collect(_region(rows, first, end)), targets) for end in dict.fromkeys(sorted(ends))]
    return next((items for items in tried if items and _sum(items) in targets), tried[0])


def _region(rows: Rows, first: int, end: int) -> Sequence[Row]:
    """The rows from below the heading of the columns down to a sum."""
    late = [row.index for row in rows if row.last is not None and row.index >= first][_MAX_DROPPED : _MAX_DROPPED + 1]
    headings = [row.index for row in rows.rows[: min([end, *late])] if _is_heading(row)]
    return rows.rows[max(headings, default=-1) + 1 : end]


def _is_end(entry: Entry) -> bool:
    return bool(entry.roles & _ENDS) and not entry.roles & {Role.COUNT, Role.DISCOUNT, Role.NOISE, Role.HEADING, Role.SAVINGS}


def _is_heading(row: Row) -> bool:
    return not row.entries and Role.HEADING in row.roles and (len(row.roles) > 1 or row.text.count("\t") > 0)


def _collect(region: Sequence[Row]) -> list[FoundItem]:
    prices = [row.last for row in region if row.last is not None]
    if not prices:
        return []
    edge = _price_column(prices)
    names_below = _names_stand_below(region, edge)
    items: list[FoundItem] = []
    pending = _Pending()
    for place, row in enumerate(region):
        price = row.last
        if price is None:
            _note_text(row, pending)
        elif _is_factor_row(row, edge):
            _note_factor(row, pending, items)
        elif price.box.right >= edge and not price.roles & _NEVER:
            below = region[place + 1 : place + 2] if names_below else []
            if item := _item(row, price, pending, below):
                items.append(item)
            pending = _Pending()
    return items


def _price_column(prices: Sequence[Entry]) -> float:
    """How far right the right edge of a price is at least, in pixels."""
    rights = sorted(entry.box.right for entry in prices)
    usual = rights[(3 * len(rights)) // 4]
    return usual - 1.5 * max(entry.box.width for entry in prices)


def _names_stand_below(region: Sequence[Row], edge: float) -> bool:
    """True where prices without a name are followed by names rather than preceded by them."""
    above = below = before_first = 0
    for place, row in enumerate(region):
        before_first += row.last is None and not any(other.entries for other in region[:place])
        if row.last is None or row.last.box.right < edge or _is_factor_row(row, edge) or not _is_nameless(row):
            continue
        above += place > 0 and _is_name(region[place - 1])
        below += place + 1 < len(region) and _is_name(region[place + 1])
    return below > above or (below == above > 0 and before_first > 3)


def _is_nameless(row: Row) -> bool:
    """True where a row's own text is nothing, or a barcode and a short name for the till."""
    own = describe(_before_price(row))
    is_for_till = own.code is not None and len(own.code) >= _BARCODE and len(own.name.split()) <= 2 and any(c.isdigit() for c in own.name)
    return is_for_till or not says_something(own.name)


def _is_name(row: Row) -> bool:
    return not row.entries and says_something(row.text) and not row.roles & {Role.NOISE, Role.HEADING} and not _FACTS.search(row.text)


def _note_text(row: Row, pending: _Pending) -> None:
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match and not says_something(row.text[: match.start()] + " " + row.text[match.end() :]):
        pending.quantity, pending.unit = match["quantity"], match["unit"]
    elif _is_name(row):
        pending.names.append(row)
    elif _is_heading(row):
        pending.names.clear()


def _is_factor_row(row: Row, edge: float) -> bool:
    """True for `2 x 1,99` and `0,846 kg x 2,49 EUR/kg`: a factor and a unit price alone, whose product stands on another row."""
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match is None or len(row.entries) != 1 or says_something(row.label):
        return False
    price = row.entries[0]
    is_glued = "\t" not in row.text[match.end() : price.printed.start]
    return price.printed.start >= match.end() - 1 and (price.box.right < edge or is_glued)


def _note_factor(row: Row, pending: _Pending, items: list[FoundItem]) -> None:
    """A factor belongs to the item above if it explains its price, else to the next one."""
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match is None:
        return
    product = Decimal(match["quantity"].replace(",", ".")) * row.entries[0].value
    if items and items[-1].unit_price is None and abs(product - items[-1].total.value) <= _NEAR:
        items[-1] = replace(items[-1], quantity=match["quantity"], unit=match["unit"], unit_price=row.entries[0])
    else:
        pending.quantity, pending.unit, pending.unit_price = match["quantity"], match["unit"], row.entries[0]


def _item(row: Row, price: Entry, pending: _Pending, below: Sequence[Row]) -> FoundItem | None:
    own = describe(_before_price(row))
    boxes = [row.box]
    name, code = own.name, own.code
    if not says_something(name) or (below and _is_nameless(row)):
        named = [other for other in below if _is_name(other)] or _names_above(row, pending)
        if named:
            other = describe(named[0].text)
            name, code = other.name or name, code or other.code
            boxes.append(named[0].box)
        elif not says_something(own.name + " x") and not own.code and not own.name:
            return None
    units = [entry for entry in row.entries if entry is not price]
    return FoundItem(
        description=name or code or "",
        total=price,
        box=Box.around(boxes),
        row=row.index,
        quantity=own.quantity or pending.quantity,
        unit=own.unit or pending.unit,
        unit_price=units[-1] if units else pending.unit_price,
        product_code=code,
    )


def _names_above(row: Row, pending: _Pending) -> list[Row]:
    """The rows of text right above a price, the topmost first; a name may be followed by a row of codes."""
    near = [other for other in pending.names if row.index - other.index <= _REACH and other.page == row.page]
    run: list[Row] = []
    for other in reversed(near):
        if run and run[-1].index - other.index > 1:
            break
        run.append(other)
    return run[::-1]


def _before_price(row: Row) -> str:
    """The row's text left of its amounts, or between them where nothing is left of them."""
    price = row.entries[-1]
    units = [entry for entry in row.entries if entry is not price and _is_unit_price(row, entry, price)]
    cut = row.text[: (units or [price])[-1].printed.start]
    if says_something(cut):
        return cut
    text = row.text
    for entry in reversed(row.entries):
        text = text[: entry.printed.start] + "\t" + text[entry.printed.end :]
    return text


def _is_unit_price(row: Row, entry: Entry, price: Entry) -> bool:
    """False for an amount that is part of a name, as in `Cola 0,33 l  2,90`."""
    after = row.text[entry.printed.end : row.entries[entry.index - row.entries[0].index + 1].printed.start]
    if not _BETWEEN.fullmatch(after):
        return False
    before = row.text[: entry.printed.start]
    if before.rstrip(" ").endswith(("\t", "x", "X", "×", "*", "@")):
        return True
    count = describe(before).quantity
    factor = Decimal(count.replace(",", ".")) if count else None
    return bool(entry.value) and (price.value == factor * entry.value if factor else price.value % entry.value == 0)


def _fitting(items: list[FoundItem], targets: set[Decimal]) -> tuple[FoundItem, ...]:
    """The items that add up to a known sum: all, a leading part, or all but a few doubtful rows; else all that are not doubtful."""
    plain = [item for item in items if not item.total.roles & _DOUBTFUL or item.total.roles & {Role.DISCOUNT, Role.DEPOSIT}]
    positive = [item for item in plain if item.total.value > 0]
    for chosen, least in ((plain, 1), (items, 2), (positive, 2)):
        for size in range(len(chosen), least - 1, -1):
            if _sum(chosen[:size]) in targets and (size > 1 or len(chosen) == 1):
                return tuple(chosen[:size])
    for chosen in (plain, items):
        doubtful = [item for item in chosen if _is_doubtful(item)] or chosen[:_MAX_DROPPED]
        for count in range(1, _MAX_DROPPED + 1):
            for dropped in combinations(doubtful[:_MANY], count):
                rest = [item for item in chosen if item not in dropped]
                if _sum(rest) in targets and any(item in plain for item in rest):
                    return tuple(rest)
    return tuple(plain)


def _is_doubtful(item: FoundItem) -> bool:
    return (
        bool(item.total.roles & _DOUBTFUL)
        or item.total.value < 0
        or not item.total.printed.is_money_like
        or bool(re.search(r"\d{5}", item.description))
    )


def _sum(items: Iterable[FoundItem]) -> Decimal:
    return sum((item.total.value for item in items), Decimal(0))
