"""Country, currency and date order of a receipt, decided from all its evidence together."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, Protocol

from extractor.parsing.amounts import decimal_mark
from extractor.parsing.currencies import has_decimals
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.interpretations import Order, PrintedDate
from extractor.parsing.dates.months import fold
from extractor.parsing.dates.weekdays import weekdays_in
from extractor.parsing.locale.countries import countries
from extractor.parsing.locale.currency_evidence import CurrencyMarks
from extractor.parsing.locale.evidence import Finding, find_clues
from extractor.parsing.locale.weights import locale_weights
from extractor.parsing.locale.zones import Zone, zones_of
from extractor.parsing.times import find_times


class Preferences(Protocol):
    """Configured tie-breaks for what a receipt does not decide itself."""

    @property
    def country(self) -> str | None: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def date_order(self) -> Order | None: ...


@dataclass(frozen=True)
class LocaleGuess:
    """What a receipt's evidence supports of its country, currency and dates.

    Attributes:
        country: ISO 3166-1, where decided.
        currency: ISO 4217, where decided, or where one candidate is far ahead of all others.
        currency_confidence: Calibrated probability of `currency`, or of the likeliest candidate where there is none.
        is_currency_decided: False where `currency` is only the likeliest, or missing, or rests on a place name, a chain or a phrase alone;
            a person should check it then.
        currencies: Candidates, likeliest first.
        decimal_mark: From the amounts themselves, else the country's where its prices have decimals.
        date_order: Order of its numeric dates, where decided.
        orders: Probability of each order, by place and language; used by `likeliest_day`.
        language: ISO 639-1, where decided by its words.
        settled: Fields that only the settings decided.
        evidence: Clues to country and currency, strongest first.
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


# Calibrated probability from which country and currency are decided: rendered receipts, on which it is measured, hold fewer surprises than
# real ones. Probability from which a currency is worth proposing. Confidence of a currency that the settings decide.
_DECIDED, _PROPOSED, _SETTLED = 0.9, 0.3, 0.8
# How many times likelier than the second a proposed currency has to be.
_AHEAD = 1.7
# Probability from which the order of dates is decided, and the difference between two orders that leans towards one.
_DECIDED_ORDER, _LEAN = 0.9, 0.05
# Probabilities from which a currency is a candidate, a preferred country is possible, and a year may come first.
_CANDIDATE, _POSSIBLE, _POSSIBLY_YEAR_FIRST = 0.02, 0.01, 0.3
# Families of clues that never decide alone: shops and dishes are called after places, chains are printed in advertisements, and tills and
# card terminals are exported.
_WEAK = frozenset({"places", "brands", "phrases"})
# Clues that are the same for many countries: they make one likelier and confirm none.
_COMMON = frozenset(
    {"shared_mark", "commonest_mark", "more_shared_marks", "shared_mark_at_total", "rare_pound", "english_words", "dotted_dates"}
)
_SETTINGS = ("country", "currency", "date_order")
# Words before the day on which something ends: a voucher, a right to return.
_LAST_DAY = re.compile(r"\b(?:valid|until|till|thru|expir\w*|exp|before|gultig|bis|vrijedi|zamjena|do|валидн\w|годн\w+|замяна|важи|до)\W")


def weigh_locale(
    texts: Sequence[str], *, zones: Sequence[Zone] | None = None, mark: str | None = None, preferences: Preferences | None = None
) -> LocaleGuess:
    """The country, currency, language and date order that all texts of a receipt together support.

    Args:
        texts: All rows of all pages; other texts of the receipt may follow.
        zones: The zone of each text; found from the order of the rows where not given.
        mark: Currency mark at the total, if a reader found one: it outweighs marks elsewhere.
        preferences: Used only for what the receipt leaves open; `LocaleGuess.settled` lists these fields.
    """
    language, found = find_clues(tuple(texts), tuple(zones_of(texts) if zones is None else zones))
    dates = [printed for text in texts for printed in find_dates(text)]
    day = _sold_on(texts)
    money = CurrencyMarks.of(texts, mark)
    clues = {country.code: (*found[country.code], *money.clues(country.currency_on(day))) for country in countries().values()}
    guess, probabilities = _decide(clues, day, texts, dates)
    guess = replace(guess, language=language)
    return _settle(guess, probabilities, preferences) if preferences is not None else guess


def _sold_on(texts: Sequence[str]) -> date | None:
    """The day that decides between old and new currencies: the latest printed one, preferably beside a time, no end of a voucher."""
    found = [(text, printed) for text in texts for printed in find_dates(text) if not printed.is_weak]
    past = [(text, printed) for text, printed in found if not _LAST_DAY.search(fold(text[: printed.start]))]
    timed = [(text, printed) for text, printed in past if any(not time.is_weak for time in find_times(text))]
    return max((min(printed.days) for _, printed in timed or past or found), default=None)


def _decide(
    clues: Mapping[str, Sequence[Finding]], day: date | None, texts: Sequence[str], dates: Sequence[PrintedDate]
) -> tuple[LocaleGuess, Mapping[str, float]]:
    """The guess by these clues of each country, and the countries' probabilities."""
    weights = locale_weights()
    probabilities = weights.probabilities({code: weights.score(findings) for code, findings in clues.items()})
    best = max(probabilities, key=lambda code: probabilities[code])
    by_currency: dict[str, float] = defaultdict(float)
    for code, probability in probabilities.items():
        by_currency[countries()[code].currency_on(day)] += probability
    ranked = sorted(by_currency, key=lambda currency: -by_currency[currency])
    currency, confidence, is_decided = _currency(ranked, by_currency, clues, day)
    country = best if weights.calibrated(probabilities[best]) >= _DECIDED and _is_independent(clues[best]) else None
    orders = _orders(probabilities)
    usual_order = next((each for each, probability in orders.items() if probability >= _DECIDED_ORDER), None)
    printed_order = _printed_order(texts, dates, is_year_first=orders["YMD"] > 0.5)
    # A date that the place's order cannot mean may be misread as well as printed in another order: it decides nothing for other dates.
    order = None if printed_order and usual_order and printed_order != usual_order else printed_order or usual_order
    home = countries()[country] if country else None
    strongest = sorted(((weights.weight_of(finding), finding.reason) for finding in clues[best]), reverse=True)
    guess = LocaleGuess(
        country=country,
        currency=currency,
        currency_confidence=round(confidence, 4),
        is_currency_decided=is_decided,
        currencies=tuple(name for name in ranked if by_currency[name] >= _CANDIDATE),
        decimal_mark=decimal_mark(texts) or (home.decimal if home and has_decimals(home.currency) else None),
        date_order=order,
        orders=orders,
        evidence=tuple(reason for weight, reason in strongest if weight > 0)[:8],
    )
    return guess, probabilities


def _currency(
    ranked: Sequence[str], by_currency: Mapping[str, float], clues: Mapping[str, Sequence[Finding]], day: date | None
) -> tuple[str | None, float, bool]:
    """The currency where one is far ahead, its calibrated probability (of the first where none is), and whether it is decided."""
    first, second = ranked[:2]
    confidence = locale_weights().calibrated(by_currency[first])
    if by_currency[first] < max(_PROPOSED, _AHEAD * by_currency[second]):
        return None, confidence, False
    payers = [code for code in clues if countries()[code].currency_on(day) == first]
    return first, confidence, confidence >= _DECIDED and any(_is_independent(clues[code]) for code in payers)


def _is_independent(findings: Sequence[Finding]) -> bool:
    """Whether more than a place name, a chain or a phrase supports a country: other evidence, or one of the others with an address.

    A mark that many currencies share confirms none of them.
    """
    weights = locale_weights()
    own = [finding for finding in findings if finding.feature not in _COMMON and weights.weight_of(finding) > 0]
    families = {finding.family for finding in own}
    has_address = any(finding.family == "places" and finding.feature.endswith(Zone.ADDRESS) for finding in own)
    return bool(families - _WEAK) or (has_address and len(families) > 1)


def _orders(probabilities: Mapping[str, float]) -> Mapping[Order, float]:
    """Probability of each order of numeric dates."""
    orders: dict[Order, float] = {"DMY": 0.0, "MDY": 0.0, "YMD": 0.0}
    for code, probability in probabilities.items():
        usual: Sequence[Order] = [order] if (order := countries()[code].order) else ("MDY", "MDY", "DMY", "YMD")
        for order in usual:
            orders[order] += probability / len(usual)
    return orders


def _settle(guess: LocaleGuess, probabilities: Mapping[str, float], preferences: Preferences) -> LocaleGuess:
    """The guess with what the receipt leaves open filled in from the settings, unless it speaks against them."""
    found: dict[str, Any] = {}
    if guess.country is None and preferences.country and probabilities.get(preferences.country, 0.0) >= _POSSIBLE:
        found["country"] = preferences.country
    home = countries().get(found.get("country", ""))
    wanted = preferences.currency or (home.currency if home else None)
    if not guess.is_currency_decided and wanted and (guess.currency is None or wanted in guess.currencies):
        found |= {"currency": wanted, "is_currency_decided": True, "currency_confidence": max(guess.currency_confidence, _SETTLED)}
    if guess.date_order is None and preferences.date_order:
        found["date_order"] = preferences.date_order
    return replace(guess, **found, settled=tuple(name for name in _SETTINGS if name in found))


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
