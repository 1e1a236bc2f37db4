"""The text of an item's row: its name, product code, quantity and unit, and the rows of text that name an item."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import takewhile
from typing import Final

from extractor.parsing import currencies
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import GAP, AmountRow, LabelledAmount

# Units of measure in the languages of receipts.
_UNITS: Final = (
    r"kgs?|g|gr|ml|cl|ltr?|l|lbs?|oz|gal|pcs?|pkts?|nos?|stk|stck|stück|st|ea|each|uds?|ux|uns?|pz|pza|nr|und|szt|ks|kom|kpl|db"
    r"|кг|гр|г|мл|л|бр|шт|уп|пач|ком|парч|кут|κιλ[οάα]?|κιλ|γρ|λιτ|τεμ|τμχ|adet|m"
    r"|ชิ้น|กก|กิโลกรัม|กรัม|มล|ลิตร|ขวด|แพ็ค|ถุง|กล่อง|จาน|แก้ว|อัน"
)
# Signs between quantity and unit price.
_TIMES: Final = r"[xX×*✕@]"
# A factor before a unit price: `2 x`, `0,846 kg x`, `3 @`, `1.000 ks ×`.
QUANTITY: Final = re.compile(
    rf"""(?:^|(?<=[\s|]))(?P<quantity>\d{{1,4}}(?:[.,]\d{{1,3}})?)[\s_]*+(?P<unit>{_UNITS})?\.?\s*
        (?:{_TIMES}(?!\w*[^\W\dxX\s]{{4}})|for\b|à)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
# A weight or volume with decimals, as in `0,846 kg`.
WEIGHT: Final = re.compile(
    r"(?<![\d.,])(?P<quantity>\d{1,3}[.,]\d{1,3})\s*(?P<unit>kg|g|lbs?|l|gal|кг|г|л|κιλ[οάα]?|กก|ลิตร)(?![^\W_])", re.IGNORECASE
)
# A quantity with its unit at the beginning of a name.
_UNIT_COUNT: Final = re.compile(rf"^\W*(?P<quantity>\d{{1,4}}(?:[.,]\d{{1,3}})?)\s*(?P<unit>{_UNITS})\.?(?=[\s\t]|$)", re.IGNORECASE)
# A quantity at the beginning of a name.
_LEADING_COUNT: Final = re.compile(rf"^\W{{0,2}}(?P<quantity>\d{{1,3}})\s?{_TIMES}?[\s\t]+(?=\W?[^\W\d])")
# A quantity that touches the name, as in `2Coffee`.
_TOUCHING_COUNT: Final = re.compile(r"^(?P<quantity>[1-9])(?=[A-Z][a-z]+)|^(?P<glued>\d{1,2})(?:[xX×]\s?|-)(?=[A-Z0][A-Za-z])")
# A quantity in a column behind the name.
_TRAILING_COUNT: Final = re.compile(rf"[\s\t]{_TIMES}?\s?(?P<quantity>\d{{1,3}})(?:\s?{_TIMES})?\s*$")
# A quantity behind a times sign.
_TRAILING_FACTOR: Final = re.compile(rf"{_TIMES}[\s\t]*(?P<quantity>\d{{1,3}})[\s\t]*$")
# A product code at the beginning of a name.
_CODE: Final = re.compile(
    r"^\W*(?P<code>\d{4,14}|[A-Z]{1,3}\d{3,12}|\d{2,6}-\d{2,7}(?:-\d+)?|[A-Z]{1,3}\|\d{4,12}\|?)(?=[\s\t]|$|(?<=\|)|(?<=\d{8})|(?<=\d{5})\|)"
)
# A short code in brackets before a name.
_BRACKET: Final = re.compile(r"^\s*[（(][A-Z0-9]{1,2}[)）]\s*")
# Digits and marks before a name.
_JUNK: Final = re.compile(r"^[\W\dxX]+\s(?=\W?[^\W\d])")
# A barcode behind a name.
_TAIL_CODE: Final = re.compile(r"[\s\t]+(?P<code>\d{8,14})\s*\D{0,2}$")
# A tax code in a column behind the name.
_TAX_LETTER: Final = re.compile(r"\t[\s*#]*(?:[A-Z]{1,2}\d?|[А-ЯЂЈЉЊЋЏΑ-Ω]|[*#]+\w?|\d)\s*$")
# The tax rate in a column of its own between name and price.
_RATE_COLUMN: Final = re.compile(r"\t[\s\t]*\d{1,2}(?:[.,]\d{1,2})?\s?%\s*$")
# A word that touches a code, as in `200200000031-4Vege`.
_ENDS_IN_WORD: Final = re.compile(r"[\d\W]\d?[^\W\d][a-zß-ÿ]{2,}$")
# Words that name no item: units, currencies, tax codes.
_UNIT_WORDS: Final = re.compile(
    rf"(?i)(?<![^\W\d])(?:(?:{_UNITS})x?|[a-z]{{3}}(?=/\w)|eur|euro|usd|лв|руб|грн|рсд|дин|ден|ευρω|บาท|rm|kč|kc|zł|kr|kn|kz|ucl|per|pro|je|net|tare|x|lb|reg|sr|zr|zrl)(?![^\W\d])"
)
# Letters that a word of a name has at least.
MIN_LETTERS: Final = 2


@dataclass(frozen=True)
class Description:
    """The parts of a row's text."""

    name: str
    code: str | None = None
    quantity: str | None = None
    unit: str | None = None


def letters(text: str) -> int:
    """Count the letters of a text, in any script."""
    return sum(character.isalpha() for character in text)


def has_name(text: str) -> bool:
    """Return whether a text contains a name and not only codes, units, tax letters and factors."""
    rest = _UNIT_WORDS.sub(" ", text)
    words = [word for word in re.split(r"[\s\t|/]+", rest) if letters(word) >= MIN_LETTERS and not _is_code(word)]
    return bool(words) or sum(_is_ideograph(character) for character in text) >= MIN_LETTERS


def _is_code(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    return digits >= 3 and letters(word) <= digits + 1 and not _ENDS_IN_WORD.search(word)


def _is_ideograph(character: str) -> bool:
    return 0x3040 <= ord(character) <= 0x9FFF or 0xAC00 <= ord(character) <= 0xD7A3


def describe(text: str) -> Description:
    """Split the text of a row, without its amounts, into name, code, quantity and unit; columns are separated by tabs."""
    name, code, quantity, unit = _TAX_LETTER.sub("", text.strip(" ")).strip(), None, None, None
    name = _BRACKET.sub("", name)
    for pattern in (_UNIT_COUNT, _LEADING_COUNT, _TOUCHING_COUNT):
        if (match := pattern.match(name)) and (has_name(name[match.end() :]) or pattern is _UNIT_COUNT):
            groups = match.groupdict()
            quantity, unit = groups["quantity"] or groups.get("glued"), groups.get("unit")
            name = name[match.end() :].strip()
            break
    if match := _CODE.match(name):
        rest = name[match.end() :].strip()
        if has_name(rest) or not letters(rest):
            code, name = match["code"], rest
    elif (match := _TAIL_CODE.search(name)) and has_name(name[: match.start()]):
        code, name = match["code"], name[: match.start()]
    if quantity is None and (match := _LEADING_COUNT.match(name)) and has_name(name[match.end() :]):
        quantity, name = match["quantity"], name[match.end() :]
    if match := QUANTITY.search(name):
        before, after = name[: match.start()], name[match.end() :]
        if has_name(before) and not re.match(r"\S", after):
            name, quantity, unit = before, quantity or match["quantity"], unit or match["unit"]
        elif not has_name(before) and (has_name(after) or not letters(after)):
            name, quantity, unit = after, quantity or match["quantity"], unit or match["unit"]
    for pattern in (_TRAILING_FACTOR, _TRAILING_COUNT):
        if quantity is None and (match := pattern.search(name)) and "\t" in name[max(0, match.start() - 1) : match.end()]:
            quantity, name = match["quantity"], name[: match.start()]
    name = _JUNK.sub("", name)
    return Description(_trimmed(name), code, quantity, unit)


def _trimmed(name: str) -> str:
    """Return the name without trailing currency signs, factors and tax letters that stand apart."""
    name = _RATE_COLUMN.sub("", _TAX_LETTER.sub("", name))
    name = re.sub(r"[\s\t]+\d{1,3}[.,]\d{3,5}[\s\t]*$", "", name)
    name = re.sub(rf"[\s\t]+(?:{_TIMES}|[|$€£¥])[\s\t]*$", "", name)
    return " ".join(name.split()).strip(" $€£¥:=|*").strip()


# Roles of headings of item columns, besides words that are headings only.
_COLUMNS: Final = frozenset({Role.COUNT, Role.UNIT, Role.TOTAL, Role.TAX})
# Patterns that no item name contains: rules of stars, labelled numbers, dates, times, web addresses.
_NO_NAME: Final = re.compile(r"[*=_#-]{3}|[:：#№]\s*\d|\d[./-]\d{1,2}[./-]\d|\d[:：]\d\d|www\.|@\w")
# Text that may stand between a unit price and the price; OCR returns a single ideograph for some signs.
_BETWEEN: Final = re.compile(
    rf"[\W\dxX]*(?:{'|'.join(currencies.CODES)}|[^\W\d]{{2,3}}\.?|[\u3040-\u9fff]|(?:[^\W\d]{{1,3}}\.?)?/\w+)?[\W\dxX]*", re.IGNORECASE
)
# A word directly behind an amount, which therefore belongs to a name.
_WORD_CONTINUES: Final = re.compile(r"[^\W\d]{2}| ?[^\W\d]{2,}")
# Digits of the shortest barcode (EAN-8).
_BARCODE_DIGITS: Final = 8
# Rows between a name and its price at most.
_NAME_REACH: Final = 3
# Twice the letters and digits of the longest heading of a single word.
_HEADING_WEIGHT: Final = 12
# Rows of text directly above the first price from which on they are the receipt's header and no names.
_HEADER_ROWS: Final = 2


def is_heading(row: AmountRow) -> bool:
    """Return whether a row is the heading of the items' columns."""
    if row.entries:
        return False
    cells = len(row.text.split(GAP))
    is_named = Role.HEADING in row.roles and len(row.roles) + cells > 2
    columns = row.roles & _COLUMNS
    is_wide = (cells > 2 and columns) or (cells > 1 and len(columns) > 1 and ":" not in row.text)
    return is_named or bool(is_wide and not any(character.isdigit() for character in row.text))


def names_stand_below(region: Sequence[AmountRow], edge: float) -> bool:
    """Return whether prices without a name are followed by names rather than preceded by them."""
    nameless = [
        place
        for place, row in enumerate(region)
        if row.last is not None and row.last.box.right >= edge and not is_factor_row(row, edge) and is_nameless(row)
    ]
    above = [region[place - 1] for place in nameless if place and is_name(region[place - 1])]
    below = [region[place + 1] for place in nameless if place + 1 < len(region) and is_name(region[place + 1])]
    if len(above) != len(below) or not above:
        return len(below) > len(above)
    is_heading_above = 2 * _width(above[0]) <= min(_width(below[-1]), _HEADING_WEIGHT)  # `SALE` or `(RM)`
    if is_heading_above or any(_is_for_till(region[place]) for place in nameless):
        return True
    return len(list(takewhile(is_name, reversed(region[: nameless[0]])))) > _HEADER_ROWS


def _width(row: AmountRow) -> int:
    return sum(character.isalnum() for character in row.text)


def is_nameless(row: AmountRow) -> bool:
    """Return whether a row's own text is empty, or a barcode with a short name for the till."""
    return _is_for_till(row) or not has_name(describe(before_price(row)).name)


def _is_for_till(row: AmountRow) -> bool:
    own = describe(before_price(row))
    return own.code is not None and len(own.code) >= _BARCODE_DIGITS and len(own.name.split()) <= 2 and any(c.isdigit() for c in own.name)


def without_sizes(row: AmountRow, edge: float) -> AmountRow:
    """Return the row without amounts that belong to a name: left of the prices, `Euro 95` or `9.5IN`, whole or continued by a word."""
    if not row.entries or row.entries[-1].box.right >= edge or is_factor_row(row, edge) or not has_name(row.label):
        return row
    is_part = all(not entry.printed.decimals or _WORD_CONTINUES.match(row.text, entry.printed.end) for entry in row.entries)
    return replace(row, entries=()) if is_part else row


def is_name(row: AmountRow) -> bool:
    """Return whether a row without amounts may be the name of an item."""
    is_named = not row.entries and has_name(row.text) and not row.roles & {Role.NOISE, Role.HEADING}
    return is_named and not _NO_NAME.search(row.text) and not is_heading(row)


def names_above(row: AmountRow, names: Sequence[AmountRow]) -> list[AmountRow]:
    """Return the rows of text directly above a price, topmost first; a name may be followed by a row of codes."""
    near = [other for other in names if row.index - other.index <= _NAME_REACH and other.page == row.page]
    run: list[AmountRow] = []
    for other in reversed(near):
        if run and run[-1].index - other.index > 1:
            break
        run.append(other)
    return run[::-1]


def continues(above: str, name: str) -> bool:
    """Return whether a name begins on the row above: with an open bracket that is closed here, or a hyphenated word."""
    opened, closed = (sum(text.count(bracket) for bracket in pair) for text, pair in ((above, "(（"), (name, ")）")))
    is_open = opened > sum(map(above.count, ")）")) and closed > sum(map(name.count, "(（"))
    return is_open or bool(re.search(r"[^\W\d]{2}-$", above))


def title_of(rows: Sequence[AmountRow]) -> AmountRow:
    """Return the row of a run that names the item: the last one in words, since departments stand above names and codes below them."""
    names = [describe(row.text).name for row in rows]
    worded = [row for row, name in zip(rows, names, strict=True) if letters(name) > sum(character.isdigit() for character in name)]
    return worded[-1] if worded else rows[0]


def before_price(row: AmountRow) -> str:
    """Return the row's text left of its amounts, or between them where nothing is left of them."""
    price = row.entries[-1]
    units = [entry for entry in row.entries if entry is not price and _is_unit_price(row, entry, price)]
    cut = row.text[: (units or [price])[-1].printed.start]
    if has_name(cut):
        return cut
    text = row.text
    for entry in reversed(row.entries):
        text = text[: entry.printed.start] + "\t" + text[entry.printed.end :]
    return text


def _is_unit_price(row: AmountRow, entry: LabelledAmount, price: LabelledAmount) -> bool:
    """Return whether an amount is a unit price and not part of a name, as in `Cola 0,33 l  2,90`."""
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
    """Return whether a row is a factor and a unit price alone (`2 x 1,99`, `0,846 kg x 2,49 EUR/kg`), their product on another row."""
    match = QUANTITY.search(row.text) or WEIGHT.search(row.text)
    if match is None or len(row.entries) != 1 or has_name(row.label):
        return False
    price = row.entries[0]
    is_glued = "\t" not in row.text[match.end("quantity") : price.printed.start]
    return price.printed.start >= match.end() - 1 and (price.box.right < edge or is_glued)
