"""Clues to a receipt's language and country in its text, each with the zone that it stands in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.months import fold
from extractor.parsing.locale.countries import Country, countries, language_words
from extractor.parsing.locale.zones import Zone
from extractor.parsing.lookalikes import unmixed

# Zones in the order in which a word that stands in several of them is counted. Item rows are left out: what a shop sells may be called
# after any place or brand.
_ZONES = (Zone.ADDRESS, Zone.HEADER, Zone.TOTALS, Zone.FOOT)
# Kinds of clues whose patterns match letters as printed.
_AS_PRINTED = frozenset({"addresses", "postal"})
# Share of its weight that a second, different match of one kind adds, and how many are added.
_MORE, _MAX_MORE = 0.4, 2
# Different words of one language that add to its weight, and the share of an English word: English is printed everywhere.
_MAX_WORDS, _ENGLISH_SHARE, _MAX_FOREIGN = 5, 0.5, 4
# Share for a language that is not a country's commonest.
_SECOND_LANGUAGE = 0.7
# Different letters that only one language has, from which the text is in that language.
_FEW_LETTERS = 4
# Letters, as folded, that only one language prints, also where OCR takes the other letters of its words for Latin ones.
_OWN_LETTERS = {"el": frozenset("γδθλξπσφψω∑∆△")}
_YEARS = {"TH": {"buddhist"}, "TW": {"minguo"}, "JP": {"reiwa", "heisei"}}
_INTERNATIONAL = re.compile(r"\+ ?\(?(\d{1,3})(?=[ .()/-]{0,2}\d[\d .()/-]{5,})")
_NORTH_AMERICAN = re.compile(r"(?<![\d-])\(?([2-9]\d{2})\)?\s?[-./ ]?\s?[2-9]\d{2}\s?[-. ]\s?\d{4}(?![\d-])")
_DOTTED_DATE = re.compile(r"(?<![\d.])[0-3]?\d\.[01]?\d\.(?:20)?[0-4]\d(?![\d.])")
_HOST = re.compile(r"(?:[a-z0-9-]{2,}\.)+[a-z]{2,3}\b(?!\.\w)")
# Words that make the name in front of them a street's, which says nothing of the town: Hamilton Street, Dallas Road.
_STREET_AHEAD = re.compile(
    r"[ .,-]{0,2}(?:street|st|road|rd|avenue|ave|drive|dr|lane|ln|way|blvd|boulevard|terrace|parade|crescent|square)\b"
)
# Area codes of Canada. Source: Canadian Numbering Administrator.
CANADIAN_AREA_CODES = frozenset(
    "204 226 236 249 250 263 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 468 474 506 514 519 548 579 581 584 587 604 "
    "613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 867 873 879 902 905 942".split()
)
# Area codes of neither Canada nor the United States: free of charge, and the Caribbean's. Source: NANPA.
OTHER_AREA_CODES = frozenset(
    "800 833 844 855 866 877 888 900 242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876".split()
)


@dataclass(frozen=True)
class Finding:
    """One clue on a receipt.

    Attributes:
        feature: Name of its weight: the kind of clue and, where that matters, its zone (`places@address`).
        amount: Factor of the weight.
        reason: The clue in words, with the text that matched.
    """

    feature: str
    amount: float
    reason: str

    @property
    def family(self) -> str:
        """The kind of evidence, without its zone; several kinds that rest on the same print share one."""
        kind = self.feature.partition("@")[0]
        return _FAMILIES.get(kind, kind)


_FAMILIES = {"streets": "places", "postal": "addresses", "area_code": "phone", "phone_code": "phone", "local_phone": "phone"}


@dataclass(frozen=True)
class _Text:
    """One zone's rows, as printed and folded."""

    raw: str
    folded: str

    @staticmethod
    def of(rows: Iterable[str]) -> "_Text":
        rows = list(rows)
        return _Text("\n".join(rows), fold("\n".join(map(unmixed, rows))))


@dataclass(frozen=True)
class _Receipt:
    """All texts of a receipt, with what all countries ask of them."""

    whole: _Text
    zones: Mapping[Zone, _Text]

    @cached_property
    def _outside_items(self) -> str:
        return "\n".join(self.zones[zone].folded for zone in _ZONES)

    @cached_property
    def phone_codes(self) -> frozenset[str]:
        """Digits after a plus sign or in `(+60)`, up to three."""
        return frozenset(match[1] for match in _INTERNATIONAL.finditer(self._outside_items))

    @cached_property
    def area_codes(self) -> frozenset[str]:
        return frozenset(match[1] for match in _NORTH_AMERICAN.finditer(self._outside_items))

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        return tuple(match.group() for match in _HOST.finditer(self._outside_items))

    @cached_property
    def has_dotted_dates(self) -> bool:
        return bool(_DOTTED_DATE.search(self.whole.raw))

    @cached_property
    def systems(self) -> frozenset[str]:
        """Year systems without which a printed date would have no meaning."""
        dates = [printed for row in self.whole.raw.split("\n") for printed in find_dates(row)]
        return frozenset(printed.readings[0].years for printed in dates if len({reading.years for reading in printed.readings}) == 1)


@lru_cache(maxsize=16)
def find_clues(rows: tuple[str, ...], zones: tuple[Zone, ...]) -> tuple[str | None, Mapping[str, tuple[Finding, ...]]]:
    """The language of the text (ISO 639-1), and the clues to each country by its code. Cached: a receipt is weighed several times.

    Args:
        rows: All texts of the receipt.
        zones: The zone of each of them.
    """
    by_zone = {zone: _Text.of(row for row, own in zip(rows, zones, strict=True) if own is zone) for zone in _ZONES}
    receipt = _Receipt(_Text.of(rows), by_zone)
    language, words = _language(receipt.whole.folded)
    return language, {code: (*_clues(country, receipt), *_spoken(country, language, words)) for code, country in countries().items()}


def _clues(country: Country, receipt: _Receipt) -> Iterable[Finding]:
    for kind, clue in country.clues.items():
        counted: set[str] = set()
        for zone in _ZONES:
            text = receipt.zones[zone]
            found = clue.found_in(
                text.raw if kind in _AS_PRINTED else _without_street_names(text.folded) if kind == "places" else text.folded
            )
            if new := found - counted:
                amount = 1 + _MORE * min(_MAX_MORE, len(new) - 1)
                yield Finding(f"{kind}@{zone}", amount, f"{kind} ({zone}): {', '.join(sorted(new)[:3])}")
                counted |= new
    yield from _contacts(country, receipt)
    if receipt.has_dotted_dates and country.order in ("MDY", None):
        yield Finding("dotted_dates", 1, "dates with dots")
    if _YEARS.get(country.code, frozenset()) & receipt.systems:
        yield Finding("year_system", 1, "year system")


def _contacts(country: Country, receipt: _Receipt) -> Iterable[Finding]:
    """Telephone numbers and web addresses of the country."""
    if country.phone != "1" and any(digits.startswith(country.phone) for digits in receipt.phone_codes):
        yield Finding("phone_code", 1, f"phone code +{country.phone}")
    if country.domain is not None and (host := next((host for host in receipt.hosts if country.domain.search(host)), None)):
        yield Finding("domain", 1, f"web address {host}")
    if country.phone == "1" and receipt.area_codes:
        is_canadian = len(receipt.area_codes & CANADIAN_AREA_CODES) * 2 > len(receipt.area_codes)
        if is_canadian == (country.code == "CA") and not receipt.area_codes <= OTHER_AREA_CODES:
            yield Finding("area_code", 1, f"area code {', '.join(sorted(receipt.area_codes))}")


@lru_cache(maxsize=64)
def _without_street_names(folded: str) -> str:
    """The text without the word in front of each word for a street."""
    return re.sub(rf"[^\W\d_]+(?={_STREET_AHEAD.pattern})", " ", folded)


def _language(folded: str) -> tuple[str | None, Mapping[str, int]]:
    """The language with the most different receipt words, and the numbers of all."""
    counts = {name: len(clue.found_in(folded)) for name, clue in language_words().items()}
    best = max(counts, key=lambda name: (counts[name], name != "en"))
    for name, letters in _OWN_LETTERS.items():
        if len(letters & set(folded)) >= _FEW_LETTERS:
            counts[name] = max(counts[name], _MAX_WORDS)
            best = name
    foreign = max((name for name in counts if name != "en"), key=lambda name: counts[name])
    if counts[foreign] >= 3 and counts[foreign] * 2 >= counts["en"]:
        best = foreign
    return (best if counts[best] >= 2 else None), counts


def _spoken(country: Country, language: str | None, words: Mapping[str, int]) -> Iterable[Finding]:
    if language is None:
        return
    count = words[language] * (_ENGLISH_SHARE if language == "en" else 1.0)
    name = "english_words" if language == "en" else "words"
    if any(words.get(own) == words[language] for own in country.languages):  # Indonesian and Malay share most words
        share = 1.0 if words.get(country.languages[0]) == words[language] else _SECOND_LANGUAGE
        yield Finding(name, share * min(_MAX_WORDS, count), f"words of {language}")
    elif not any(words.get(own) for own in country.languages):
        amount = min(_MAX_FOREIGN, count) * (_ENGLISH_SHARE if language == "en" else 1.0)
        yield Finding("foreign_words", amount, f"no words of {'/'.join(country.languages)}")
    elif count >= _MAX_FOREIGN:
        yield Finding("foreign_words", _MAX_FOREIGN, f"mostly words of {language}")
