"""Where a receipt comes from, and so what its marks and dates mean: weighed from all its evidence together, never assumed."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Literal, Protocol

from extractor.printed.amounts import decimal_mark, find_amounts
from extractor.printed.countries import Country, countries, language_words
from extractor.printed.currencies import CurrencyMark, candidates_of, find_marks
from extractor.printed.dates import Order, PrintedDate, find_dates
from extractor.printed.months import fold
from extractor.printed.scripts import unmixed
from extractor.printed.weekdays import weekdays_in


class Preferences(Protocol):
    """Stated tie-breaks for what a receipt does not decide itself."""

    @property
    def country(self) -> str | None: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def date_order(self) -> Order | None: ...


@dataclass(frozen=True)
class LocaleGuess:
    """What a receipt's evidence says of its place, its money and its dates.

    Attributes:
        country: ISO 3166-1, where decided.
        currency: ISO 4217, where decided, or where one candidate is far ahead of all others.
        currency_confidence: Probability of `currency`, or of the likeliest candidate where there is none.
        is_currency_decided: False where `currency` is only the likeliest, or missing: a person should look.
        currencies: Candidates, likeliest first.
        decimal_mark: From the amounts themselves, else the country's where its prices have decimals.
        date_order: Order of its numeric dates, where decided.
        orders: Probability of each order, by place and language; what `likeliest_day` leans on.
        language: ISO 639-1, where its words tell.
        settled: Fields that only the settings decided.
        evidence: What spoke for country and currency, strongest first.
    """

    country: str | None = None
    currency: str | None = None
    currency_confidence: float = 0.0
    is_currency_decided: bool = False
    currencies: tuple[str, ...] = ()
    decimal_mark: Literal[".", ","] | None = None
    date_order: Order | None = None
    orders: Mapping[Order, float] | None = None
    language: str | None = None
    settled: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def tag(self) -> str | None:
        """BCP 47 tag such as `de-AT`; language or country alone where the other is not known (`und-AT`)."""
        if self.language is None and self.country is None:
            return None
        return "-".join(part for part in (self.language or "und", self.country) if part)

    def days_of(self, printed: PrintedDate) -> frozenset[date]:
        """What a printed date can mean on this receipt: one day where it is decided."""
        if self.date_order == "YMD" and all(reading.order != "YMD" for reading in printed.readings):
            return printed.in_order("DMY")  # where years come first, short dates without one come day first
        if self.date_order is None and (self.orders or {}).get("YMD", 0.0) > _POSSIBLY_YEAR_FIRST:
            return frozenset(reading.day for reading in printed.readings)
        return printed.in_order(self.date_order)

    def likeliest_day(self, printed: PrintedDate) -> date | None:
        """The day it most probably means; `None` where nothing leans either way."""
        days = self.days_of(printed)
        if len(days) == 1:
            return next(iter(days))
        orders = self.orders or {}
        ranked = sorted(
            ((orders.get(reading.order, 0.0), reading.day) for reading in printed.readings if reading.day in days), reverse=True
        )
        return ranked[0][1] if ranked[0][0] > ranked[1][0] + _LEAN else None


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
_ELSEWHERE = 2.0  # score of all countries that the tables do not know; keeps a lone weak clue from deciding
_DECIDED, _LIKELY, _AHEAD, _DECIDED_ORDER, _LEAN = 0.8, 0.3, 1.7, 0.9, 0.05
_CANDIDATE, _POSSIBLE, _POSSIBLY_YEAR_FIRST = 0.02, 0.01, 0.3
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
_SETTINGS = ("country", "currency", "date_order")
_CODES = frozenset({"SR", "SVC"})
_IN_BRACKETS = re.compile(r"[(\[]\s?([^()\[\]\d\s]{1,4})\s?[)\]]")
_WITHOUT_FRACTIONS = frozenset("IDR VND JPY KRW CLP COP PYG ISK HUF".split())


def weigh_locale(texts: Sequence[str], *, mark: str | None = None, preferences: Preferences | None = None) -> LocaleGuess:
    """The place, currency, language and date order that all texts of a receipt together speak for.

    Args:
        texts: All rows of all pages; other texts of the receipt may follow.
        mark: Currency mark that stands at the total, if a reader found one: it outweighs marks elsewhere.
        preferences: Used only for what the receipt leaves open; `LocaleGuess.settled` says for what.
    """
    language, found = _weighed("\n".join(texts))
    dates = [printed for text in texts for printed in find_dates(text)]
    day = max((min(printed.days) for printed in dates if not printed.is_weak), default=None)
    scores: dict[str, float] = {}
    reasons: dict[str, list[str]] = {}
    money = _Money.of(texts, mark)
    for country in countries().values():
        clues = [*found[country.code], *money.clues(country.currency_on(day))]
        scores[country.code] = sum(weight for weight, _ in clues)
        reasons[country.code] = [what for weight, what in sorted(clues, reverse=True) if weight > 0]
    chances = _softmax(scores)
    by_currency: dict[str, float] = defaultdict(float)
    for code, chance in chances.items():
        by_currency[countries()[code].currency_on(day)] += chance
    best = max(chances, key=lambda code: chances[code])
    guess = _decide(chances, by_currency, texts, dates)
    guess = replace(guess, language=language, evidence=tuple(reasons[best][:8]))
    return _settle(guess, chances, preferences) if preferences is not None else guess


def _decide(
    chances: Mapping[str, float], by_currency: Mapping[str, float], texts: Sequence[str], dates: Sequence[PrintedDate]
) -> LocaleGuess:
    best = max(chances, key=lambda code: chances[code])
    ranked = sorted(by_currency, key=lambda currency: -by_currency[currency])
    country = best if chances[best] >= _DECIDED else None
    best_chance, runner_up = by_currency[ranked[0]], by_currency[ranked[1]]
    currency = ranked[0] if best_chance >= max(_LIKELY, _AHEAD * runner_up) else None
    orders: dict[Order, float] = {"DMY": 0.0, "MDY": 0.0, "YMD": 0.0}
    for code, chance in chances.items():
        usual: Sequence[Order] = [order] if (order := countries()[code].order) else ("MDY", "MDY", "DMY", "YMD")
        for order in usual:
            orders[order] += chance / len(usual)
    home = countries()[country] if country else None
    order = _printed_order(texts, dates, is_year_first=orders["YMD"] > 0.5) or next(
        (o for o, chance in orders.items() if chance >= _DECIDED_ORDER), None
    )
    return LocaleGuess(
        country=country,
        currency=currency,
        currency_confidence=round(best_chance, 4),
        is_currency_decided=currency is not None and best_chance >= _DECIDED,
        currencies=tuple(name for name in ranked if by_currency[name] >= _CANDIDATE),
        decimal_mark=decimal_mark(texts) or (home.decimal if home and home.currency not in _WITHOUT_FRACTIONS else None),
        date_order=order,
        orders=orders,
    )


def _settle(guess: LocaleGuess, chances: Mapping[str, float], preferences: Preferences) -> LocaleGuess:
    """The guess with what the receipt leaves open filled in from the settings, unless it speaks against them."""
    found: dict[str, Any] = {}
    if guess.country is None and preferences.country and chances.get(preferences.country, 0.0) >= _POSSIBLE:
        found["country"] = preferences.country
    home = countries().get(found.get("country", ""))
    wanted = preferences.currency or (home.currency if home else None)
    if not guess.is_currency_decided and wanted and (guess.currency is None or wanted in guess.currencies):
        found |= {"currency": wanted, "is_currency_decided": True, "currency_confidence": max(guess.currency_confidence, _DECIDED)}
    if guess.date_order is None and preferences.date_order:
        found["date_order"] = preferences.date_order
    return replace(guess, **found, settled=tuple(name for name in _SETTINGS if name in found))


def _softmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Probabilities of the countries; what is missing to 1 is for those that the tables do not know."""
    top = max(*scores.values(), _ELSEWHERE)
    weights = {code: math.exp(score - top) for code, score in scores.items()}
    total = sum(weights.values()) + math.exp(_ELSEWHERE - top)
    return {code: weight / total for code, weight in weights.items()}


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
def _weighed(raw: str) -> tuple[str | None, Mapping[str, tuple[tuple[float, str], ...]]]:
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


def _is_code(text: str, mark: CurrencyMark) -> bool:
    """Whether a mark is more likely something else.

    `SR` behind an amount is a tax code of Malaysia, `SVC` the service charge, `TL` at the beginning of a row the total of a simple till.
    """
    name, before = mark.text.upper(), text[: mark.start].rstrip()
    return name == "SVC" or (name == "SR" and before[-1:].isdigit()) or (name == "TL" and not before)


@dataclass(frozen=True)
class _Money:
    """What a receipt's amounts say of its currency."""

    marks: Mapping[tuple[str, ...], int]
    answered: tuple[str, ...]
    whole: int
    broken: int

    @staticmethod
    def of(texts: Sequence[str], mark: str | None) -> "_Money":
        """Counts of currency marks by what they can mean, and of amounts of a thousand and more with and without decimals."""
        marks: Counter[tuple[str, ...]] = Counter()
        names: dict[bool, set[str]] = {True: set(), False: set()}
        whole = broken = 0
        for text in texts:
            for found in find_marks(text):
                is_code = _is_code(text, found)  # the same letters may be a mark elsewhere on the receipt
                names[is_code].add(found.text.upper())
                marks[found.candidates] += not is_code
            marks.update(filter(None, (candidates_of(heading) for heading in _IN_BRACKETS.findall(text))))
            for amount in find_amounts(text):
                broken += amount.decimals in (1, 2)
                whole += bool(re.search(r"\d{2}[.,]\d00\b", amount.text))
        is_mark = mark is not None and mark.strip().upper() not in _CODES | (names[True] - names[False])
        return _Money(+marks, candidates_of(mark) if mark and is_mark else (), whole, broken)

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
            if currency in _WITHOUT_FRACTIONS:
                yield _WHOLE_AMOUNTS, "amounts without decimals"
            elif not any(currency in candidates for candidates in self.marks):
                yield -_WHOLE_AMOUNTS, "amounts without decimals"
        elif self.broken >= 3 and currency in _WITHOUT_FRACTIONS:
            yield _FRACTIONS, "amounts with decimals"


def _printed_order(texts: Sequence[str], dates: Sequence[PrintedDate], *, is_year_first: bool) -> Order | None:
    """The order that the receipt's own dates prove: a day above 12, a weekday beside it, the same day printed unmistakably elsewhere.

    Where the year usually comes first, a date that may begin with a short year proves nothing.
    """
    votes: Counter[Order] = Counter()
    certain = {
        day
        for printed in dates
        if len(printed.days) == 1 and (printed.is_named or printed.readings[0].order == "YMD")
        for day in printed.days
    }
    for text in texts:
        for printed in find_dates(text):
            has_short_year = is_year_first and any(reading.order == "YMD" for reading in printed.readings)
            if printed.is_named or printed.is_weak or printed.is_repaired or has_short_year:
                continue
            numeric = [reading for reading in printed.readings if reading.order != "YMD" and reading.day in printed.days]
            numeric = [reading for reading in numeric if reading.order != "MDY" or "." not in printed.text]
            if len(printed.days) == 1 and numeric:
                votes[numeric[0].order] += 2 * (len({reading.order for reading in numeric}) == 1)
                continue
            proofs = [reading for reading in numeric if reading.day in certain or reading.day.weekday() in weekdays_in(text)]
            if len({reading.order for reading in proofs}) == 1:
                votes[proofs[0].order] += 1
    ranked = votes.most_common(2)
    if not ranked or ranked[0][1] == 0 or (len(ranked) == 2 and ranked[1][1] * 2 > ranked[0][1]):
        return None
    return ranked[0][0]
