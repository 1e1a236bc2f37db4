"""Printed numbers and the amounts that they can mean: separators, signs, currency marks, and what OCR does to them. Pure."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from extractor.printed import currencies

DecimalMark = Literal[".", ","]

_SPACES: Final = " \u00a0\u2007\u2009\u202f"
_MINUS: Final = "-\u2212\u2013\u2014\u2010\u2011\uff0d"
_DASHES: Final = re.escape(_MINUS)
_DASH: Final = rf"[{_DASHES}~]"

_NOT_MONEY: Final = re.compile(
    r"""
      \d{1,2}[.:]\d{2}\s?[-–]\s?\d{1,2}[.:,]\d{2}(?!\d)                # opening hours
    | \d{1,4}\s?[./\-]\s?\d{1,2}\s?[./\-]\s?(?:20|19)?\d{2}(?!\d)       # dates: 03/10/68, 3.10.2018, 2018-10-03
    | (?<!\d)\d{4}[./\-]\d{1,2}[./\-]\d{1,2}(?!\d)
    | \d{1,2}[:：]\d{2}(?:[:：]\d{2})?\s?(?:[ap]\.?m\b)?                 # times
    | \+?\d[\d()]*(?:[-\s][\d()]{2,}){2,}(?![.,]\d)                      # telephone numbers and other groups of digits
    | \d*[.,]?\d+\s?[%％‰]                                             # percentages
    | (?<!\d)\d[\d.,]*\s?(?:kgs?|g|gr|ml|cl|l|lt|ltr|lbs?|oz|gal)\b(?!\s*$)     # measures; at the end of a row it may be a misread mark
    | (?<![\d.,])\d+(?:[.,]\d{3})?\s?(?:kgs?|g|gr|ml|cl|l|lt|ltr|lbs?|oz|cm|mm|m|km|pcs?|gal|kwh|pts?|inch|mb|gb|ks|szt|stk|stck|uds?|kpl|db)\b
    | (?:www\.|https?:)\S+ | \S+@\S+\.\S+
    | [#№*xX]{2,}\s?\d+                                                 # masked cards
    """,
    re.VERBOSE | re.IGNORECASE,
)

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
_LOOKALIKE: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:RM|Rp|Rs)?(?:[\dOoQDIil|ZG][\dOoQDIil|ZGSB]{0,6}|[SB])\s?[.,]\s?"
    r"(?:[\dOoQDBISZG][\dOoQDCISZGB]|[\dOoQD]{2})(?![A-Za-z0-9])"
)
_AS_DIGIT: Final = str.maketrans("OoQDIil|BCSZG", "0000111180526")
_WIDE: Final = str.maketrans(
    {**{chr(0xFF10 + i): str(i) for i in range(10)}, "，": ",", "．": ".", "：": ":", "（": "(", "）": ")", "－": "-"}
)
_ARABIC: Final = str.maketrans(
    {**{chr(0x660 + i): str(i) for i in range(10)}, **{chr(0x6F0 + i): str(i) for i in range(10)}, "٫": ".", "٬": ","}
)

_SIGN_BEFORE: Final = re.compile(rf"(?P<sign>{_DASH}|\()\s?(?:{currencies.BEFORE.pattern[:-1]})?$", re.IGNORECASE)
_CREDIT_AFTER: Final = re.compile(rf"\s?(?:[{_DASHES}](?![\d{_DASHES}])|CR\b)", re.IGNORECASE)
_TIMES: Final = r"[xX×*@✕]"
_GLUED_LETTERS: Final = re.compile(r"[^\W\d_]+[.\-/]?$")
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
    plain = clean_digits(text)
    masked = _NOT_MONEY.sub(_blank, plain)
    found = []
    for match in _NUMBER.finditer(masked):
        if amount := _amount(plain, masked, match):
            found.append(amount)
    return tuple(found)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def clean_digits(text: str) -> str:
    """The text, equally long, with digits of other scripts as 0 to 9 and letters that stand among decimals as the digits they look like."""
    plain = text.translate(_WIDE).translate(_ARABIC)
    return _LOOKALIKE.sub(_as_digits, plain)


def _as_digits(match: re.Match[str]) -> str:
    """The digits that a number's letters look like; a currency code in front stays, and so does text with more letters than digits."""
    text = match.group()
    code = text[:2] if text[:2] in {"RM", "Rp", "Rs"} else ""
    number = text[len(code) :]
    return code + number.translate(_AS_DIGIT) if 2 * sum(c.isdigit() for c in number) >= sum(c.isalnum() for c in number) else text


def _amount(plain: str, masked: str, match: re.Match[str]) -> PrintedAmount | None:
    number, start, end = match["number"], match.start(), match.end()
    number = re.sub(r"^(\d+),\s?(\d{3})\s(\d{3})$", r"\1,\2,\3", number)
    core = re.sub(r"\s|[.,](?=[.,])", "", number) if re.search(r"[.,]", number) else re.sub(r"^(\d+) (\d{2})$", r"\1.\2", number)
    separators = re.findall(r"[.,'’´`\u00a0\u2009\u202f]", core)
    decimals = len(re.split(r"[.,]", core)[-1]) if re.search(r"[.,]", core) else 0
    before, after = masked[:start], masked[end:]
    mark_before, mark_after = currencies.BEFORE.search(before), currencies.AFTER.match(masked, end)
    if mark_after and re.match(r"\s?[\d.]", masked[mark_after.end() :]):
        mark_after = None  # it belongs to the next amount
    mark = mark_before["mark"] if mark_before else mark_after["mark"] if mark_after else ""
    if not _could_be_money(core, decimals, before, after, mark=mark, has_dash=bool(match["dash"])):
        return None
    sign = _SIGN_BEFORE.search(before)
    closes = bool(sign and sign["sign"] == "(" and after.lstrip().startswith(")"))
    is_signed = bool(sign and (closes or (sign["sign"] != "(" and _is_minus(before, sign))))
    credit = None if match["dash"] else _CREDIT_AFTER.match(masked, end)
    text = ("-" if is_signed else "") + core + (match["dash"] or "").replace(" ", "") + ("-" if credit and not is_signed else "")
    first = min([start, *([sign.start()] if is_signed and sign else []), *([mark_before.start()] if mark_before else [])])
    last = max(end, credit.end() if credit else 0, mark_after.end() if mark_after and not mark_before else 0)
    readings = dict.fromkeys(_signed(text, _read(core, option)) for option in (_likely(core), ".", ","))
    grouped = len(separators) > 0 and decimals == 3 and not core.startswith("0") or len(separators) > 1
    money_like = decimals in (2, 3) or bool(mark) or bool(match["dash"]) or grouped
    return PrintedAmount(text, first, last, tuple(readings), mark, decimals, money_like)


def _is_minus(before: str, sign: re.Match[str]) -> bool:
    """A dash is a minus unless it joins two words or stands alone between a label and an amount."""
    ahead, behind = before[: sign.start()], before[sign.start() + 1 :]
    return not re.search(r"\w$", ahead) and not (behind.startswith(" ") and re.search(r"[\w)]\s$", ahead))


def _likely(core: str) -> DecimalMark | None:
    kinds = [sign for sign in core if sign in ".,"]
    if len(set(kinds)) == 2:
        return "." if kinds[-1] == "." else ","
    return None


def _could_be_money(core: str, decimals: int, before: str, after: str, *, mark: str, has_dash: bool) -> bool:
    digits = re.sub(r"\D", "", core)
    if len(digits) - decimals > _MAX_INTEGER_DIGITS or (not decimals and len(digits) > _MAX_PLAIN_DIGITS and not mark and core == digits):
        return False
    if decimals > 3 or re.search(r"(?<=\d)[.,](?=\d$)", core) and len(re.findall("[.,]", core)) > 1:
        return False
    is_shaped = decimals == 2 or has_dash
    glued = _GLUED_LETTERS.search(before)
    if not is_shaped and not mark:
        if glued or re.search(r"[#№/\\_]\s?$|\w-$|\d$", before) or re.match(r"[^\W\d_]{2,}|[/\\_#\-]\w|\.\w|:\d", after):
            return False
        if re.match(rf"\s?{_TIMES}(?!\w*[^\W\dxX])", after) or re.search(rf"(?:^|[\d\s]){_TIMES}\s?$", before):
            return False
    return not (is_shaped and glued and not mark and len(glued.group()) > 3 and not re.search(r"[:.]$", glued.group()) and decimals != 2)


def find_percentages(text: str) -> tuple[Decimal, ...]:
    """Every percentage in a line of print, left to right: 19 for `19 %`, 7.5 for `7,5%`; values above 100 are left out."""
    found = []
    for match in re.finditer(r"(?<![\d.,])(\d{1,3}(?:\s?[.,]\s?\d{1,3})?)\s?[%％]", clean_digits(text)):
        value = Decimal(re.sub(r"\s", "", match[1]).replace(",", "."))
        if value <= 100:
            found.append(value.normalize() if value else Decimal(0))
    return tuple(found)


def decimal_mark(texts: Iterable[str]) -> DecimalMark | None:
    """The decimal mark that all amounts of a receipt share; `None` where it prints none, as in Indonesia and Japan.

    Each printed number votes: `1.234,50` surely, `12,50` for its comma, `1.234.500` against its dot, `0,846` for its comma. Three digits
    behind a mark are decimals where a mark of a currency with three digits is printed, else thousands, and many of them outvote a few
    others. Where a mark of a currency without decimals is printed, they need as many others against them.
    """
    votes: Counter[str] = Counter()
    currencies_seen: Counter[str] = Counter()
    for text in texts:
        plain = clean_digits(text)
        for weight in re.finditer(r"(?<![\d.,])\d{1,2}([.,])\d{3}(?=\s?(?:kg|KG|Kg|l\b|L\b))", plain):
            votes[weight[1]] += 2
        for amount in find_amounts(text):
            _vote(amount, votes)
            currencies_seen.update(currencies.candidates_of(amount.mark)[:1])
    is_three = bool(set(currencies_seen) & _THREE_DIGITS)
    if is_three and votes["groups"]:
        votes[max((".", ","), key=lambda mark: votes[f"groups{mark}"])] += votes["groups"]
        votes["groups"] = 0
    dot, comma = votes["."], votes[","]
    limit = 1 if set(currencies_seen) & _NO_DIGITS else 3
    if max(dot, comma) <= 0 or votes["groups"] > limit * (dot + comma):
        return None
    return "." if dot >= comma else ","


_THREE_DIGITS: Final = frozenset({"KWD", "BHD", "OMR", "JOD", "TND", "IQD", "LYD"})
_NO_DIGITS: Final = frozenset({"IDR", "JPY", "KRW", "VND", "CLP", "PYG", "ISK", "UGX", "XOF"})
"""Currencies whose receipts print no decimals; the rupiah has them only in law."""


def _vote(amount: PrintedAmount, votes: Counter[str]) -> None:
    core = _core(amount.text)
    separators = re.findall(r"[.,]", core)
    if not separators:
        return
    last = separators[-1]
    if len(set(separators)) == 2:
        votes[last] += 3 if amount.decimals < 3 else -1
    elif amount.decimals == 2 and len(separators) == 1:
        votes[last] += 1
    elif amount.decimals == 3 and core.startswith("0"):
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
