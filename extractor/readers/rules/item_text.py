"""What the text of an item's row says: its name, product code, quantity and unit. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import takewhile
from typing import Final

from extractor.parsing import currencies
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import GAP, AmountRow, LabelledAmount

_UNITS: Final = (
    r"kgs?|g|gr|ml|cl|ltr?|l|lbs?|oz|gal|pcs?|pkts?|nos?|stk|stck|stück|st|ea|each|uds?|ux|uns?|pz|pza|nr|und|szt|ks|kom|kpl|db"
    r"|кг|гр|г|мл|л|бр|шт|уп|пач|ком|парч|кут|κιλ[οάα]?|κιλ|γρ|λιτ|τεμ|τμχ|adet|m"
    r"|ชิ้น|กก|กิโลกรัม|กรัม|มล|ลิตร|ขวด|แพ็ค|ถุง|กล่อง|จาน|แก้ว|อัน"
)
_TIMES: Final = r"[xX×*✕@]"
# `2 x`, `0,846 kg x`, `3 @`, `1.000 ks ×`: a factor before a unit price.
QUANTITY: Final = re.compile(
    rf"""(?:^|(?<=[\s|]))(?P<quantity>\d{{1,4}}(?:[.,]\d{{1,3}})?)[\s_]*+(?P<unit>{_UNITS})?\.?\s*
        (?:{_TIMES}(?!\w*[^\W\dxX\s]{{4}})|for\b|à)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
WEIGHT: Final = re.compile(
    r"(?<![\d.,])(?P<quantity>\d{1,3}[.,]\d{1,3})\s*(?P<unit>kg|g|lbs?|l|gal|кг|г|л|κιλ[οάα]?|กก|ลิตร)(?![^\W_])", re.IGNORECASE
)
_UNIT_COUNT: Final = re.compile(rf"^\W*(?P<quantity>\d{{1,4}}(?:[.,]\d{{1,3}})?)\s*(?P<unit>{_UNITS})\.?(?=[\s\t]|$)", re.IGNORECASE)
_LEADING_COUNT: Final = re.compile(rf"^\W{{0,2}}(?P<quantity>\d{{1,3}})\s?{_TIMES}?[\s\t]+(?=\W?[^\W\d])")
_TOUCHING_COUNT: Final = re.compile(r"^(?P<quantity>[1-9])(?=[A-Z][a-z]+)|^(?P<glued>\d{1,2})(?:[xX×]\s?|-)(?=[A-Z0][A-Za-z])")
_TRAILING_COUNT: Final = re.compile(rf"[\s\t]{_TIMES}?\s?(?P<quantity>\d{{1,3}})(?:\s?{_TIMES})?\s*$")
_TRAILING_FACTOR: Final = re.compile(rf"{_TIMES}[\s\t]*(?P<quantity>\d{{1,3}})[\s\t]*$")
_CODE: Final = re.compile(
    r"^\W*(?P<code>\d{4,14}|[A-Z]{1,3}\d{3,12}|\d{2,6}-\d{2,7}(?:-\d+)?|[A-Z]{1,3}\|\d{4,12}\|?)(?=[\s\t]|$|(?<=\|)|(?<=\d{8})|(?<=\d{5})\|)"
)
_BRACKET: Final = re.compile(r"^\s*[（(][A-Z0-9]{1,2}[)）]\s*")
_JUNK: Final = re.compile(r"^[\W\dxX]+\s(?=\W?[^\W\d])")
_TAIL_CODE: Final = re.compile(r"[\s\t]+(?P<code>\d{8,14})\s*\D{0,2}$")
_TAX_LETTER: Final = re.compile(r"\t[\s*#]*(?:[A-Z]{1,2}\d?|[А-ЯЂЈЉЊЋЏΑ-Ω]|[*#]+\w?|\d)\s*$")
# The tax rate in a column of its own between name and price.
_RATE_COLUMN: Final = re.compile(r"\t[\s\t]*\d{1,2}(?:[.,]\d{1,2})?\s?%\s*$")
# A word that a code touches, as in `100100000060-4Vege`.
_ENDS_IN_WORD: Final = re.compile(r"[\d\W]\d?[^\W\d][a-zß-ÿ]{2,}$")
_UNIT_WORDS: Final = re.compile(
    rf"(?i)(?<![^\W\d])(?:(?:{_UNITS})x?|[a-z]{{3}}(?=/\w)|eur|euro|usd|лв|руб|грн|рсд|дин|ден|ευρω|บาท|rm|kč|kc|zł|kr|kn|kz|ucl|per|pro|je|net|tare|x|lb|reg|sr|zr|zrl)(?![^\W\d])"
)
MIN_LETTERS: Final = 2


@dataclass(frozen=True)
class Description:
    """A row's text taken apart."""

    name: str
    code: str | None = None
    quantity: str | None = None
    unit: str | None = None


def letters(text: str) -> int:
    """How many letters a text has, of any script."""
    return sum(character.isalpha() for character in text)


def says_something(text: str) -> bool:
    """True where a text has a name in it and not only codes, units, tax letters and factors."""
    rest = _UNIT_WORDS.sub(" ", text)
    words = [word for word in re.split(r"[\s\t|/]+", rest) if letters(word) >= MIN_LETTERS and not _is_code(word)]
    return bool(words) or sum(_is_ideograph(character) for character in text) >= MIN_LETTERS


def _is_code(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    return digits >= 3 and letters(word) <= digits + 1 and not _ENDS_IN_WORD.search(word)


def _is_ideograph(character: str) -> bool:
    return 0x3040 <= ord(character) <= 0x9FFF or 0xAC00 <= ord(character) <= 0xD7A3


def describe(text: str) -> Description:
    """Name, code and quantity in the text of a row without its amounts; columns are separated by tabs."""
    name, code, quantity, unit = _TAX_LETTER.sub("", text.strip(" ")).strip(), None, None, None
    name = _BRACKET.sub("", name)
    for pattern in (_UNIT_COUNT, _LEADING_COUNT, _TOUCHING_COUNT):
        if (match := pattern.match(name)) and (says_something(name[match.end() :]) or pattern is _UNIT_COUNT):
            groups = match.groupdict()
            quantity, unit = groups["quantity"] or groups.get("glued"), groups.get("unit")
            name = name[match.end() :].strip()
            break
    if match := _CODE.match(name):
        rest = name[match.end() :].strip()
        if says_something(rest) or not letters(rest):
            code, name = match["code"], rest
    elif (match := _TAIL_CODE.search(name)) and says_something(name[: match.start()]):
        code, name = match["code"], name[: match.start()]
    if quantity is None and (match := _LEADING_COUNT.match(name)) and says_something(name[match.end() :]):
        quantity, name = match["quantity"], name[match.end() :]
    if match := QUANTITY.search(name):
        before, after = name[: match.start()], name[match.end() :]
        if says_something(before) and not re.match(r"\S", after):
            name, quantity, unit = before, quantity or match["quantity"], unit or match["unit"]
        elif not says_something(before) and (says_something(after) or not letters(after)):
            name, quantity, unit = after, quantity or match["quantity"], unit or match["unit"]
    for pattern in (_TRAILING_FACTOR, _TRAILING_COUNT):
        if quantity is None and (match := pattern.search(name)) and "\t" in name[max(0, match.start() - 1) : match.end()]:
            quantity, name = match["quantity"], name[: match.start()]
    name = _JUNK.sub("", name)
    return Description(_tidy(name), code, quantity, unit)


def _tidy(name: str) -> str:
    """The name without trailing currency signs, factors and tax letters that stand apart."""
    name = _RATE_COLUMN.sub("", _TAX_LETTER.sub("", name))
    name = re.sub(r"[\s\t]+\d{1,3}[.,]\d{3,5}[\s\t]*$", "", name)
    name = re.sub(rf"[\s\t]+(?:{_TIMES}|[|$€£¥])[\s\t]*$", "", name)
    return " ".join(name.split()).strip(" $€£¥:=|*").strip()


# What the columns of items are called, besides words that name nothing else.
_COLUMNS: Final = frozenset({Role.COUNT, Role.UNIT, Role.TOTAL, Role.TAX})
# Rules of stars, numbers with a name, dates, times and addresses of the net: what no item is called.
_FACTS: Final = re.compile(r"[*=_#-]{3}|[:：#№]\s*\d|\d[./-]\d{1,2}[./-]\d|\d[:：]\d\d|www\.|@\w")
# What may stand between a unit price and the price; a single ideograph is what OCR makes of a sign.
_BETWEEN: Final = re.compile(
    rf"[\W\dxX]*(?:{'|'.join(currencies.CODES)}|[^\W\d]{{2,3}}\.?|[\u3040-\u9fff]|(?:[^\W\d]{{1,3}}\.?)?/\w+)?[\W\dxX]*", re.IGNORECASE
)
_GOES_ON: Final = re.compile(r"[^\W\d]{2}| ?[^\W\d]{2,}")
# Digits of the shortest barcode.
_BARCODE: Final = 8
# Rows between a name and its price at most.
_REACH: Final = 3
# Twice the letters and digits of the longest heading of one word that is known by its shortness.
_LIGHT: Final = 12
# Rows of text right above a first price from which on they are the receipt's header and no names.
_HEADER: Final = 2


def is_heading(row: AmountRow) -> bool:
    """True for the heading of the items' columns."""
    if row.entries:
        return False
    cells = len(row.text.split(GAP))
    is_named = Role.HEADING in row.roles and len(row.roles) + cells > 2
    columns = row.roles & _COLUMNS
    is_wide = (cells > 2 and columns) or (cells > 1 and len(columns) > 1 and ":" not in row.text)
    return is_named or bool(is_wide and not any(character.isdigit() for character in row.text))


def names_stand_below(region: Sequence[AmountRow], edge: float) -> bool:
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


def _weight(row: AmountRow) -> int:
    return sum(character.isalnum() for character in row.text)


def is_nameless(row: AmountRow) -> bool:
    """True where a row's own text is nothing, or a barcode and a short name for the till."""
    return _is_for_till(row) or not says_something(describe(before_price(row)).name)


def _is_for_till(row: AmountRow) -> bool:
    own = describe(before_price(row))
    return own.code is not None and len(own.code) >= _BARCODE and len(own.name.split()) <= 2 and any(c.isdigit() for c in own.name)


def without_sizes(row: AmountRow, edge: float) -> AmountRow:
    """The row without amounts that are part of a name: left of the prices, `Euro 95` or `9.5IN`, whole or with a word that goes on."""
    if not row.entries or row.entries[-1].box.right >= edge or is_factor_row(row, edge) or not says_something(row.label):
        return row
    is_part = all(not entry.printed.decimals or _GOES_ON.match(row.text, entry.printed.end) for entry in row.entries)
    return replace(row, entries=()) if is_part else row


def is_name(row: AmountRow) -> bool:
    """True for text alone that can be what an item is called."""
    is_named = not row.entries and says_something(row.text) and not row.roles & {Role.NOISE, Role.HEADING}
    return is_named and not _FACTS.search(row.text) and not is_heading(row)


def names_above(row: AmountRow, names: Sequence[AmountRow]) -> list[AmountRow]:
    """The rows of text right above a price, the topmost first; a name may be followed by a row of codes."""
    near = [other for other in names if row.index - other.index <= _REACH and other.page == row.page]
    run: list[AmountRow] = []
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


def title_of(rows: Sequence[AmountRow]) -> AmountRow:
    """The row of a run that names the item: the last one in words, since departments stand above names and codes below them."""
    names = [describe(row.text).name for row in rows]
    worded = [row for row, name in zip(rows, names, strict=True) if letters(name) > sum(character.isdigit() for character in name)]
    return worded[-1] if worded else rows[0]


def before_price(row: AmountRow) -> str:
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


def _is_unit_price(row: AmountRow, entry: LabelledAmount, price: LabelledAmount) -> bool:
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


def is_factor_row(row: AmountRow, edge: float) -> bool:
    """True for `2 x 1,99` and `0,846 kg x 2,49 EUR/kg`: a factor and a unit price alone, whose product stands on another row."""
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match is None or len(row.entries) != 1 or says_something(row.label):
        return False
    price = row.entries[0]
    is_glued = "\t" not in row.text[match.end("quantity") : price.printed.start]
    return price.printed.start >= match.end() - 1 and (price.box.right < edge or is_glued)
