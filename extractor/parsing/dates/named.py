"""Dates with a word in them: the month's name, or year, month and day in Chinese, Japanese or Korean."""

import re
from collections.abc import Iterable, Iterator
from datetime import date

from extractor.parsing.confusions import LETTERS_AS_DIGITS
from extractor.parsing.dates import months
from extractor.parsing.dates.interpretations import (
    HEISEI,
    MINGUO,
    REIWA,
    DateInterpretation,
    Order,
    PrintedDate,
    YearSystem,
    ends_well,
    readings_of,
    scan,
    years_of,
)

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


def find_named(plain: str) -> Iterator[PrintedDate]:
    """Dates with a month's name: 3 March 2026, Mar 3, 2026, 2026-Mar-03."""
    folded = months.fold(plain)
    orders: Iterable[tuple[re.Pattern[str], Order]] = ((_DAY_FIRST, "DMY"), (_YEAR_FIRST, "YMD"), (_UNIX, "MDY"), (_MONTH_FIRST, "MDY"))
    for pattern, order in orders:
        yield from scan(pattern, folded, lambda match, order=order: _named(match, plain, order))  # type: ignore[misc]


def _named(match: re.Match[str], plain: str, order: Order) -> PrintedDate | None:
    folded = match.string
    possible, is_repaired = months.months_of(match["m"])
    day, year = match["d"].translate(LETTERS_AS_DIGITS), match["y"].translate(LETTERS_AS_DIGITS)
    is_spaced = match["g"].isspace() and match["h"].isspace() and match["m"] in months.ALSO_WORDS
    is_word = sum(character.isalpha() for character in match["m"]) >= 2
    if not is_word or not re.search(r"\d", match["d"]) or (len(year) == 2 and (is_spaced or (order == "MDY" and match["h"] == "."))):
        return None
    for length in (len(year), 2):
        end = match.start("y") + length if order != "YMD" else match.end()
        readings = tuple(reading for month in possible for reading in readings_of(year[:length], month, day, order))
        if readings and (order == "YMD" or ends_well(folded, end)):
            repaired = is_repaired or not match["d"].isdigit() or not match["y"].isdigit()
            return PrintedDate(plain[match.start() : end], match.start(), end, readings, is_repaired=repaired, is_named=True)
        if order == "YMD":
            break
    return None


_EASTERN = re.compile(
    r"(?P<era>令和|平成|民國|民国|[RH](?=\d))?\s?(?P<y>\d{4}|\d{2,3}|\d|元)\s?[年년]\s?(?P<m>\d{1,2})\s?[月월]\s?(?P<d>\d{1,2})\s?[日号號일]?",
)
_ERAS: dict[str, tuple[int, YearSystem]] = {
    "令和": (REIWA, "reiwa"),
    "R": (REIWA, "reiwa"),
    "平成": (HEISEI, "heisei"),
    "H": (HEISEI, "heisei"),
    "民國": (MINGUO, "minguo"),
    "民国": (MINGUO, "minguo"),
}


def find_eastern(plain: str) -> Iterator[PrintedDate]:
    """Dates whose parts are named in Chinese, Japanese or Korean, with their eras: 令和6年3月1日."""
    return scan(_EASTERN, plain, _eastern)


def _eastern(match: re.Match[str]) -> PrintedDate | None:
    number = 1 if match["y"] == "元" else int(match["y"])
    years: list[tuple[int, YearSystem]]
    if match["era"]:
        first, system = _ERAS[match["era"]]
        years = [(number + first, system)]
    elif len(match["y"]) == 1:
        years = [(number + REIWA, "reiwa")]
    else:
        years = list(years_of(match["y"]))
    readings = []
    for year, system in years:
        try:
            readings.append(DateInterpretation(date(year, int(match["m"]), int(match["d"])), "YMD", system))
        except ValueError:
            continue
    return PrintedDate(match.group().strip(), match.start(), match.end(), tuple(readings), is_named=True) if readings else None
