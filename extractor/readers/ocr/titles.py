"""What a row of the item list is called: which text names it, on its own row or on one above or below."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import takewhile
from typing import Final

from extractor.printed import currencies
from extractor.printed.keywords import Role
from extractor.readers.ocr.descriptions import QUANTITY, WEIGHT, describe, letters, says_something
from extractor.readers.ocr.rows import GAP, Entry, Row

_COLUMNS: Final = frozenset({Role.COUNT, Role.UNIT, Role.TOTAL, Role.TAX})
"""What the columns of items are called, besides words that name nothing else."""
_FACTS: Final = re.compile(r"[*=_#-]{3}|[:：#№]\s*\d|\d[./-]\d{1,2}[./-]\d|\d[:：]\d\d|www\.|@\w")
"""Rules of stars, numbers with a name, dates, times and addresses of the net: what no item is called."""
_BETWEEN: Final = re.compile(
    rf"[\W\dxX]*(?:{'|'.join(currencies.CODES)}|[^\W\d]{{2,3}}\.?|[\u3040-\u9fff]|(?:[^\W\d]{{1,3}}\.?)?/\w+)?[\W\dxX]*", re.IGNORECASE
)
"""What may stand between a unit price and the price; a single ideograph is what OCR makes of a sign."""
_GOES_ON: Final = re.compile(r"[^\W\d]{2}| ?[^\W\d]{2,}")
_BARCODE: Final = 8
"""Digits of the shortest barcode."""
_REACH: Final = 3
"""Rows between a name and its price at most."""
_LIGHT: Final = 12
"""Twice the letters and digits of the longest heading of one word that is known by its shortness."""
_HEADER: Final = 2
"""Rows of text right above a first price from which on they are the receipt's header and no names."""


def is_heading(row: Row) -> bool:
    """True for the heading of the items' columns."""
    if row.entries:
        return False
    cells = len(row.text.split(GAP))
    is_named = Role.HEADING in row.roles and len(row.roles) + cells > 2
    columns = row.roles & _COLUMNS
    is_wide = (cells > 2 and columns) or (cells > 1 and len(columns) > 1 and ":" not in row.text)
    return is_named or bool(is_wide and not any(character.isdigit() for character in row.text))


def names_stand_below(region: Sequence[Row], edge: float) -> bool:
    """True where prices without a name are followed by names rather than preceded by them."""
    nameless = [
        place
        for place, row in enumerate(region)
        if row.last is not None and row.last.box.right >= edge and not is_factor_row(row, edge) and is_nameless(row)
    ]
    above = [region[place - 1] for place in nameless if place and is_name(region[place - 1])]
    below = [region[place + 1] for place in nameless if place + 1 < len(region) and is_name(region[place + 1])]
    if len(above) != len(below) or not above:
        return len(below) > len(above)
    is_heading_above = 2 * _weight(above[0]) <= min(_weight(below[-1]), _LIGHT)  # `SALE` or `(RM)`
    if is_heading_above or any(_is_for_till(region[place]) for place in nameless):
        return True
    return len(list(takewhile(is_name, reversed(region[: nameless[0]])))) > _HEADER


def _weight(row: Row) -> int:
    return sum(character.isalnum() for character in row.text)


def is_nameless(row: Row) -> bool:
    """True where a row's own text is nothing, or a barcode and a short name for the till."""
    return _is_for_till(row) or not says_something(describe(before_price(row)).name)


def _is_for_till(row: Row) -> bool:
    own = describe(before_price(row))
    return own.code is not None and len(own.code) >= _BARCODE and len(own.name.split()) <= 2 and any(c.isdigit() for c in own.name)


def without_sizes(row: Row, edge: float) -> Row:
    """The row without amounts that are part of a name: left of the prices, `Euro 95` or `9.5IN`, whole or with a word that goes on."""
    if not row.entries or row.entries[-1].box.right >= edge or is_factor_row(row, edge) or not says_something(row.label):
        return row
    is_part = all(not entry.printed.decimals or _GOES_ON.match(row.text, entry.printed.end) for entry in row.entries)
    return replace(row, entries=()) if is_part else row


def is_name(row: Row) -> bool:
    """True for text alone that can be what an item is called."""
    is_named = not row.entries and says_something(row.text) and not row.roles & {Role.NOISE, Role.HEADING}
    return is_named and not _FACTS.search(row.text) and not is_heading(row)


def names_above(row: Row, names: Sequence[Row]) -> list[Row]:
    """The rows of text right above a price, the topmost first; a name may be followed by a row of codes."""
    near = [other for other in names if row.index - other.index <= _REACH and other.page == row.page]
    run: list[Row] = []
    for other in reversed(near):
        if run and run[-1].index - other.index > 1:
            break
        run.append(other)
    return run[::-1]


def goes_on(above: str, name: str) -> bool:
    """True where a name begins on the row above: there a bracket opens that closes here, or a word is broken off."""
    opened, closed = (sum(text.count(bracket) for bracket in pair) for text, pair in ((above, "(（"), (name, ")）")))
    is_open = opened > sum(map(above.count, ")）")) and closed > sum(map(name.count, "(（"))
    return is_open or bool(re.search(r"[^\W\d]{2}-$", above))


def title_of(rows: Sequence[Row]) -> Row:
    """The row of a run that names the item: the last one in words, since departments stand above names and codes below them."""
    names = [describe(row.text).name for row in rows]
    worded = [row for row, name in zip(rows, names, strict=True) if letters(name) > sum(character.isdigit() for character in name)]
    return worded[-1] if worded else rows[0]


def before_price(row: Row) -> str:
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


def is_factor_row(row: Row, edge: float) -> bool:
    """True for `2 x 1,99` and `0,846 kg x 2,49 EUR/kg`: a factor and a unit price alone, whose product stands on another row."""
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match is None or len(row.entries) != 1 or says_something(row.label):
        return False
    price = row.entries[0]
    is_glued = "\t" not in row.text[match.end("quantity") : price.printed.start]
    return price.printed.start >= match.end() - 1 and (price.box.right < edge or is_glued)
