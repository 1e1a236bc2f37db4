"""Where a receipt comes from, and so what its marks and dates mean: weighed from all its evidence together, never assumed."""

import math
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
from extractor.parsing.locale.evidence import CurrencyMarks, clues_in
from extractor.parsing.times import find_times


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


_ELSEWHERE = 2.0  # score of all countries that the tables do not know; keeps a lone weak clue from deciding
_DECIDED, _LIKELY, _AHEAD, _DECIDED_ORDER, _LEAN = 0.8, 0.3, 1.7, 0.9, 0.05
_CANDIDATE, _POSSIBLE, _POSSIBLY_YEAR_FIRST = 0.02, 0.01, 0.3
_SETTINGS = ("country", "currency", "date_order")
_LAST_DAY = re.compile(r"\b(?:valid|until|till|thru|expir\w*|exp|before|gultig|bis|vrijedi|zamjena|do|валидн\w|годн\w+|замяна|важи|до)\W")
"""Words before the day on which something ends: a voucher, a right to return."""


def weigh_locale(texts: Sequence[str], *, mark: str | None = None, preferences: Preferences | None = None) -> LocaleGuess:
    """The place, currency, language and date order that all texts of a receipt together speak for.

    Args:
        texts: All rows of all pages; other texts of the receipt may follow.
        mark: Currency mark that stands at the total, if a reader found one: it outweighs marks elsewhere.
        preferences: Used only for what the receipt leaves open; `LocaleGuess.settled` says for what.
    """
    language, found = clues_in("\n".join(texts))
    dates = [printed for text in texts for printed in find_dates(text)]
    day = _sold_on(texts)
    scores: dict[str, float] = {}
    reasons: dict[str, list[str]] = {}
    money = CurrencyMarks.of(texts, mark)
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


def _sold_on(texts: Sequence[str]) -> date | None:
    """The day that the currency hangs on: the latest that is printed, best beside a time, and not the last day of a voucher."""
    found = [(text, printed) for text in texts for printed in find_dates(text) if not printed.is_weak]
    past = [(text, printed) for text, printed in found if not _LAST_DAY.search(fold(text[: printed.start]))]
    timed = [(text, printed) for text, printed in past if any(not time.is_weak for time in find_times(text))]
    return max((min(printed.days) for _, printed in timed or past or found), default=None)


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
    usual_order = next((each for each, chance in orders.items() if chance >= _DECIDED_ORDER), None)
    printed_order = _printed_order(texts, dates, is_year_first=orders["YMD"] > 0.5)
    # A date that the place's order cannot mean may be misread as well as printed in another order: it decides nothing for other dates.
    order = None if printed_order and usual_order and printed_order != usual_order else printed_order or usual_order
    return LocaleGuess(
        country=country,
        currency=currency,
        currency_confidence=round(best_chance, 4),
        is_currency_decided=currency is not None and best_chance >= _DECIDED,
        currencies=tuple(name for name in ranked if by_currency[name] >= _CANDIDATE),
        decimal_mark=decimal_mark(texts) or (home.decimal if home and has_decimals(home.currency) else None),
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
