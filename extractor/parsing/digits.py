"""Digits as they are printed in any script, and as OCR misreads them. Pure."""

import re
from decimal import Decimal
from typing import Final

_WIDE: Final = str.maketrans(
    {**{chr(0xFF10 + i): str(i) for i in range(10)}, "，": ",", "．": ".", "：": ":", "（": "(", "）": ")", "－": "-"}
)
_OTHER_SCRIPTS: Final = str.maketrans(
    {
        # Arabic, Persian, Devanagari, Thai; and subscripts, which OCR makes of small print.
        **{chr(start + i): str(i) for start in (0x660, 0x6F0, 0x966, 0xE50, 0x2080) for i in range(10)},
        "٫": ".",
        "٬": ",",
    }
)
_LOOKALIKE: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:RM|Rp|Rs)?(?:[\dOoQDIil|ZG][\dOoQDIil|ZGS]{0,6}|[SB](?=[.,]))\s?[.,]\s?"
    r"(?:[\dOoQDBISZG][\dOoQDCISZGB]|[\dOoQD]{2})(?![A-Za-z0-9]|[.,]\d)"
)
_AS_DIGIT: Final = str.maketrans("OoQDIil|BCSZG", "0000111180526")
_MARKS: Final = frozenset({"RM", "Rp", "Rs"})
# Behind the dot of an abbreviation (`USt.19 %`), a number has no spaces in it: in `No.4. 20%`, the rate is 20.
_PERCENTAGE: Final = re.compile(r"(?:(?<![\d.,])(\d{1,3}(?:\s?[.,]\s?\d{1,3})?)|(?<=[^\W\d_][.,])(\d{1,3}(?:[.,]\d{1,3})?))\s?[%％]")


def clean_digits(text: str) -> str:
    """The text, equally long, with digits of other scripts as 0 to 9 and letters that stand among decimals as the digits they look like."""
    return _LOOKALIKE.sub(_as_digits, text.translate(_WIDE).translate(_OTHER_SCRIPTS))


def _as_digits(match: re.Match[str]) -> str:
    """The digits that a number's letters look like; a currency mark in front stays, and so does text with more letters than digits."""
    text = match.group()
    mark = text[:2] if text[:2] in _MARKS else ""
    number = text[len(mark) :]
    is_number = 2 * sum(c.isdigit() for c in number) >= sum(c.isalnum() for c in number)
    return mark + number.translate(_AS_DIGIT) if is_number else text


def find_percentages(text: str) -> tuple[Decimal, ...]:
    """Every percentage in a line of print, left to right: 19 for `19 %`, 7.5 for `7,5%`; values above 100 are left out."""
    found = []
    for match in _PERCENTAGE.finditer(clean_digits(text)):
        value = Decimal(re.sub(r"\s", "", match[1] or match[2]).replace(",", "."))
        if value <= 100:
            found.append(value.normalize() if value else Decimal(0))
    return tuple(found)
