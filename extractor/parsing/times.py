"""Times of day in printed text, opening hours and durations left out. The caller picks the one of the sale."""

import re
from dataclasses import dataclass
from datetime import time
from functools import lru_cache

from extractor.parsing.confusions import LETTERS_AS_DIGITS
from extractor.parsing.dates.finder import find_dates


@dataclass(frozen=True)
class PrintedTime:
    """A time of day as printed and its value.

    Attributes:
        text: As printed, with its AM or PM.
        start: Where it begins in the searched text.
        end: Where it ends, excluding.
        value: On the 24-hour clock.
        is_repaired: True where OCR errors were corrected, such as PH for PM.
        is_weak: True where it is printed like an amount (`14.05`) or a bare hour (`8 PM`): needs a date or a label beside it.
    """

    text: str
    start: int
    end: int
    value: time
    is_repaired: bool = False
    is_weak: bool = False


_WIDE = str.maketrans("０１２３４５６７８９：．，；∶·　", "0123456789:.,;:: ")
_HALF = r"(?:[-_]?(?P<half>[ap]\s?\.?\s?[mhna]\b\.?|[ap]\b|[ap][mhn](?=\d|(?-i:[A-Z])|$)))"
_D = r"[0-9OoQ]"

# 14:05, 14:05:30, 2:05PM, 2:05:30 p.m., 14;05, 14:05:30.000Z
_CLOCK = re.compile(
    rf"(?<![\d])(?<!\d[.,:;])(?P<before>上午|下午|오전|오후|午前|午後)?\s?(?P<h>\d{_D}?|(?<![^\W\d_])[OoQ]\d)\s?[:;]\s?(?P<m>{_D}{{2}})"
    rf"(?:\s?[:;.]\s?(?P<s>{_D}{{2}})(?:[.,]\d{{1,6}})?)?\s?{_HALF}?",
    re.IGNORECASE,
)
# 20h15, 20 h 15, 20H15m, 14時05分, 14시 05분
_LETTER = re.compile(
    r"(?<![\d.,])(?P<before>上午|下午|오전|오후|午前|午後)?\s?(?P<h>\d{1,2})\s?(?:[hH]|[時时点點시])\s?(?P<m>\d{2})(?:\s?(?:min|m|'|[分분])?\s?(?P<s>\d{2})\s?(?:s|''|[秒초]))?(?![\d.,]|-\d)"
)
# 8.13 PM, 14.05 Uhr, 19.30 น., 14.05.30
_DOTTED = re.compile(
    rf"(?<![\d])(?<!\d[.,:/-])(?<![$€£¥])(?P<h>\d{{1,2}})\.(?P<m>\d{{2}})(?:\.(?P<s>\d{{2}}))?(?![.,]?\d)\s?(?:{_HALF}|(?P<word>uhr|u\.|น\.?|hrs?\b|klo\b))?",
    re.IGNORECASE,
)
# 8 PM, 11AM: only with the half of the day
_BARE = re.compile(rf"(?<![\d.,:/-])(?P<h>\d{{1,2}})\s?{_HALF}", re.IGNORECASE)

# A time inside a date, as in `Jun 15 12:47:59 2011`.
_INSIDE_DATE = re.compile(r"(?<=\s)\d{1,2}:\d{2}(?::\d{2})?(?=\s)")

_DASH = r"\s?(?:hrs?|h|uhr|น\.?)?\s?(?:-|–|—|~|\bto\b|\btill?\b|\buntil\b|\bbis\b|\bdo\b|\bau?\b|\bà|\bal?\b|\baté\b|\ba\b|至|から|ถึง)\s?"
_RANGE_AFTER = re.compile(_DASH + r"\d{1,2}(?:\s?[:.h]\s?[0-9O]{2}|\s?[ap]\.?m|\s?(?:uhr|h\b|น))", re.IGNORECASE)
_RANGE_BEFORE = re.compile(r"\d{1,2}(?:[:.h][0-9O]{2}|\s?[ap]\.?m\.?|)" + _DASH + "$", re.IGNORECASE)
_DURATION_AFTER = re.compile(r"\s?(?:hours|hour\b|std\.|stunden|heures|min\b|minutes|mins\b|tim\b|godz\b|ore\b)", re.IGNORECASE)


@lru_cache(maxsize=4096)
def find_times(text: str) -> tuple[PrintedTime, ...]:
    """All times of day in the text, in print order, none overlapping each other or a date.

    Left out: both ends of a span of hours (`10:00 - 22:00`), durations (`2:30 hours`), hours above 23, minutes above 59.
    """
    plain = text.translate(_WIDE)
    masked = plain
    for printed in find_dates(plain):
        inside = _INSIDE_DATE.search(masked, printed.start, printed.end)
        for start, end in ((printed.start, inside.start()), (inside.end(), printed.end)) if inside else ((printed.start, printed.end),):
            masked = masked[:start] + "\n" * (end - start) + masked[end:]
    masked = re.sub(r"(?<=\n)T(?=\d)", " ", masked)
    found: list[PrintedTime] = []
    for pattern in (_CLOCK, _LETTER, _DOTTED, _BARE):
        for match in pattern.finditer(masked):
            printed_time = _time(match, text)
            if printed_time and all(printed_time.end <= other.start or other.end <= printed_time.start for other in found):
                found.append(printed_time)
    return tuple(sorted(found, key=lambda printed: printed.start))


def _time(match: re.Match[str], text: str) -> PrintedTime | None:
    masked, groups = match.string, match.groupdict()
    after, before = masked[match.end() :], masked[: match.start()]
    if _RANGE_AFTER.match(after) or _RANGE_BEFORE.search(before) or _DURATION_AFTER.match(after):
        return None
    digits = [(groups.get(name) or "0").translate(LETTERS_AS_DIGITS) for name in "hms"]
    hour, minute, second = (int(part) for part in digits)
    half = _half(groups)
    is_bare = match.re is _BARE
    if hour > 23 or minute > 59 or second > 59 or (is_bare and not 1 <= hour <= 12):
        return None
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    raw_half = re.sub(r"[\s.]", "", groups.get("half") or "").lower()
    start = next(index for index in range(match.start(), match.end()) if not masked[index].isspace())
    shown = text[start : match.end()].rstrip()
    is_repaired = raw_half[1:] in {"h", "n"} or ";" in match.group() or not all((groups.get(n) or "0").isdigit() for n in "hms")
    is_dotted = match.re is _DOTTED and not groups.get("half") and not groups.get("word")
    is_weak = is_bare or is_dotted or (match.group()[-1].isdigit() and after[:1].isdigit() and "\n" not in before[-3:])
    return PrintedTime(shown, start, start + len(shown), time(hour, minute, second), is_repaired=is_repaired, is_weak=is_weak)


def _half(groups: dict[str, str | None]) -> str:
    """`a` for before noon, `p` for after, nothing where the 24-hour clock is used."""
    if groups.get("before"):
        return "a" if groups["before"] in {"上午", "오전", "午前"} else "p"
    return (groups.get("half") or "")[:1].lower()
