"""Dates in printed text, each with all its interpretations. Order and year system are decided later, from the whole receipt."""

import re
from collections.abc import Iterator
from functools import lru_cache

from extractor.parsing.confusions import LETTERS_AS_DIGITS
from extractor.parsing.dates.interpretations import GLUED_TIME, DateInterpretation, PrintedDate, ends_well, readings_of, scan
from extractor.parsing.dates.named import find_eastern, find_named

_WIDE = str.maketrans("０１２３４５６７８９／－．，：∶·　–—−‐’‘`´", "0123456789/-.,::: ----''''")


@lru_cache(maxsize=4096)
def find_dates(text: str) -> tuple[PrintedDate, ...]:
    """All dates in the text, in print order, none overlapping.

    Not dates: phone numbers, versions and addresses of four parts, amounts, and anything without a year.
    """
    plain = text.translate(_WIDE)
    if sum(character.isdigit() for character in plain) < 3:
        return ()
    found: list[PrintedDate] = []
    for finder in (find_named, find_eastern, _find_numeric, _find_damaged, _find_compact):
        for candidate in finder(plain):
            if all(candidate.end <= other.start or other.end <= candidate.start for other in found):
                found.append(candidate)
    return tuple(sorted(found, key=lambda printed: printed.start))


def _numeric_readings(first: str, second: str, third: str) -> tuple[DateInterpretation, ...]:
    found: list[DateInterpretation] = []
    if len(first) >= 3:
        if len(third) <= 2:
            found += readings_of(first, int(second), third, "YMD")
    elif len(third) != 3:
        found += readings_of(third, int(second), first, "DMY")
        found += readings_of(third, int(first), second, "MDY")
        if len(third) == 2 and len(first) == 2:
            found += (reading for reading in readings_of(first, int(second), third, "YMD") if reading.years == "gregorian")
    return tuple(found)


_D = r"[0-9OoQDlI|]"
_SEPARATOR = r"(?:\s?[-/.,\\:'_~]{1,2}\s?|\s)"
_NUMERIC = re.compile(
    rf"(?:(?<![0-9])|(?<=[0-9]:[0-9]{{2}}))(?P<a>{_D}{{1,4}})(?P<s>{_SEPARATOR})(?P<b>{_D}{{1,2}})(?P<t>{_SEPARATOR}'?)"
    rf"(?P<c>{_D}{{2}}[0-9OoQDlI|BSZ]{{2}}|{_D}{{2}})"
)


def _find_numeric(plain: str) -> Iterator[PrintedDate]:
    return scan(_NUMERIC, plain, _numeric)


def _numeric(match: re.Match[str]) -> PrintedDate | None:
    plain, parts = match.string, (match["a"], match["b"], match["c"])
    separators = (match["s"].strip(), match["t"].strip(" '"))
    if not _is_numeric("".join(parts), separators, parts) or _continues_a_number(plain, match.start(), separators[0]):
        return None
    for length in (len(parts[2]), 2):
        end = match.start("c") + length
        printed = (parts[0], parts[1], parts[2][:length])
        first, second, third = (part.translate(LETTERS_AS_DIGITS) for part in printed)
        readings = _numeric_readings(first, second, third)
        if readings and ends_well(plain, end) and (length == len(parts[2]) or GLUED_TIME.match(plain[end:])):
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
    yield from scan(_DAMAGED, plain, _damaged)
    yield from scan(_GLUED_NUMBER, plain, _glued)
    yield from scan(_NUMBER_AFTER, plain, _glued)


def _glued(match: re.Match[str]) -> PrintedDate | None:
    readings = _numeric_readings(match["a"], match["b"], match["c"])
    if not readings or (match.re is not _NUMBER_AFTER and not ends_well(match.string, match.end())):
        return None
    return PrintedDate(match.group(), match.start(), match.end(), readings, is_repaired=True, is_weak=True)


def _damaged(match: re.Match[str]) -> PrintedDate | None:
    second = match["b"] or match["b2"] or match["b3"] or match["b4"] or match["b5"]
    readings = _numeric_readings(match["a"], second, match["c"] or match["c2"] or match["c3"])
    if not readings or not ends_well(match.string, match.end()):
        return None
    return PrintedDate(match.group(), match.start(), match.end(), readings, is_repaired=True, is_weak=True)


_COMPACT = re.compile(r"(?<![\d.,/-])(?P<y>20[0-4]\d)(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)(?=[T\s_]?[0-2]\d:?[0-5]\d|\D|$)(?![.,/-]\d)")
# 25032018 13:11: without a separator the day comes first only where a time or nothing follows.
_COMPACT_DAY = re.compile(
    r"(?<![\d.,/-])(?P<d>[0-3]\d)(?P<m>0[1-9]|1[0-2])(?P<y>20[0-4]\d)(?=\s[0-2]?\d[:;][0-5]\d|$)(?:(?<=^\d{8})|(?!$))"
)


def _find_compact(plain: str) -> Iterator[PrintedDate]:
    yield from scan(_COMPACT, plain, _compact)
    yield from scan(_COMPACT_DAY, plain, _compact)


def _compact(match: re.Match[str]) -> PrintedDate | None:
    readings = tuple(readings_of(match["y"], int(match["m"]), match["d"], "YMD" if match.re is _COMPACT else "DMY"))
    return PrintedDate(match.group(), match.start(), match.end(), readings, is_weak=True) if readings else None
