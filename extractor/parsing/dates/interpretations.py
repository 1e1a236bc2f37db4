"""Interpretations of a printed date: days, orders of its parts and calendars; and where a date may end in a line of print."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

Order = Literal["DMY", "MDY", "YMD"]
YearSystem = Literal["gregorian", "buddhist", "minguo", "reiwa", "heisei"]


class DateInterpretation(NamedTuple):
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
        is_repaired: True where OCR errors were corrected, such as O for 0 or a lost separator.
        is_weak: True for eight digits in a row and for a year of two digits at the front: as likely a number.
        is_named: True where the month is a word.
    """

    text: str
    start: int
    end: int
    readings: tuple[DateInterpretation, ...]
    is_repaired: bool = False
    is_weak: bool = False
    is_named: bool = False

    @property
    def days(self) -> frozenset[date]:
        """The different days that it can mean, a two-digit year at the front left out unless nothing else is possible."""
        usual = frozenset(reading.day for reading in self.readings if not self._is_short_ymd(reading))
        return usual or frozenset(reading.day for reading in self.readings)

    def _is_short_ymd(self, reading: DateInterpretation) -> bool:
        return reading.order == "YMD" and not re.match(r"\D*\d{3}", self.text) and not self.is_named

    def in_order(self, order: Order | None) -> frozenset[date]:
        """The days that remain when the receipt's order is known; all of `days` where it is not, or where the date contradicts it."""
        return frozenset(reading.day for reading in self.readings if reading.order == order) or self.days


# Years that receipts can carry. Buddhist years run 543 ahead, Minguo years start in 1912, Heisei in 1989, Reiwa in 2019.
_FIRST_YEAR, _LAST_YEAR = 1980, 2079
_BUDDHIST, MINGUO, HEISEI, REIWA = 543, 1911, 1988, 2018
GLUED_TIME = re.compile(r"T?\d{1,2}\s?[:.h]\s?\d{2}")
_TAIL = re.compile(r"[-/]\s?\d|[.,:']\d")


def years_of(digits: str) -> Iterator[tuple[int, YearSystem]]:
    """The Gregorian years that printed digits can mean, with their year system."""
    number = int(digits)
    if len(digits) == 4:
        if _FIRST_YEAR <= number <= _LAST_YEAR:
            yield number, "gregorian"
        if _FIRST_YEAR <= number - _BUDDHIST <= _LAST_YEAR:
            yield number - _BUDDHIST, "buddhist"
    elif len(digits) == 3:
        if _FIRST_YEAR <= number + MINGUO <= _LAST_YEAR:
            yield number + MINGUO, "minguo"
    elif number < 50:
        yield 2000 + number, "gregorian"
    elif number < 80:  # 2550 to 2579 of the Buddhist era are 2007 to 2036; 1950 to 1979 had no receipts that anyone keeps
        yield 2500 + number - _BUDDHIST, "buddhist"
    else:
        yield 1900 + number, "gregorian"


def readings_of(years: str, month: int, day: str, order: Order) -> Iterator[DateInterpretation]:
    """The days that parts in this order can mean; none where there is no such day."""
    for year, system in years_of(years):
        try:
            yield DateInterpretation(date(year, month, int(day)), order, system)
        except ValueError:
            continue


def ends_well(plain: str, end: int) -> bool:
    """Whether a date may end here: nothing follows that makes it part of a longer number; a time may."""
    rest = plain[end:]
    if GLUED_TIME.match(rest):
        return True
    return not rest[:1].isdigit() and (not _TAIL.match(rest) or bool(GLUED_TIME.match(rest[1:].lstrip())))


def scan(pattern: re.Pattern[str], plain: str, build: Callable[[re.Match[str]], PrintedDate | None]) -> Iterator[PrintedDate]:
    """What `build` makes of the pattern's matches, looking again one character further on where it makes nothing."""
    position = 0
    while match := pattern.search(plain, position):
        printed = build(match)
        position = printed.end if printed else match.start() + 1
        if printed:
            yield printed
