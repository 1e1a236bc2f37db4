"""Printed numbers and the amounts that they can mean: separators, signs, currency marks, and what OCR does to them. Pure."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from extractor.parsing import currencies
from extractor.parsing.digits import clean_digits, find_percentages
from extractor.schemas.values import minor_digits

__all__ = ["DecimalMark", "PrintedAmount", "decimal_mark", "find_amounts", "find_percentages", "parse_amount"]

DecimalMark = Literal[".", ","]

_SPACES: Final = " \u00a0\u2007\u2009\u202f"
_MINUS: Final = "-\u2212\u2013\u2014\u2010\u2011\uff0d"
_DASHES: Final = re.escape(_MINUS)
_DASH: Final = rf"[{_DASHES}~]"

_NOT_MONEY: Final = re.compile(
    r"""
      \d{1,2}[.:]\d{2}(?:[-–]|[ ][-–][ ])\d{1,2}[.:,]\d{2}(?!\d)          # opening hours
    | (?<!\d[.,])(?<!\d)\d{1,4}[ ]?[./\-][ ]?\d{1,2}[ ]?[./\-][ ]?(?:20|19)?\d{2}(?!\d|[.,]\d)  # dates: 03/10/68, 3.10.2018, 2018-10-03
    | (?<!\d)\d{4}[./\-]\d{1,2}[./\-]\d{1,2}(?!\d)
    | \d{1,2}[:：]\d{2}(?:[:：]\d{2})?\s?(?:[ap]\.?m\b)?                 # times
    | (?<![\d.,])\+?\d[\d()]*(?:[-\ ][\d()]{2,}){2,}(?![.,]\d)                      # telephone numbers and other groups of digits
    | (?:\d*+[.,])?\d++\s?[%％‰]                                       # percentages
    # Measures; at a row's end perhaps a misread mark.
    | (?<!\d)\d[\d.,]*\s?(?:kgs?|g|gr|ml|cl|l|lt|ltr|lbs?|oz|gal|кг|гр|мл|л|κιλ[οά]|กก|ลิตร)\b(?!\s*$)
    | (?<![\d.,])\d+(?:[.,]\d{3})?\s?
      (?:kgs?|g|gr|ml|cl|l|lt|ltr|lbs?|oz|cm|mm|m|km|pcs?|gal|kwh|pts?|inch|mb|gb|ks|szt|stk|stck|uds?|kpl|db
        |кг|гр|мл|л|шт|бр|ком|уп|κιλ[οά]|γρ|τεμ|กก|กรัม|มล|ลิตร|ชิ้น|ขวด)\b
    | (?:www\.|https?:)\S+ | [^\s@]++@\S+\.\S+
    | [#№*xX]{2,}[ ]?\d+(?![.,]?\d)                                     # masked cards
    """,
    re.VERBOSE | re.IGNORECASE,
)

_SPACED_THOUSANDS: Final = r"(?P<number> (?<=[\t=]) \d{1,3} (?: [ ] \d{3} )+ \. \d{2} (?!\d) |"
_NUMBER: Final = re.compile(
    rf"""
    (?P<number>
        \d{{1,2}} [.,] 000 (?= \d{{1,4}} [.,] \d{{2}} (?!\d))             # 1.000108.00: a quantity that touches a price
      | \d{{1,3}} (?: [{_SPACES}'’´`] \d{{3}} )+ , \d{{2}} (?!\d)         # 1 234,50
      | \d{{1,3}} (?: ['’´`] \d{{3}} )+ (?: [.,] \d{{2}} )? (?!\d)        # 1'234.50
      | (?<=[A-Z$€£¥]) \d{{1,3}} (?: [ ] \d{{3}} )+ \. \d{{2}} (?!\d)    # R1 234.50
      | \d{{1,3}} (?: [\u00a0\u2009\u202f] \d{{3}} )+ (?: [.,] \d{{2}} )? (?!\d)
      | \d{{1,3}} (?: ([.,]) \s? \d{{2,3}} )? (?: \2 \d{{3}} )* [.,] \s? \d{{3}} \s? [.,] \s? \d{{1,2}} (?!\d)  # 1,234.50 12,34,567.00
      | \d{{1,3}} , \s? \d{{3}} \s \d{{3}} (?![\d.,])                      # 1, 565 938: OCR lost the second mark
      | \d+ [.,] \d{{2}} (?= \d{{1,5}} [.,] \d{{2}} (?!\d))             # 100.00100.00: two prices that touch
      | \d+ [.,]{{2}} \d{{2}} (?!\d)                                      # 83.,60
      | \d+ (?: [.,] \d+ )+                                              # 12.50, 1.234, 1.234,50
      | \d+ [ ]? [.,] [ ]? \d{{2}} (?![\d.,])                              # 12 .50, 12. 50
      | (?<=[$€£]) \d{{1,4}} [ ] \d{{2}} (?= \s*$ | \t)                     # $25 71: OCR lost the mark
      | (?<=[$€£][ ]) \d{{1,4}} [ ] \d{{2}} (?= \s*$ | \t)
      | (?<![\w.,)]) [.,] \d{{2}} (?![\d\w]{{2}} | \d)                                  # .74
      | \d+
    )
    (?P<dash> \s? [.,] \s? {_DASH}{{1,2}} (?!\s?\d) )?                   # 12,-
    """,
    re.VERBOSE,
)
_SPACED: Final = re.compile(rf"{_NUMBER.pattern.replace('(?P<number>', _SPACED_THOUSANDS, 1)}", re.VERBOSE)
"""As above, and `1 234.50` in a column of its own: on Cyrillic receipts a space groups thousands, whatever the decimal mark is."""
_CYRILLIC: Final = re.compile("[\u0400-\u052f]")
_SEPARATORS: Final = re.compile(r"[.,'’´`\u00a0\u2009\u202f]")
_SIGN_BEFORE: Final = re.compile(rf"(?P<sign>{_DASH}|\()\s?(?:{currencies.BEFORE.pattern[:-1]})?$", re.IGNORECASE)
_REST_OF_WORD: Final = re.compile(r"_|[^\W\d_]{3}")
"""Matches what follows the digit in a word whose beginning looks like a mark: `FR1EDENSPLATZ`."""
_CREDIT_AFTER: Final = re.compile(rf"\s?(?:[{_DASHES}](?![\d{_DASHES}])|CR\b)", re.IGNORECASE)
_TIMES: Final = r"[xX×*@✕]"
_GLUED_LETTERS: Final = re.compile(r"[^\W\d_]+[.\-/]?$")
_BESIDE: Final = 40
"""Characters in front of a number that say what it is; all of a long row, looked at for each of its numbers, would take minutes."""
_MAX_INTEGER_DIGITS: Final = 9
_MAX_PLAIN_DIGITS: Final = 6


@dataclass(frozen=True)
class PrintedAmount:
    """A number in a text that can be money.

    Attributes:
        text: As printed, with its sign, without its currency mark, and without spaces that OCR put inside.
        start: Where it begins in the text, sign and mark included.
        end: Where it ends.
        readings: Every amount that it can mean, likeliest first.
        mark: The currency mark that touches it, or the empty string.
        decimals: Digits after its last separator; 0 where it has none.
        is_money_like: True where its shape says money: two decimals, a currency mark, or groups of thousands.
    """

    text: str
    start: int
    end: int
    readings: tuple[Decimal, ...]
    mark: str
    decimals: int
    is_money_like: bool

    def value(self, mark: DecimalMark | None) -> Decimal:
        """What it means where `mark` separates decimals; `None` where the receipt shows no decimals."""
        return _signed(self.text, _read(_core(self.text), mark))


def _core(text: str) -> str:
    return re.sub(rf"[^\d.,'’´`{_SPACES}]", "", text)


def _signed(text: str, value: Decimal) -> Decimal:
    is_negative = text[:1] in _MINUS + "(~" or bool(re.search(rf"\d[{_DASHES}]$|CR$", text, re.IGNORECASE))
    return -value if is_negative and value else value


def _read(core: str, mark: DecimalMark | None) -> Decimal:
    """The unsigned amount of digits and separators; the last separator is the decimal mark unless it groups thousands."""
    digits = re.sub(r"\D", "", core)
    if not digits:
        return Decimal(0)
    separators = re.findall(r"[.,]", core.rstrip(".,"))
    if not separators:
        return Decimal(digits)
    last = separators[-1]
    tail = len(re.sub(r"\D", "", core.rstrip(".,").rpartition(last)[2]))
    return Decimal(digits).scaleb(-tail if _is_decimal(core, last, tail, separators, mark) else 0)


def _is_decimal(core: str, last: str, tail: int, separators: list[str], mark: DecimalMark | None) -> bool:
    if tail != 3:
        return tail < 3 or last == mark
    if len(separators) > 1:
        return separators[-2] != last and last == mark
    return last == mark or core.startswith("0")


@lru_cache(maxsize=4096)
def find_amounts(text: str) -> tuple[PrintedAmount, ...]:
    """Every number in a line of print that can be money, left to right.

    Dates, times, telephone numbers, percentages, measures, masked cards and long codes are no amounts; neither are the factors of
    `2 x` and `x 2` unless they have two decimals.
    """
    masked = _NOT_MONEY.sub(lambda match: " " * len(match.group()), clean_digits(text))
    found = (_amount(masked, match) for match in (_SPACED if _CYRILLIC.search(masked) else _NUMBER).finditer(masked))
    return tuple(amount for amount in found if amount is not None)


def _amount(masked: str, match: re.Match[str]) -> PrintedAmount | None:
    core, dash = _joined(match["number"]), (match["dash"] or "").replace(" ", "")
    mark, start, end = _mark_beside(masked, match)
    decimals = len(re.split(r"[.,]", core)[-1]) if re.search(r"[.,]", core) else 0
    begin = max(0, match.start() - _BESIDE)
    before, after = masked[begin : match.start()], masked[match.end() :]
    is_shaped = decimals == 2 or bool(dash)
    if start < match.start() and not is_shaped and _REST_OF_WORD.match(after):
        return None
    if not _has_money_size(core, decimals, bool(mark)) or not (is_shaped or mark or _stands_free(before, after)):
        return None
    sign = _sign(before, after)
    credit = None if dash else _CREDIT_AFTER.match(masked, match.end())
    text = f"{'-' if sign else ''}{core}{dash}{'-' if credit and not sign else ''}"
    start = min(start, begin + sign.start()) if sign else start
    end = max(end, credit.end()) if credit else end
    readings = dict.fromkeys(_signed(text, _read(core, option)) for option in (_likely(core), ".", ","))
    is_money_like = decimals in (2, 3) or bool(mark) or bool(dash) or len(_SEPARATORS.findall(core)) > 1
    return PrintedAmount(text, start, end, tuple(readings), mark, decimals, is_money_like)


def _joined(number: str) -> str:
    """The number without what OCR put inside or left out: spaces, doubled marks, a lost mark."""
    number = re.sub(r"^(\d+),\s?(\d{3})\s(\d{3})$", r"\1,\2,\3", number)
    if not re.search(r"[.,]", number):
        return re.sub(r"^(\d+) (\d{2})$", r"\1.\2", number)
    return re.sub(r"\s|[.,](?=[.,])", "", number)


def _mark_beside(masked: str, match: re.Match[str]) -> tuple[str, int, int]:
    """The currency mark that touches a number, and where both begin and end."""
    if before := currencies.BEFORE.search(masked, max(0, match.start() - _BESIDE), match.start()):
        return before["mark"], before.start(), match.end()
    after = currencies.AFTER.match(masked, match.end())
    if after and not re.match(r"\s?[\d.]", masked[after.end() :]):  # else it belongs to the next number
        return after["mark"], match.start(), after.end()
    return "", match.start(), match.end()


def _sign(before: str, after: str) -> re.Match[str] | None:
    """The minus or opening bracket in front of a number. A dash is none where it joins two words or stands between label and amount."""
    sign = _SIGN_BEFORE.search(before)
    if sign is None or sign["sign"] == "(":
        return sign if sign and after.lstrip().startswith(")") else None
    ahead, behind = before[: sign.start()], before[sign.start() + 1 :]
    joins = re.search(r"\w$", ahead) or (behind.startswith(" ") and re.search(r"[\w)]\s$", ahead))
    return None if joins else sign


def _has_money_size(core: str, decimals: int, has_mark: bool) -> bool:  # noqa: FBT001  (private)
    digits = re.sub(r"\D", "", core)
    is_code = not decimals and len(digits) > _MAX_PLAIN_DIGITS and not has_mark and core == digits
    is_odd = decimals > 3 or (decimals == 1 and len(re.findall("[.,]", core)) > 1)
    return len(digits) - decimals <= _MAX_INTEGER_DIGITS and not is_code and not is_odd


def _stands_free(before: str, after: str) -> bool:
    """True for a number that is no part of a code, a word or a factor."""
    in_code = re.search(r"[#№/\\_]\s?$|\w-$|\d$", before) or re.match(r"[^\W\d_]{2,}|[/\\_#\-]\w|\.\w|:\d", after)
    is_factor = re.match(rf"\s?{_TIMES}(?!\w*[^\W\dxX])", after) or re.search(rf"(?:^|[\d\s]){_TIMES}\s?$", before)
    return not (_GLUED_LETTERS.search(before) or in_code or is_factor)


def _likely(core: str) -> DecimalMark | None:
    kinds = [sign for sign in core if sign in ".,"]
    if len(set(kinds)) == 2:
        return "." if kinds[-1] == "." else ","
    return None


def decimal_mark(texts: Iterable[str]) -> DecimalMark | None:
    """The decimal mark that all amounts of a receipt share; `None` where it prints none, as in Indonesia and Japan.

    Each printed number votes: `1.234,50` surely, `12,50` for its comma, `1.234.500` against its dot, `0,846` for its comma. Three digits
    behind a mark are decimals where a mark of a currency with three digits is printed, else thousands, and many of them outvote a few
    others. Where a mark of a currency without decimals is printed, they need as many others against them, and so they do where they are
    round and end their rows, as prices do and quantities do not.
    """
    votes: Counter[str] = Counter()
    currencies_seen: Counter[str] = Counter()
    whole = 0
    for text in texts:
        plain = clean_digits(text)
        for weight in re.finditer(r"(?<![\d.,])\d{1,2}([.,])\d{3}(?=\s?(?:kg|KG|Kg|l\b|L\b))", plain):
            votes[weight[1]] += 2
        for amount in find_amounts(text):
            _vote(amount, votes)
            currencies_seen.update(currencies.candidates_of(amount.mark)[:1])
        whole += bool(_WHOLE.search(plain))
    is_three = any(minor_digits(code) == 3 for code in currencies_seen)
    if is_three and votes["groups"]:
        votes[max((".", ","), key=lambda mark: votes[f"groups{mark}"])] += votes["groups"]
        votes["groups"] = 0
    dot, comma = votes["."], votes[","]
    if not is_three and whole > max(1, dot, comma):
        return None
    limit = 3 if all(map(currencies.has_decimals, currencies_seen)) else 1
    if max(dot, comma) <= 0 or votes["groups"] > limit * (dot + comma):
        return None
    return "." if dot >= comma else ","


_WHOLE: Final = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[.,]\d{3})*[.,]\d00\s?\D{0,2}$")
"""A round amount of thousands at the end of a row."""


def _vote(amount: PrintedAmount, votes: Counter[str]) -> None:
    core = _core(amount.text)
    separators = re.findall(r"[.,]", core)
    if not separators:
        return
    last = separators[-1]
    if len(set(separators)) == 2:
        votes[last] += 3 if amount.decimals < 3 else -1
    elif (amount.decimals == 2 and len(separators) == 1) or (amount.decimals == 3 and core.startswith("0")):
        votes[last] += 1
    elif amount.decimals == 3:
        votes["groups"] += len(separators)
        votes[f"groups{last}"] += len(separators)
        votes[last] -= 2 * (len(separators) - 1)


def parse_amount(text: str, mark: DecimalMark | None) -> Decimal | None:
    """The amount that a printed text means, or `None` where it holds no number; where it holds several, the first that looks like money.

    Args:
        text: One amount as printed, such as `RM 1,234.50`, `1.234,50-`, `(3.00)` or `12,-`.
        mark: The receipt's decimal mark; a number that cannot be meant so, such as `12,50` where `.` rules, is read as its shape says.
    """
    found = find_amounts(text)
    if not found:
        digits = re.search(r"\d[\d.,]*", clean_digits(text))
        return _signed(text.strip(), _read(digits.group(), mark)) if digits and len(digits.group()) <= 15 else None
    return next((amount for amount in found if amount.is_money_like), found[0]).value(mark)
