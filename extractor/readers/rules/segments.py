"""Segments of printed rows, as the header fields see them, with the classes of words that each holds."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from itertools import chain, pairwise
from statistics import median
from types import MappingProxyType
from typing import Any

from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.months import fold
from extractor.parsing.locale.countries import countries
from extractor.parsing.text import letters_and_digits
from extractor.parsing.times import find_times
from extractor.parsing.vocabulary import company_forms, telephone, top_level_domains, trades
from extractor.readers.rules.field_values import box_of, confidence_of

# Fragments further apart than this many heights are separate segments: a shop's name beside a stamp, a street beside a phone number.
WIDE_GAP = 2.0
# Segments at the top and at the bottom that may name the merchant: headers end before, footers begin later.
_HEAD, _FOOT = 28, 8
# An amount at the end of a row.
_AMOUNT_END = re.compile(r"\d[.,]\s?\d{2}\s?[-a-z*]{0,2}$")
# A state of the United States with its ZIP code, possibly misread.
_STATE_ZIP = re.compile(r"\b[a-z]{2}[ .,]{1,3}[\dol]{5}(?:-\d{4})?\b")
# A postal code, alone or with its town.
_POSTAL = re.compile(
    r"(?<!\d)(?:\d{5}|\d{4} [a-z]{2}|\d{3} \d{2}|\d{2}-\d{3}|\d{4}-\d{3}|[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|[a-z]\d[a-z] ?\d[a-z]\d)"
    r"(?!\d)(?=[ ,]|$)|(?<!\d)\d{4}(?:\d\d)?,? (?:гр?\. ?|м\. ?)?[а-яѐ-џ]{3}|\b(?:singapore|s'?pore|s) ?\(?\d{6}\b"
)
# A house number with the beginning of its street, or a street with its number.
_HOUSE = re.compile(
    r"^(?:no\.? ?)?\d{1,5}[a-z]?(?:[-/&, ]+\d{1,5}[a-z]?)*[ ,]+(?:[nsew]\.? ?)?(?:[^\W\d_]{2,}|\d{1,3}(?:st|nd|rd|th)\b|[a-z]{2}\d)"
    r"|[^\W\d_]{3,}[ .]\d{1,4}[a-z]?(?:[-/]\d{1,4})?,?$"
)
# Separates the parts of a row: `Hotel Linde · Hauptstr. 5 · 50667 Köln`.
_DIVIDER = re.compile(r"\s+[·•|]\s*|\s*[·•|]\s+")
# The number of a branch.
_BRANCH = re.compile(r"\s*#\s?\d{1,5}\s*$")


@dataclass(frozen=True)
class HeaderSegment:
    """A segment of a printed row: fragments side by side without a wide gap, with the classes of words in it.

    Attributes:
        line: The whole row.
        start: Its first character in `line.text`.
        end: The character behind its last one.
        index: Its position among all segments, in reading order over all pages.
        row_index: The position of its row among all rows.
    """

    line: Line
    start: int
    end: int
    page: int
    index: int
    row_index: int
    box: Box

    @property
    def text(self) -> str:
        return self.line.text[self.start : self.end]

    @cached_property
    def folded(self) -> str:
        return fold(self.text)

    @cached_property
    def squashed(self) -> str:
        """Letters and digits only, folded."""
        return squash(self.text)

    @cached_property
    def letters(self) -> int:
        return sum(character.isalpha() for character in self.text)

    @cached_property
    def digits(self) -> int:
        return sum(character.isdigit() for character in self.text)

    @cached_property
    def classes(self) -> frozenset[str]:
        """Names of the lists of `rows` in `header_words.toml` that match its words, and `place`, `postal`, `region`, `house` and others."""
        return classes_of(self.text)

    @cached_property
    def confidence(self) -> float:
        """The lowest OCR confidence of its own fragments."""
        return confidence_of(self.line, self.start, self.end)

    @cached_property
    def is_print(self) -> bool:
        """Whether it looks like words that a till printed: at least three letters, read with some confidence."""
        return self.letters >= 3 and self.confidence >= 0.5 and self.letters + self.digits >= 0.6 * len(self.text.replace(" ", ""))


def find_segments(transcripts: Sequence[Transcript]) -> tuple[HeaderSegment, ...]:
    """Return all segments of all rows, in reading order over all pages."""
    found: list[HeaderSegment] = []
    row = 0
    for page, transcript in enumerate(transcripts):
        for line in transcript.lines:
            for start, end, box in _runs(line):
                for first, last in _divided(line.text, start, end):
                    part = box if (first, last) == (start, end) else box_of(line, first, last)
                    found.append(HeaderSegment(line, first, last, page, len(found), row, part))
            row += 1
    return tuple(found)


def _runs(line: Line) -> Iterator[tuple[int, int, Box]]:
    """Yield start, end and box of the runs of fragments without a wide gap."""
    group: list[Fragment] = []
    start = offset = 0
    for fragment in line.fragments:
        if group and fragment.box.left - group[-1].box.right > WIDE_GAP * median([each.box.height for each in (*group, fragment)]):
            yield start, offset - 1, Box.around([each.box for each in group])
            group, start = [], offset
        group.append(fragment)
        offset += len(fragment.text) + 1
    yield start, offset - 1, Box.around([each.box for each in group])


def _divided(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the parts of a run that dots or bars separate (name, street, town); without a number behind it, none."""
    first = start
    for match in _DIVIDER.finditer(text, start, end):
        before, after = text[first : match.start()], text[match.end() : end]
        if _is_part(before) and _is_part(after) and any(character.isdigit() for character in after):
            yield first, match.start()
            first = match.end()
    yield first, end


def _is_part(text: str) -> bool:
    return sum(character.isalnum() for character in text) >= 3


def is_candidate(index: int, count: int) -> bool:
    """Return whether the segment at that index, among `count`, stands where headers and footers name the merchant."""
    return index < _HEAD or index >= count - _FOOT


@lru_cache(maxsize=4096)
def classes_of(printed: str) -> frozenset[str]:
    """Return the classes of words in a text (see `HeaderSegment.classes`)."""
    text = mend_words(unicodedata.normalize("NFKC", printed))
    folded = fold(text)
    found = {name for name, pattern in patterns("rows").items() if pattern.search(folded)}
    if _names_place(folded):
        found.add("place")
    if _STATE_ZIP.search(folded) or _POSTAL.search(folded):
        found.add("postal")
    if _HOUSE.search(folded):
        found.add("house")
    if _region().search(text):
        found.add("region")
    if _AMOUNT_END.search(folded):
        found.add("amount")
    if find_dates(text):
        found.add("date")
    if any(not printed.is_weak for printed in find_times(text)):
        found.add("time")
    return frozenset(found)


@cache
def _region() -> re.Pattern[str]:
    """Return a pattern of a town with the short name of its state or province at the end of a row, or before a postal code."""
    regions = "|".join(region for country in countries().values() for region in country.regions)
    code, phone = r"(?:[\dOo]{4,5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d)?", r"(?:\(?\d{3}\)?\W?\d{3}\W?\d{4})?"
    return re.compile(rf"[A-Za-z]{{3,}}[ .,]{{1,3}}(?:{regions})\b[ .,]{{0,3}}{code}\W*{phone}$")


def _names_place(folded: str) -> bool:
    words = re.findall(r"[^\W\d_]+", folded)
    names, unspaced = _places()
    phrases = chain(words, (f"{one} {two}" for one, two in pairwise(words)))
    return any(phrase in names for phrase in phrases) or any(name in folded for name in unspaced)


@cache
def _places() -> tuple[frozenset[str], tuple[str, ...]]:
    """Return folded names of towns and regions of all countries: those of words, and those written without spaces."""
    names = frozenset(word for country in countries().values() if "places" in country.clues for word, _ in country.clues["places"].literals)
    unspaced = tuple(name for name in names if name[0] >= "\u2e80" or "\u0e00" <= name[0] < "\u0f00")
    return names.difference(unspaced), unspaced


def is_place_alone(folded: str) -> bool:
    """Return whether every word of a folded text belongs to the name of a town, a region or a country."""
    words = re.findall(r"[^\W_]+", folded)
    names, _ = _places()
    at = 0
    while at < len(words):
        taken = next((size for size in (3, 2, 1) if " ".join(words[at : at + size]) in names and at + size <= len(words)), 0)
        if not taken:
            return False
        at += taken
    return bool(words)


def is_branch(text: str) -> bool:
    """Return whether a text is a town with its state and the number of a branch: `LINCOLN, NE #2043`."""
    town, count = _BRANCH.subn("", text)
    return count > 0 and _region().fullmatch(town.strip()) is not None


def squash(text: str) -> str:
    """Return the letters and digits of a text, without case and accents."""
    return letters_and_digits(fold(text))


# A word of at least three letters with a digit in it.
_SLIPPED_WORD = re.compile(r"(?<![\w])(?=\w*[^\W\d_]\w*[^\W\d_]\w*[^\W\d_])(?=\w*[0158])[^\W_]{4,}(?![\w])")
# `Gre11vi11e`.
_DOUBLE_L = re.compile(r"(?<=[^\W\d_])11(?=[a-zäöü])")
# `0'Briens`, `0ld`.
_LEADING_NOUGHT = re.compile(r"\b0(?=['’][A-Z]|[a-z]{2,}\b)")
# Words ending with l that numbers follow: `Level1` stays, `Mal1` does not.
_NUMBERED = frozenset("level lvl hotel terminal mall hall portal canal".split())
# Letters that OCR returns as digits.
_UPPER, _LOWER = str.maketrans("0158", "OISB"), str.maketrans("0158", "olsb")


def mend_words(text: str) -> str:
    """Return the text with digits replaced by the letters that OCR misread as digits: `Gril1`, `0rlando`, `R1JEKA`.

    Only in words of at least three letters with one or two such digits that do not stand as a number at the end.
    """
    return _LEADING_NOUGHT.sub("O", _SLIPPED_WORD.sub(lambda match: _mended(match.group()), _DOUBLE_L.sub("ll", text)))


def _mended(word: str) -> str:
    digits = [index for index, character in enumerate(word) if character.isdigit()]
    stem = word[: digits[0]]
    is_number = word[digits[0] :].isdigit() and not (
        word[digits[0] :] in {"0", "11"} or (word.endswith("l1") and len(digits) == 1 and stem.lower() not in _NUMBERED)
    )
    if len(digits) > 2 or len(word) - len(digits) < 3 or is_number or not {word[index] for index in digits} <= set("0158"):
        return word
    rest = word[1:].translate(_UPPER if word[1:].upper() == word[1:] else _LOWER)
    return word[0].translate(_UPPER) + rest


@cache
def patterns(section: str) -> Mapping[str, re.Pattern[str]]:
    """Return one pattern for each list of a section of `header_words.toml`, which matches where any of the list does."""
    return MappingProxyType({name: re.compile("|".join(each), re.MULTILINE) for name, each in _tables()[section].items()})


@cache
def words(section: str, name: str) -> frozenset[str]:
    """Return the words of a list that is written as a text."""
    return frozenset(_tables()[section][name].split())


@cache
def lists(section: str) -> Mapping[str, tuple[str, ...]]:
    """Return all lists of a section."""
    return MappingProxyType({name: tuple(each) for name, each in _tables()[section].items()})


def alternatives(section: str, name: str) -> str:
    """Return the patterns of one list joined by `|`, for use inside a larger pattern."""
    return "|".join(_tables()[section][name])


@cache
def _tables() -> Mapping[str, Any]:
    """Return the tables of `header_words.toml`, with the shared lists in place of their names in braces."""
    shared = {
        "company_forms": company_forms(),
        "trades": trades("stems"),
        "telephone_mentions": telephone("mentions"),
        "top_level_domains": top_level_domains(),
    }
    text = resources.files("extractor.readers.rules").joinpath("header_words.toml").read_text(encoding="utf-8")
    for name, listed in shared.items():
        text = text.replace(f"{{{name}}}", "|".join(listed))
    return MappingProxyType(tomllib.loads(text))
