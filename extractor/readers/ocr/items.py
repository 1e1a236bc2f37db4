"""The line items: which rows sell something, what it is called, how many, and what it cost."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Final

from extractor.ocr.interface import Box
from extractor.printed.keywords import Role
from extractor.readers.ocr.rows import Entry, Row, Rows
from extractor.readers.ocr.sums import Sums

_QUANTITY: Final = re.compile(
    r"""(?:^|(?<=\s))(?P<quantity>\d{1,4}(?:[.,]\d{1,3})?)\s*(?P<unit>kg|g|l|lb|lbs|oz|pcs?|pc|st|stk|stück|ea|ud|uds|un|szt|ks|kom|kpl|db|m)?\.?
        \s*(?:[xX×*✕@]|for|à|a(?=\s?\d))\s*(?=[\d$€£¥.]|\t|\s|$|[^\W\d]{1,3}\s?\d)""",
    re.VERBOSE | re.IGNORECASE,
)
_LEADING_COUNT: Final = re.compile(r"^\W{0,2}(?P<quantity>\d{1,3})\s?[xX×*]?[\s\t]+(?=[^\W\d])")
_TRAILING_COUNT: Final = re.compile(r"[\s\t][xX×*]?\s?(?P<quantity>\d{1,3})(?:\s?[xX×*@])?\s*$")
_WEIGHT: Final = re.compile(r"(?P<quantity>\d{1,3}[.,]\d{1,3})\s*(?P<unit>kg|g|lb|lbs|l)\b", re.IGNORECASE)
_CODE: Final = re.compile(r"^\W*(?P<code>\d{4,14}|[A-Z]{1,3}\d{3,12}|\d{2,6}-\d{2,6})(?=[\s\t]|$)")
_TAX_LETTERS: Final = re.compile(r"(?:^|[\s\t])[*#]?(?:[A-Z]{1,2}\d?|SR|ZR|ZRL|[*#]+|\d)$")
_NOT_ITEMS: Final = frozenset({Role.NOISE, Role.SAVINGS, Role.EXCHANGE, Role.CHANGE, Role.CASH, Role.GRAND})


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
    """Rows of text above a price that may name it."""

    names: list[Row] = field(default_factory=list)
    quantity: "tuple[str, str | None] | None" = None
    unit_price: Entry | None = None


def find_items(rows: Rows, sums: Sums) -> tuple[FoundItem, ...]:
    """The line items in print order; rows below the first sum are none."""
    region = [row for row in rows if row.index < sums.first_sum]
    prices = [row.last for row in region if row.last is not None]
    if not prices:
        return ()
    edge = _price_column(prices)
    items: list[FoundItem] = []
    pending = _Pending()
    for row in region:
        price = row.last
        if price is None:
            _note_text(row, pending)
        elif _is_quantity_row(row, edge):
            _note_quantity(row, pending, items)
        elif price.box.right >= edge and not row.roles & _NOT_ITEMS:
            item = _item(row, price, pending)
            if item is not None:
                items.append(item)
                pending = _Pending()
    return tuple(items)


def _price_column(prices: Sequence[Entry]) -> float:
    """Left bound of right edges in the price column, in pixels."""
    rights = [entry.box.right for entry in prices]
    widths = [entry.box.width for entry in prices]
    return median(sorted(rights)[len(rights) // 2 :]) - 2.0 * max(widths)


def _note_text(row: Row, pending: _Pending) -> None:
    match = _QUANTITY.search(row.text)
    if match and not _letters(row.text[match.end() :]) and not _letters(row.text[: match.start()]):
        pending.quantity = (match["quantity"], match["unit"])
    elif _letters(row.text) >= 2:
        pending.names.append(row)


def _is_quantity_row(row: Row, edge: float) -> bool:
    """True for `2 x 1,99` and `0,846 kg x 2,49 EUR/kg`: a factor and a unit price alone."""
    match = _QUANTITY.search(row.text) or _WEIGHT.search(row.text)
    if match is None or len(row.entries) != 1:
        return False
    words = re.sub(
        r"(?i)\b(kg|lb|lbs|eur|each|ea|per|st|stk|stück|x|net|tare|ud|g|l|ucl|pro|je|rm|usd|kom|szt|ks|kč|zł|pc|pcs|oz)\b", " ", row.label
    )
    if _letters(words) > 2:
        return False
    quantity, price = Decimal(match["quantity"].replace(",", ".")), row.entries[0]
    after_factor = price.printed.start >= match.end() - 1
    return after_factor and (price.box.right < edge or quantity != 1 or _is_glued(row, match.end(), price))


def _is_glued(row: Row, end: int, price: Entry) -> bool:
    return "\t" not in row.text[end : price.printed.start]


def _note_quantity(row: Row, pending: _Pending, items: list[FoundItem]) -> None:
    """A factor belongs to the item above if it explains its price, else to the next one."""
    match = _QUANTITY.search(row.text) or _WEIGHT.search(row.text)
    if match is None:
        return
    factor, unit = match["quantity"], match["unit"]
    product = Decimal(factor.replace(",", ".")) * row.entries[0].value
    if items and items[-1].quantity is None and abs(product - items[-1].total.value) <= Decimal("0.02"):
        last = items.pop()
        items.append(FoundItem(last.description, last.total, last.box, last.row, factor, unit, row.entries[0], last.product_code))
        return
    pending.quantity, pending.unit_price = (factor, unit), row.entries[0]


def _item(row: Row, price: Entry, pending: _Pending) -> FoundItem | None:
    text = _before_price(row)
    quantity, unit, unit_price = _quantity_of(row, text, price)
    name, code = clean_description(text)
    boxes = [row.box]
    if _letters(name) < 2:
        named = _name_above(row, pending)
        if named:
            above, above_code = clean_description(" ".join(other.text.replace("\t", " ") for other in named[:1]))
            name, code = above or name, code or above_code
            boxes += [other.box for other in named[:1]]
        elif not name and not code:
            return None
    if pending.quantity and not quantity:
        quantity, unit = pending.quantity
        unit_price = unit_price or pending.unit_price
    return FoundItem(name.strip() or (code or ""), price, Box.around(boxes), row.index, quantity, unit, unit_price, code)


def _name_above(row: Row, pending: _Pending) -> list[Row]:
    near = [other for other in pending.names if row.index - other.index <= 3 and other.page == row.page]
    run: list[Row] = []
    for other in reversed(near):
        if run and run[-1].index - other.index > 1:
            break
        run.append(other)
    return run[::-1]


def _before_price(row: Row) -> str:
    """The row's text left of its price, without the unit prices that stand there."""
    text = row.text
    for entry in reversed(row.entries):
        text = text[: entry.printed.start] + "\t" + text[entry.printed.end :]
    cut = row.text[: row.entries[0].printed.start]
    return cut if _letters(cut) >= 2 else text


def _quantity_of(row: Row, text: str, price: Entry) -> tuple[str | None, str | None, Entry | None]:
    units = [entry for entry in row.entries if entry is not price]
    unit_price = units[-1] if units else None
    match = _QUANTITY.search(row.text) or _WEIGHT.search(row.text)
    if match:
        return match["quantity"], match["unit"], unit_price
    for pattern in (_LEADING_COUNT, _TRAILING_COUNT):
        if found := pattern.search(text):
            return found["quantity"], None, unit_price
    return None, None, unit_price


def clean_description(text: str) -> tuple[str, str | None]:
    """The name of what was sold, and its product code, from a row's text without its price."""
    name, code = text.replace("\t", "  ").strip(), None
    if match := _LEADING_COUNT.match(name):
        name = name[match.end() :]
    if match := _CODE.match(name):
        rest = name[match.end() :].strip()
        if _letters(rest) >= 2:
            code, name = match["code"], rest
        elif not rest:
            code, name = match["code"], ""
    if match := _LEADING_COUNT.match(name):
        name = name[match.end() :]
    if (match := _QUANTITY.search(name)) and _letters(name[: match.start()]) >= 2:
        name = name[: match.start()]
    elif match and _letters(name[match.end() :]) >= 2:
        name = name[match.end() :]
    name = name.rstrip(" $€£¥:.-=")
    if (match := _TAX_LETTERS.search(name)) and "  " in name[: match.start() + 2]:
        name = name[: match.start()].rstrip()
    return " ".join(name.split()), code


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)
