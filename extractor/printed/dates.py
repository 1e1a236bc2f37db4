"""Dates in printed text, each with everything that it can mean. Decides nothing: order and year system belong to the whole receipt."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from extractor.printed import months

Order = Literal["DMY", "MDY", "YMD"]
YearSystem = Literal["gregorian", "buddhist", "minguo", "reiwa", "heisei"]


class Reading(NamedTuple):
    """One meaning of a printed date: the day, the order of its parts, and how its year counts."""

    day: date
    order: Order
    years: YearSystem = "gregorian"


@dataclass(frozen=True)
class PrintedDate:
    """A date as printed and what it can mean.

    Attributes:
        text: As printed, without a time that is glued to it.
        start: Where it begins in the searched text.
        end: Where it ends, excluding.
        readings: At least one; the same day may occur in several orders.
        is_repaired: True where OCR slips had to be put right, such as O for 0 or a lost separator.
        is_weak: True for eight digits in a row and for a year of two digits at the front: as likely a number.
        is_named: True where the month is a word.
    """

    text: str
    start: int
    end: int
    readings: tuple[Reading, ...]
    is_repaired: bool = False
    is_weak: bool = False
    is_named: bool = False

    @property
    def days(self) -> frozenset[date]:
        """The different days that it can mean, a two-digit year at the front left out unless nothing else is possible."""
        usual = frozenset(reading.day for reading in self.readings if not self._is_short_ymd(reading))
        return usual or frozenset(reading.day for reading in self.readings)

    def _is_short_ymd(self, reading: Reading) -> bool:
        return reading.order == "YMD" and not re.match(r"\D*\d{3}", self.text) and not self.is_named

    def in_order(self, order: Order | None) -> frozenset[date]:
        """The days that remain when the receipt's order is known; all of `days` where it is not, or where the date contradicts it."""
        return frozenset(reading.day for reading in self.readings if reading.order == order) or self.days


# Years that receipts can carry. Buddhist years run 543 ahead, Minguo years start in 1912, Heisei in 1989, Reiwa in 2019.
_FIRST_YEAR, _LAST_YEAR = 1980, 2079
_BUDDHIST, _MINGUO, _HEISEI, _REIWA = 543, 1911, 1988, 2018
_WIDE = str.maketrans("０１２３４５６７８９／－．，：∶·　–—−‐’‘`´", "0123456789/-.,::: ----''''")
_AS_DIGIT = str.maketrans("OoQDlI|BSZ", "0000111852")
_GLUED_TIME = re.compile(r"T?\d{1,2}\s?[:.h]\s?\d{2}")


@lru_cache(maxsize=4096)
def find_dates(text: str) -> tuple[PrintedDate, ...]:
    """All dates in the text, in print order, none overlapping.

    Not dates: phone numbers, versions and addresses of four parts, amounts, and anything without a year.
    """
    plain = text.translate(_WIDE)
    if sum(character.isdigit() for character in plain) < 3:
        return ()
    found: list[PrintedDate] = []
    for finder in (_find_named, _find_eastern, _find_numeric, _find_damaged, _find_compact):
        for candidate in finder(plain):
            if all(candidate.end <= other.start or other.end <= candidate.start for other in found):
                found.append(candidate)
    return tuple(sorted(found, key=lambda printed: printed.start))


def _year(digits: str) -> Iterator[tuple[int, YearSystem]]:
    """The Gregorian years that printed digits can mean, with their year system."""
    number = int(digits)
    if len(digits) == 4:
        if _FIRST_YEAR <= number <= _LAST_YEAR:
            yield number, "gregorian"
        if _FIRST_YEAR <= number - _BUDDHIST <= _LAST_YEAR:
            yield number - _BUDDHIST, "buddhist"
    elif len(digits) == 3:
        if _FIRST_YEAR <= number + _MINGUO <= _LAST_YEAR:
            yield number + _MINGUO, "minguo"
    elif number < 50:
        yield 2000 + number, "gregorian"
    elif number < 80:  # 2550 to 2579 of the Buddhist era are 2007 to 2036; 1950 to 1979 had no receipts that anyone keeps
        yield 2500 + number - _BUDDHIST, "buddhist"
    else:
        yield 1900 + number, "gregorian"


def _reading(years: str, month: int, day: str, order: Order) -> Iterator[Reading]:
    for year, system in _year(years):
        try:
            yield Reading(date(year, month, int(day)), order, system)
        except ValueError:
            continue


def _numeric_readings(first: str, second: str, third: str) -> tuple[Reading, ...]:
    found: list[Reading] = []
    if len(first) >= 3:
        if len(third) <= 2:
            found += _reading(first, int(second), third, "YMD")
    elif len(third) != 3:
        found += _reading(third, int(second), first, "DMY")
        found += _reading(third, int(first), second, "MDY")
        if len(third) == 2 and len(first) == 2:
            found += (reading for reading in _reading(first, int(second), third, "YMD") if reading.years == "gregorian")
    return tuple(found)


_D = r"[0-9OoQDlI|]"
_SEPARATOR = r"(?:\s?[-/.,\\:'_~]{1,2}\s?|\s)"
_NUMERIC = re.compile(
    rf"(?:(?<![0-9])|(?<=[0-9]:[0-9]{{2}}))(?P<a>{_D}{{1,4}})(?P<s>{_SEPARATOR})(?P<b>{_D}{{1,2}})(?P<t>{_SEPARATOR}'?)"
    rf"(?P<c>{_D}{{2}}[0-9OoQDlI|BSZ]{{2}}|{_D}{{2}})"
)
_TAIL = re.compile(r"[-/]\s?\d|[.,:']\d")


def _ends_well(plain: str, end: int) -> bool:
    """Whether a date may end here: nothing follows that makes it part of a longer number; a time may."""
    rest = plain[end:]
    if _GLUED_TIME.match(rest):
        return True
    return not rest[:1].isdigit() and (not _TAIL.match(rest) or bool(_GLUED_TIME.match(rest[1:].lstrip())))


def _scan(pattern: re.Pattern[str], plain: str, build: Callable[[re.Match[str]], PrintedDate | None]) -> Iterator[PrintedDate]:
    """What `build` makes of the pattern's matches, looking again one character further on where it makes nothing."""
    position = 0
    while match := pattern.search(plain, position):
        printed = build(match)
        position = printed.end if printed else match.start() + 1
        if printed:
            yield printed


def _find_numeric(plain: str) -> Iterator[PrintedDate]:
    return _scan(_NUMERIC, plain, _numeric)


def _numeric(match: re.Match[str]) -> PrintedDate | None:
    plain, parts = match.string, (match["a"], match["b"], match["c"])
    separators = (match["s"].strip(), match["t"].strip(" '"))
    if not _is_numeric("".join(parts), separators, parts) or _continues_a_number(plain, match.start(), separators[0]):
        return None
    for length in (len(parts[2]), 2):
        end = match.start("c") + length
        printed = (parts[0], parts[1], parts[2][:length])
        first, second, third = (part.translate(_AS_DIGIT) for part in printed)
        readings = _numeric_readings(first, second, third)
        if readings and _ends_well(plain, end) and (length == len(parts[2]) or _GLUED_TIME.match(plain[end:])):
            is_repaired = not "".join(printed).isdigit() or separators[0] != separators[1] or separators[0] not in {"/", "-", "."}
            is_weak = (
                _looks_like_version(match)
                or (separators[0] != separators[1] and len(third) == 2)
                or (len(first) <= 2 and all(reading.order == "YMD" for reading in readings))
            )
            return PrintedDate(plain[match.start() : end], match.start(), end, readings, is_repaired=is_repaired, is_weak=is_weak)
    return None


def _continues_a_number(plain: str, start: int, separator: str) -> bool:
    """Whether a number sign or the same separator stands before: 03-12-11-2018, 10.12.11.18, #01-13/14."""
    return plain[:start].endswith("#") or (bool(separator) and bool(re.search(rf"\d\s?{re.escape(separator[0])}$", plain[:start])))


def _is_numeric(digits: str, separators: tuple[str, str], parts: tuple[str, str, str]) -> bool:
    """Whether three groups are digits enough, and separated like a date's rather than like a time's, an amount's or loose numbers."""
    if sum(character.isdigit() for character in digits) * 3 < len(digits) * 2:
        return False
    full = len(parts[2]) == 4 or len(parts[0]) == 4
    if separators == ("", ""):
        return full and min(len(parts[0]), len(parts[1])) == 2
    if set(separators) <= {",", ":", "'", ""}:  # a list, a time, amounts
        return full and ":" not in separators
    is_even = separators[0][:1] == separators[1][:1] != ""
    return full or is_even or (len(digits) == 6 and set(separators) <= {"", "-", "/", "~", "--"})


def _looks_like_version(match: re.Match[str]) -> bool:
    """Whether three groups could as well be a program's version: 5.3.18."""
    return match["s"] == "." and len(match["b"]) == 1 and len(match["c"]) == 2


# A slash read as 1 or lost, a number glued in front: 15/0312018, 1510312018, 2107/2017, 19536001/06/2018.
_DAMAGED = re.compile(
    r"(?<![\d/.-])(?P<a>[0-3]\d)(?:(?:[-/.](?P<b>[01]\d)[1I|l]|[1I|l](?P<b2>[01]\d)[-/.]|[1I|l](?P<b3>[01]\d)[1I|l])(?P<c>20[0-4]\d)"
    r"|(?P<b4>[01]\d)[-/](?P<c2>20[0-4]\d)|[-/](?P<b5>[01]\d)(?P<c3>20[0-4]\d))"
)
_GLUED_NUMBER = re.compile(r"(?<=\d\d)(?P<a>[0-3]\d)(?P<s>[-/.])(?P<b>[01]\d)(?P=s)(?P<c>20[0-4]\d)")
_NUMBER_AFTER = re.compile(r"(?<![\d/])(?P<a>[0-3]?\d)(?P<s>/)(?P<b>[0-3]?\d)(?P=s)(?P<c>20[0-4]\d)(?=\d{4})")


def _find_damaged(plain: str) -> Iterator[PrintedDate]:
    yield from _scan(_DAMAGED, plain, _damaged)
    yield from _scan(_GLUED_NUMBER, plain, _glued)
    yield from _scan(_NUMBER_AFTER, plain, _glued)


def _glued(match: re.Match[str]) -> PrintedDate | None:
    readings = _numeric_readings(match["a"], match["b"], match["c"])
    if not readings or (match.re is not _NUMBER_AFTER and not _ends_well(match.string, match.end())):
        return None
    return PrintedDate(match.group(), match.start(), match.end(), readings, is_repaired=True, is_weak=True)


def _damaged(match: re.Match[str]) -> PrintedDate | None:
    second = match["b"] or match["b2"] or match["b3"] or match["b4"] or match["b5"]
    readings = _numeric_readings(match["a"], second, match["c"] or match["c2"] or match["c3"])
    if not readings or not _ends_well(match.string, match.end()):
        return None
    return PrintedDate(match.group(), match.start(), match.end(), readings, is_repaired=True, is_weak=True)


_COMPACT = re.compile(r"(?<![\d.,/-])(?P<y>20[0-4]\d)(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)(?=[T\s_]?[0-2]\d:?[0-5]\d|\D|$)(?![.,/-]\d)")
# 25032018 13:11: without a separator the day comes first only where a time or nothing follows.
_COMPACT_DAY = re.compile(
    r"(?<![\d.,/-])(?P<d>[0-3]\d)(?P<m>0[1-9]|1[0-2])(?P<y>20[0-4]\d)(?=\s[0-2]?\d[:;][0-5]\d|$)(?:(?<=^\d{8})|(?!$))"
)


def _find_compact(plain: str) -> Iterator[PrintedDate]:
    yield from _scan(_COMPACT, plain, _compact)
    yield from _scan(_COMPACT_DAY, plain, _compact)


def _compact(match: re.Match[str]) -> PrintedDate | None:
    readings = tuple(_reading(match["y"], int(match["m"]), match["d"], "YMD" if match.re is _COMPACT else "DMY"))
    return PrintedDate(match.group(), match.start(), match.end(), readings, is_weak=True) if readings else None


_GAP = r"[\s\-/.,'_*]{0,3}"
_SUFFIX = r"(?:\s?(?:st|nd|rd|th|er|º|°))?"
_DAY_FIRST = re.compile(
    rf"(?<![0-9])(?<![0-9][/.,:])(?P<d>[0-9oli|]{{1,2}}){_SUFFIX}(?P<g>{_GAP}|\s?de\s|\sd')(?P<m>{months.PATTERN})(?P<h>{_GAP}|\s?del?\s)(?P<y>[0-9o]{{4}}|\d{{2}})"
)
_MONTH_FIRST = re.compile(
    rf"(?<![^\W\d_])(?P<m>{months.PATTERN})(?P<g>[\s\-/.']{{0,3}})(?P<d>[0-9oli|]{{1,2}}){_SUFFIX}(?P<h>[\s\-/.,']{{1,3}}|(?='))(?P<y>[0-9o]{{4}}|\d{{2}})"
)
_UNIX = re.compile(
    rf"(?<![^\W\d_])(?P<m>{months.PATTERN})(?P<g>\s)(?P<d>\d{{1,2}})(?P<h>\s)(?:\d{{1,2}}:\d{{2}}(?::\d{{2}})?)\s(?P<y>20\d{{2}})"
)
_YEAR_FIRST = re.compile(
    rf"(?<![0-9.,])(?P<y>[0-9]{{4}}|[0-9]{{2}}(?=[-/.]))(?P<g>{_GAP})(?P<m>{months.PATTERN})(?P<h>{_GAP})(?P<d>[0-9]{{1,2}})(?![0-9])"
)


def _find_named(plain: str) -> Iterator[PrintedDate]:
    folded = months.fold(plain)
    orders: Iterable[tuple[re.Pattern[str], Order]] = ((_DAY_FIRST, "DMY"), (_YEAR_FIRST, "YMD"), (_UNIX, "MDY"), (_MONTH_FIRST, "MDY"))
    for pattern, order in orders:
        yield from _scan(pattern, folded, lambda match, order=order: _named(match, plain, order))  # type: ignore[misc]


def _named(match: re.Match[str], plain: str, order: Order) -> PrintedDate | None:
    folded = match.string
    possible, is_repaired = months.months_of(match["m"])
    day, year = match["d"].translate(_AS_DIGIT), match["y"].translate(_AS_DIGIT)
    is_spaced = match["g"].isspace() and match["h"].isspace() and match["m"] in months.ALSO_WORDS
    is_word = sum(character.isalpha() for character in match["m"]) >= 2
    if not is_word or not re.search(r"\d", match["d"]) or (len(year) == 2 and (is_spaced or (order == "MDY" and match["h"] == "."))):
        return None
    for length in (len(year), 2):
        end = match.start("y") + length if order != "YMD" else match.end()
        readings = tuple(reading for month in possible for reading in _reading(year[:length], month, day, order))
        if readings and (order == "YMD" or _ends_well(folded, end)):
            repaired = is_repaired or not match["d"].isdigit() or not match["y"].isdigit()
            return PrintedDate(plain[match.start() : end], match.start(), end, readings, is_repaired=repaired, is_named=True)
        if order == "YMD":
            break
    return None


_EASTERN = re.compile(
    r"(?P<era>令和|平成|民國|民国|[RH](?=\d))?\s?(?P<y>\d{4}|\d{2,3}|\d|元)\s?[年년]\s?(?P<m>\d{1,2})\s?[月월]\s?(?P<d>\d{1,2})\s?[日号號일]?",
)
_ERAS: dict[str, tuple[int, YearSystem]] = {
    "令和": (_REIWA, "reiwa"),
    "R": (_REIWA, "reiwa"),
    "平成": (_HEISEI, "heisei"),
    "H": (_HEISEI, "heisei"),
    "民國": (_MINGUO, "minguo"),
    "民国": (_MINGUO, "minguo"),
}


def _find_eastern(plain: str) -> Iterator[PrintedDate]:
    return _scan(_EASTERN, plain, _eastern)


def _eastern(match: re.Match[str]) -> PrintedDate | None:
    number = 1 if match["y"] == "元" else int(match["y"])
    years: list[tuple[int, YearSystem]]
    if match["era"]:
        first, system = _ERAS[match["era"]]
        years = [(number + first, system)]
    elif len(match["y"]) == 1:
        years = [(number + _REIWA, "reiwa")]
    else:
        years = list(_year(match["y"]))
    readings = []
    for year, system in years:
        try:
            readings.append(Reading(date(year, int(match["m"]), int(match["d"])), "YMD", system))
        except ValueError:
            continue
    return PrintedDate(match.group().strip(), match.start(), match.end(), tuple(readings), is_named=True) if readings else None
