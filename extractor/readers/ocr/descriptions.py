"""What the text of an item's row says: its name, product code, quantity and unit. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_UNITS: Final = (
    r"kgs?|g|gr|ml|cl|ltr?|l|lbs?|oz|gal|pcs?|pkts?|nos?|stk|stck|stück|st|ea|each|uds?|ux|uns?|pz|pza|nr|und|szt|ks|kom|kpl|db"
    r"|кг|гр|г|мл|л|бр|шт|уп|пач|ком|парч|кут|κιλ[οάα]?|κιλ|γρ|λιτ|τεμ|τμχ|adet|m"
    r"|ชิ้น|กก|กิโลกรัม|กรัม|มล|ลิตร|ขวด|แพ็ค|ถุง|กล่อง|จาน|แก้ว|อัน"
)
_TIMES: Final = r"[xX×*✕@]"
QUANTITY: Final = re.compile(
    rf"""(?:^|(?<=[\s|]))(?P<quantity>\d{{1,4}}(?:[.,]\d{{1,3}})?)[\s_]*+(?P<unit>{_UNITS})?\.?\s*
        (?:{_TIMES}(?!\w*[^\W\dxX\s]{{4}})|for\b|à)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
"""`2 x`, `0,846 kg x`, `3 @`, `1.000 ks ×`: a factor before a unit price."""
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
_RATE_COLUMN: Final = re.compile(r"\t[\s\t]*\d{1,2}(?:[.,]\d{1,2})?\s?%\s*$")
"""The tax rate in a column of its own between name and price."""
_ENDS_IN_WORD: Final = re.compile(r"[\d\W]\d?[^\W\d][a-zß-ÿ]{2,}$")
"""A word that a code touches, as in `100100000060-4Vege`."""
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
