"""What the print of a receipt speaks for: clues to its language, its country and its currency, each with its weight."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from extractor.parsing.amounts import find_amounts
from extractor.parsing.currencies import CurrencyMark, candidates_of, find_marks, has_decimals
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.months import fold
from extractor.parsing.locale.countries import Country, countries, language_words
from extractor.parsing.lookalikes import unmixed

# Weights are log-likelihood ratios, rounded: how much likelier the clue is on a receipt of its country than elsewhere.
_WEIGHTS = {
    "tax_ids": 5.0, "taxes": 2.0, "legal": 2.5, "places": 3.0, "streets": 1.2, "addresses": 2.0, "postal": 3.5, "local_phone": 1.5,
    "brands": 3.0,
}  # fmt: skip
_AS_PRINTED = frozenset({"addresses", "postal"})
_MORE = 0.4  # share of its weight that a second, different clue of the same kind adds
_PHONE_CODE, _DOMAIN, _AREA_CODE, _YEAR_SYSTEM, _DOTTED = 4.0, 3.0, 3.0, 4.0, -2.0
_WORD, _MOST_WORDS, _FOREIGN, _ENGLISH = 0.8, 5, -0.6, 0.5
_SURE_MARK, _SHARED_MARK, _NO_MARK, _COMMONEST, _RARE_POUND, _MORE_MARKS, _ANSWERED = 3.5, 2.0, -2.5, 0.7, 0.5, 0.4, 1.5
_WHOLE_AMOUNTS, _FRACTIONS = 2.0, -3.0
_YEARS = {"TH": {"buddhist"}, "TW": {"minguo"}, "JP": {"reiwa", "heisei"}}
_INTERNATIONAL = re.compile(r"\+ ?\(?(\d{1,3})(?=[ .()/-]{0,2}\d[\d .()/-]{5,})")
_NORTH_AMERICAN = re.compile(r"(?<![\d-])\(?([2-9]\d{2})\)?\s?[-./ ]?\s?[2-9]\d{2}\s?[-. ]\s?\d{4}(?![\d-])")
_DOTTED_DATE = re.compile(r"(?<![\d.])[0-3]?\d\.[01]?\d\.(?:20)?[0-4]\d(?![\d.])")
_HOST = re.compile(r"(?:[a-z0-9-]{2,}\.)+[a-z]{2,3}\b(?!\.\w)")
CANADIAN_AREA_CODES = frozenset(
    "204 226 236 249 250 263 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 468 474 506 514 519 548 579 581 584 587 604 "
    "613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 867 873 879 902 905 942".split()
)
"""Area codes of Canada. Source: Canadian Numbering Administrator."""
OTHER_AREA_CODES = frozenset(
    "800 833 844 855 866 877 888 900 242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876".split()
)
"""Area codes that tell neither: free of charge, and the Caribbean's."""
_OWN_LETTERS = {"el": frozenset("γδθλξπσφψω∑∆△")}
"""Letters, as folded, that only one language prints, also where OCR takes the other ones of its words for Latin letters."""
_FEW_LETTERS = 4
_OTHER_CODES = frozenset({"SR", "SVC"})
_IN_BRACKETS = re.compile(r"[(\[]\s?([^()\[\]\d\s]{1,4})\s?[)\]]")


@dataclass(frozen=True)
class _Text:
    """The whole receipt, as printed and folded, with what is looked up once for all countries."""

    raw: str
    folded: str

    @cached_property
    def phone_codes(self) -> frozenset[str]:
        """Digits after a plus sign or in `(+60)`, up to three."""
        return frozenset(match[1] for match in _INTERNATIONAL.finditer(self.folded))

    @cached_property
    def area_codes(self) -> frozenset[str]:
        return frozenset(match[1] for match in _NORTH_AMERICAN.finditer(self.folded))

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        return tuple(match.group() for match in _HOST.finditer(self.folded))

    @cached_property
    def has_dotted_dates(self) -> bool:
        return bool(_DOTTED_DATE.search(self.raw))

    @cached_property
    def systems(self) -> frozenset[str]:
        """Year systems without which a printed date would have no meaning."""
        dates = [printed for row in self.raw.split("\n") for printed in find_dates(row)]
        return frozenset(printed.readings[0].years for printed in dates if len({reading.years for reading in printed.readings}) == 1)


@lru_cache(maxsize=16)
def clues_in(raw: str) -> tuple[str | None, Mapping[str, tuple[tuple[float, str], ...]]]:
    """The language of all the text, and each country's clues in it; kept for a while, since a receipt is judged several times."""
    text = _Text(raw, fold("\n".join(map(unmixed, raw.split("\n")))))
    language, words = _language(text.folded)
    return language, {code: (*_clues(country, text), *_spoken(country, language, words)) for code, country in countries().items()}


def _clues(country: Country, text: _Text) -> Iterable[tuple[float, str]]:
    for kind, clue in country.clues.items():
        found = clue.found_in(text.raw if kind in _AS_PRINTED else text.folded)
        if found:
            yield _WEIGHTS[kind] * (1 + _MORE * min(2, len(found) - 1)), f"{kind}: {', '.join(sorted(found)[:3])}"
    if country.phone != "1" and any(digits.startswith(country.phone) for digits in text.phone_codes):
        yield _PHONE_CODE, f"phone code +{country.phone}"
    if country.domain is not None and (host := next((host for host in text.hosts if country.domain.search(host)), None)):
        yield _DOMAIN, f"web address {host}"
    if country.phone == "1" and text.area_codes:
        is_canadian = len(text.area_codes & CANADIAN_AREA_CODES) * 2 > len(text.area_codes)
        if is_canadian == (country.code == "CA") and not text.area_codes <= OTHER_AREA_CODES:
            yield _AREA_CODE, f"area code {', '.join(sorted(text.area_codes))}"
    if text.has_dotted_dates and country.order in ("MDY", None):
        yield _DOTTED, "dates with dots"
    if _YEARS.get(country.code, frozenset()) & text.systems:
        yield _YEAR_SYSTEM, "year system"


def _language(folded: str) -> tuple[str | None, Mapping[str, int]]:
    """The language with the most different till words, and the numbers of all."""
    counts = {name: len(clue.found_in(folded)) for name, clue in language_words().items()}
    best = max(counts, key=lambda name: (counts[name], name != "en"))
    for name, letters in _OWN_LETTERS.items():
        if len(letters & set(folded)) >= _FEW_LETTERS:
            counts[name] = max(counts[name], _MOST_WORDS)
            best = name
    foreign = max((name for name in counts if name != "en"), key=lambda name: counts[name])
    if counts[foreign] >= 3 and counts[foreign] * 2 >= counts["en"]:
        best = foreign
    return (best if counts[best] >= 2 else None), counts


def _spoken(country: Country, language: str | None, words: Mapping[str, int]) -> Iterable[tuple[float, str]]:
    if language is None:
        return
    count = words[language] * (_ENGLISH if language == "en" else 1.0)  # English is printed everywhere
    if any(words.get(own) == words[language] for own in country.languages):  # Indonesian and Malay share most words
        share = 1.0 if words.get(country.languages[0]) == words[language] else 0.7
        yield _WORD * share * min(_MOST_WORDS, count), f"words of {language}"
    elif not any(words.get(own) for own in country.languages):
        yield _FOREIGN * min(4, count) * (_ENGLISH if language == "en" else 1.0), f"no words of {'/'.join(country.languages)}"
    elif count >= 4:
        yield _FOREIGN * 4, f"mostly words of {language}"


def _is_no_currency(text: str, mark: CurrencyMark) -> bool:
    """Whether a mark is more likely something else.

    `SR` behind an amount is a tax code of Malaysia, `SVC` the service charge, `TL` at the beginning of a row the total of a simple till.
    """
    name, before = mark.text.upper(), text[: mark.start].rstrip()
    return name == "SVC" or (name == "SR" and before[-1:].isdigit()) or (name == "TL" and not before)


@dataclass(frozen=True)
class CurrencyMarks:
    """What a receipt's amounts say of its currency."""

    marks: Mapping[tuple[str, ...], int]
    answered: tuple[str, ...]
    whole: int
    broken: int

    @staticmethod
    def of(texts: Sequence[str], mark: str | None) -> "CurrencyMarks":
        """Counts of currency marks by what they can mean, and of amounts of a thousand and more with and without decimals."""
        marks: Counter[tuple[str, ...]] = Counter()
        names: dict[bool, set[str]] = {True: set(), False: set()}
        whole = broken = 0
        for text in texts:
            for found in find_marks(text):
                is_other = _is_no_currency(text, found)  # the same letters may be a mark elsewhere on the receipt
                names[is_other].add(found.text.upper())
                marks[found.candidates] += not is_other
            marks.update(filter(None, (candidates_of(heading) for heading in _IN_BRACKETS.findall(text))))
            for amount in find_amounts(text):
                broken += amount.decimals in (1, 2)
                whole += bool(re.search(r"\d{2}[.,]\d00\b", amount.text))
        is_mark = mark is not None and mark.strip().upper() not in _OTHER_CODES | (names[True] - names[False])
        return CurrencyMarks(+marks, candidates_of(mark) if mark and is_mark else (), whole, broken)

    def clues(self, currency: str) -> Iterable[tuple[float, str]]:
        total = sum(self.marks.values())
        for candidates, count in self.marks.items():
            if currency in candidates and count * 3 >= total:
                weight = _SURE_MARK if len(candidates) == 1 else _SHARED_MARK + _COMMONEST * (currency == candidates[0])
                if candidates[0] == "GBP" and currency != "GBP":
                    weight = _RARE_POUND
                yield weight + _MORE_MARKS * min(4, count - 1), f"currency mark for {'/'.join(candidates[:3])}"
        if self.answered:
            if currency in self.answered:
                yield _ANSWERED * (2 if len(self.answered) == 1 else 1), "currency mark at the total"
            else:
                yield _NO_MARK, "another currency mark at the total"
        if total >= 2 and not any(currency in candidates for candidates in self.marks):
            yield _NO_MARK, "other currency marks"
        if self.whole >= 2 and self.whole > self.broken:
            if not has_decimals(currency):
                yield _WHOLE_AMOUNTS, "amounts without decimals"
            elif not any(currency in candidates for candidates in self.marks):
                yield -_WHOLE_AMOUNTS, "amounts without decimals"
        elif self.broken >= 3 and not has_decimals(currency):
            yield _FRACTIONS, "amounts with decimals"
