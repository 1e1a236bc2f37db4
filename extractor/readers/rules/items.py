"""The line items: the rows that sell something, with description, quantity and price, and the fuel of a fuel receipt."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from statistics import median
from typing import Final

from extractor.ocr.transcript import Box
from extractor.parsing.amounts import DecimalMark
from extractor.parsing.digits import clean_digits
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import AmountRow, AmountRows, LabelledAmount, loose_price
from extractor.readers.rules.item_selection import FoundItem, ItemSelection, PriceFormat, Slot, choose_items, make_slot, unsigned
from extractor.readers.rules.item_text import (
    QUANTITY,
    WEIGHT,
    before_price,
    continues,
    describe,
    has_name,
    is_factor_row,
    is_heading,
    is_name,
    is_nameless,
    names_above,
    names_stand_below,
    title_of,
    without_sizes,
)
from extractor.readers.rules.sums import SUMMED

# Roles of rows that end the items.
_ENDS: Final = frozenset({Role.SUBTOTAL, Role.TOTAL, Role.GRAND, Role.CASH, Role.CHANGE})
# Roles of amounts that are no items.
_NEVER: Final = frozenset({Role.SAVINGS, Role.EXCHANGE, Role.CHANGE, Role.TAX, Role.GRAND})
# What quantity times unit price may differ by from the price.
_ROUNDING: Final = Decimal("0.02")
# Priced rows after which no heading of columns follows.
_MAX_ROWS_ABOVE_HEADING: Final = 2
# Rows below the items among which their sum may stand.
_SUM_REACH: Final = 4
# Cost of the items adding up to a sum that is only printed below them.
_PRINTED_COST: Final = 0.7
# Cost of the items adding up to a sum that is printed nowhere.
_DERIVED_COST: Final = 1.0
# Cost of a selection whose items continue below a sum.
_LATER_COST: Final = 1.5


@dataclass
class _Pending:
    """Rows without a price that belong to the next item."""

    names: list[AmountRow] = field(default_factory=list)
    doubtful: AmountRow | None = None
    quantity: str | None = None
    unit: str | None = None
    unit_price: LabelledAmount | None = None

    def right_above(self, row: AmountRow) -> list[AmountRow]:
        """Return the doubtful name, where it stands directly above the row."""
        return [self.doubtful] if self.doubtful is not None and row.index - self.doubtful.index == 1 else []


def find_items(
    rows: AmountRows, known: Sequence[LabelledAmount], others: Iterable[Decimal] = (), taken: Collection[int] = ()
) -> tuple[FoundItem, ...]:
    """Return the line items in print order.

    Args:
        known: Subtotal and total as far as they are known: the items end above them, and should add up to one of them.
        others: Other sums that the items may add up to, such as the total less the tax.
        taken: Indices of rows that hold taxes or charges, where they stand below the items.
    """
    first = next((row.index for row in rows if row.last is not None and not row.last.roles & (_NEVER | {Role.NOISE})), None)
    if first is None or any(entry.row < first for entry in known):
        return ()
    labelled = [row.index for row in rows if row.last is not None and row.index > first and _is_end(row.last)]
    values = {entry.value for entry in known}
    sums = [row.index for row in rows if row.index > first and row.last is not None and row.last.value in values]
    ends = [min(labelled, default=len(rows.rows)), *sums[:1], *(entry.row for entry in known if entry.row > first)]
    search = _Search(rows, first, known, dict.fromkeys(others, _DERIVED_COST), taken)
    tried = [search.above(end) for end in dict.fromkeys(sorted(ends))]
    closing = [(choice.cost + _LATER_COST * late, late) for late, choice in enumerate(tried) if choice.closes and choice.items]
    return tried[min(closing)[1] if closing else 0].items


@dataclass(frozen=True)
class _Search:
    """The inputs of the search for one receipt's items."""

    rows: AmountRows
    first: int
    known: Sequence[LabelledAmount]
    derived: Mapping[Decimal, float]
    taken: Collection[int]

    def above(self, end: int) -> ItemSelection:
        """Return the items above one row, selected to add up to a known sum, or to one that is printed directly below them."""
        below = self.rows.rows[end : end + _SUM_REACH]
        targets = dict(self.derived) | {entry.value: _PRINTED_COST for row in below for entry in row.entries if _is_sum(entry)}
        labelled = {entry.value for entry in self.rows.entries if entry.roles & SUMMED}
        targets |= {entry.value: 0.0 for entry in self.known if entry.value in labelled}  # else an item may be taken for the total
        region = self._without_charges(_region(self.rows, self.first, end))
        return choose_items(_collect(region, self.rows.mark, targets), targets)

    def _without_charges(self, region: Sequence[AmountRow]) -> Sequence[AmountRow]:
        """Return the rows above the taxes and charges at the end."""
        items = [place for place, row in enumerate(region) if row.last is not None and row.index not in self.taken]
        charges = [place for place, row in enumerate(region) if row.index in self.taken and place > items[-1]] if items else []
        return region[: charges[0]] if charges else region


def _region(rows: AmountRows, first: int, end: int) -> Sequence[AmountRow]:
    """Return the rows from below the heading of the columns down to a sum."""
    late = [row.index for row in rows if row.last is not None and row.index >= first][_MAX_ROWS_ABOVE_HEADING : _MAX_ROWS_ABOVE_HEADING + 1]
    headings = [row.index for row in rows.rows[: min([end, *late])] if is_heading(row)]
    start = headings[0] if headings else -1
    for heading in headings[1:]:
        if any(row.entries for row in rows.rows[start:heading]):
            break  # the heading of another table
        start = heading
    return rows.rows[start + 1 : end]


def _is_end(entry: LabelledAmount) -> bool:
    return bool(entry.roles & _ENDS) and not entry.roles & {Role.COUNT, Role.DISCOUNT, Role.NOISE, Role.HEADING, Role.SAVINGS}


def _is_sum(entry: LabelledAmount) -> bool:
    return bool(entry.roles & {Role.SUBTOTAL, Role.TOTAL, Role.GRAND, Role.NET}) and not entry.roles & {Role.TAX, Role.COUNT, Role.CHANGE}


def _collect(region: Sequence[AmountRow], mark: DecimalMark | None, targets: Iterable[Decimal]) -> list[Slot]:
    prices = [row.last for row in region if row.last is not None]
    if not prices:
        return []
    edge = _price_column(prices)
    region = [without_sizes(row, edge) for row in region] if mark is not None else region
    names_below = names_stand_below(region, edge)
    money = PriceFormat.of(prices, mark, max(targets, default=Decimal(0)))
    right = median(price.box.right for price in prices if price.box.right >= edge)
    slots: list[Slot] = []
    pending = _Pending()
    for place, line in enumerate(region):
        is_read = line.last is not None and line.last.box.right >= edge
        row = line if mark is None or money.places > 2 or is_read else _with_loose_price(line, right, mark, money.most)
        price = row.last
        if price is None:
            _note_text(row, pending)
        elif is_factor_row(row, edge):
            _note_factor(row, pending, slots)
        elif price.box.right >= edge and Role.GRAND not in price.roles:
            below = region[place + 1 : place + 2] if names_below else []
            slots.append(make_slot(_item(row, price, pending, below), money))
            if not price.roles & _NEVER:
                pending = _Pending()
    return _with_one_sign(slots)


def _with_loose_price(row: AmountRow, right: float, mark: DecimalMark, most: Decimal) -> AmountRow:
    price = loose_price(row, right, mark, most)
    return row if price is None else replace(row, entries=(*row.entries, price))


def _with_one_sign(slots: Sequence[Slot]) -> list[Slot]:
    """Return the slots, without minus signs where most prices have one: there, the dashes only lead to the amounts."""
    prices = [slot.usual.total.value for slot in slots if slot.usual is not None]
    is_leader = len(prices) > 1 and sum(price < 0 for price in prices) * 2 > len(prices)
    return [unsigned(slot) for slot in slots] if is_leader else list(slots)


def _price_column(prices: Sequence[LabelledAmount]) -> float:
    """Return the leftmost right edge of a price in the column of prices, in pixels."""
    rights = sorted(entry.box.right for entry in prices)
    usual = rights[(3 * len(rights)) // 4]
    return usual - 1.5 * max(entry.box.width for entry in prices)


def _note_text(row: AmountRow, pending: _Pending) -> None:
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match and not has_name(row.text[: match.start()] + " " + row.text[match.end() :]):
        pending.quantity, pending.unit = match["quantity"], match["unit"]
    elif is_name(row):
        pending.names.append(row)
    elif is_heading(row):
        pending.names.clear()
    elif is_name(replace(row, roles=frozenset())):
        pending.doubtful = row  # `Phone Case`: perhaps a name that holds a word of headers


def _note_factor(row: AmountRow, pending: _Pending, slots: list[Slot]) -> None:
    """Attach a factor to the item above if it explains its price, else to the next one."""
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match is None:
        return
    product = Decimal(match["quantity"].replace(",", ".")) * row.entries[0].value
    last = slots[-1].usual if slots else None
    if last is not None and last.unit_price is None and abs(product - last.total.value) <= _ROUNDING:
        counted = replace(last, quantity=match["quantity"], unit=match["unit"], unit_price=row.entries[0])
        slots[-1] = replace(slots[-1], usual=counted)
    else:
        pending.quantity, pending.unit, pending.unit_price = match["quantity"], match["unit"], row.entries[0]


def _item(row: AmountRow, price: LabelledAmount, pending: _Pending, below: Sequence[AmountRow]) -> FoundItem:
    own = describe(before_price(row))
    boxes = [row.box]
    name, code = own.name, own.code
    if not has_name(name) or (below and is_nameless(row)):
        named = [other for other in below if is_name(other)] or names_above(row, pending.names) or pending.right_above(row)
        if named:
            titled = title_of(named)
            other = describe(titled.text)
            name, code = other.name or name, code or other.code
            boxes.append(titled.box)
    elif (above := names_above(row, pending.names)) and continues(above[-1].text, name):
        name = f"{describe(above[-1].text).name} {name}"
        boxes.append(above[-1].box)
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


# Names of fuel grades in many countries.
_GRADES: Final = re.compile(
    r"(?i)\b(?:regular(?:\s+unleaded)?|reg\s?ul\s?ar|unleaded(?:\s+plus)?|unl(?:d|\s?87)|midgrade|plus|premium(?:\s+unleaded)?|super(?:\s?(?:plus|e10|95|98))?"
    r"|supreme|v-?power\w*|vortex\s?\d*|diesel(?:\s?b7)?|eurodiesel|gasoil|gas[oó]leo\s?\w?|gasolina\s?\w*|natural\s?9[58]|euro\s?9[58]|e-?85|e10|e5"
    r"|ron\s?9[57]|primax\s?9[57]|pertamax|pertalite|magna|dexlite|sp\s?9[58](?:-e10)?|benzin[ae]?\s?\w?9?5?|бензин\s?\w?\d*|дизел\w*)\b"
)
# A description of fuel that does not name the grade.
_NAMELESS_FUEL: Final = re.compile(r"(?i)(?:fuel|petrol|gas)(?:\s+(?:sales?|total|purchase|amount))?")
# Words of fuel receipts.
_PUMP: Final = re.compile(r"(?i)\b(?:pump|gallons?|gals?|litres?|liters?|ltrs?|price/g)\b|/\s?(?:gal|l)\b|\d{3}\s?[gl]\b")
# A number with decimals that may be a volume or a price per unit.
_FACTOR: Final = re.compile(r"(?<![\d.,])\d{1,3}[.,]\d{2,4}(?!\d)")
# What volume times price per unit may differ by from the amount.
_FUEL_ROUNDING: Final = Decimal("0.015")


def find_fuel(rows: AmountRows, sums: Iterable[LabelledAmount]) -> FoundItem | None:
    """Return the fuel sold; `None` where no printed volume and price per unit result in one of the sums, or no grade is named."""
    if not any(_PUMP.search(row.text) for row in rows):
        return None
    grade = next(((row, match) for row in rows if (match := _GRADES.search(row.text))), None)
    if grade is None:
        return None
    numbers = {text for row in rows for text in _FACTOR.findall(clean_digits(row.text))}
    found = next((found for amount in sums if (found := _volume_of(amount, sorted(numbers))) is not None), None)
    if found is None:
        return None
    row, match = grade
    total, volume = found
    return FoundItem(match.group().strip(), total, row.box, row.index, quantity=volume)


def with_grade(rows: AmountRows, items: Sequence[FoundItem]) -> Sequence[FoundItem]:
    """Return the items, a nameless `FUEL SALE` named by the grade that the receipt prints elsewhere."""
    if not any(_NAMELESS_FUEL.fullmatch(item.description) for item in items):
        return items
    grade = next((match.group().strip() for row in rows if (match := _GRADES.search(row.text))), None)
    return [replace(item, description=grade) if grade and _NAMELESS_FUEL.fullmatch(item.description) else item for item in items]


def _volume_of(amount: LabelledAmount, numbers: Sequence[str]) -> tuple[LabelledAmount, str] | None:
    """Return the amount and its volume, where a volume with three decimals times a price per unit is the amount."""
    for volume in numbers:
        for price in numbers:
            if len(re.split("[.,]", volume)[1]) == 3 and len(re.split("[.,]", price)[1]) >= 3 and volume != price:
                product = Decimal(volume.replace(",", ".")) * Decimal(price.replace(",", "."))
                if abs(product - amount.value) <= _FUEL_ROUNDING and _is_price_per_unit(price):
                    return amount, volume
    return None


def _is_price_per_unit(text: str) -> bool:
    return Decimal(text.replace(",", ".")) < 10
