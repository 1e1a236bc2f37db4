"""What gives a country away on a receipt, and what it prints by habit: currency, date order, decimal mark. Reads `countries.toml`."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

from extractor.parsing.dates.interpretations import Order
from extractor.parsing.vocabulary import company_form_evidence

CLUES = ("tax_ids", "taxes", "legal", "places", "streets", "addresses", "postal", "local_phone", "brands")
"""The kinds of patterns that a country's table may have."""


_PLAIN = re.compile(r"[^\\\[\](){}.?*+|^$]+")


@dataclass(frozen=True)
class Clue:
    """Words and patterns that say the same thing. Plain words are looked up before any pattern runs: receipts hold few of them."""

    literals: tuple[tuple[str, re.Pattern[str]], ...]
    pattern: re.Pattern[str] | None

    def found_in(self, text: str) -> frozenset[str]:
        """The different stretches of the text that match."""
        found = {literal for literal, pattern in self.literals if literal in text and pattern.search(text)}
        if self.pattern is not None:
            found |= {match.group().strip() for match in self.pattern.finditer(text)}
        return frozenset(found)


@dataclass(frozen=True)
class Country:
    """One country's habits and clues.

    Attributes:
        code: ISO 3166-1.
        currency: ISO 4217, as of today; `currency_on` knows the past.
        order: Usual order of numeric dates; `None` where several are usual.
        decimal: Usual decimal mark.
        languages: ISO 639-1, the commonest on receipts first.
        phone: Country code of telephone numbers, without `+`.
        domain: The last part of its web and mail addresses; `None` where those say nothing.
        regions: Short names of states or provinces, as addresses print them.
        clues: Patterns by kind (see `CLUES`): `tax_ids` are labels and shapes of tax numbers and fiscal devices; `taxes` names and rates;
            `legal` forms of companies; `places` towns and regions; `streets` words of addresses; `addresses` towns with their state and
            postal code, `postal` codes with what stands beside them, both searched in text as printed; `local_phone` numbers without
            the country code; `brands` chains that are at home there. All others are searched in folded text.
    """

    code: str
    currency: str
    order: Order | None
    decimal: Literal[".", ","]
    languages: tuple[str, ...]
    phone: str
    domain: re.Pattern[str] | None
    regions: tuple[str, ...]
    clues: Mapping[str, Clue]

    def currency_on(self, day: date | None) -> str:
        """What is paid with there on that day; today's currency where the day is not known."""
        former, end = FORMER_CURRENCIES.get(self.code, ("", date.min))
        return former if day is not None and day < end else self.currency


FORMER_CURRENCIES: Mapping[str, tuple[str, date]] = MappingProxyType(
    {
        "HR": ("HRK", date(2023, 1, 1)),
        "BG": ("BGN", date(2026, 1, 1)),
        "LT": ("LTL", date(2015, 1, 1)),
        "LV": ("LVL", date(2014, 1, 1)),
        "EE": ("EEK", date(2011, 1, 1)),
    }
)
"""What a country paid with before the euro, and the euro's first day. Source: European Central Bank, dates of adoption."""


@cache
def countries() -> Mapping[str, Country]:
    """All known countries by ISO 3166-1 code."""
    return MappingProxyType(
        {code: _country(code, table | {"legal": company_form_evidence(code)}) for code, table in _read("countries.toml").items()}
    )


@cache
def language_words() -> Mapping[str, Clue]:
    """Words of tills by language (ISO 639-1), in folded text."""
    return MappingProxyType({language: _any_of(words, {}) for language, words in _read("languages.toml").items()})


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("extractor.parsing").joinpath("data", name).read_text(encoding="utf-8"))


def _country(code: str, table: Mapping[str, Any]) -> Country:
    lists = {"regions": "|".join(table.get("regions", ())), "places": "|".join(p for p in table.get("places", ()) if _PLAIN.fullmatch(p))}
    return Country(
        code,
        table["currency"],
        table.get("order"),
        table["decimal"],
        tuple(table["languages"]),
        table["phone"],
        re.compile(rf"\.(?:{'|'.join(table['domain'])})$") if "domain" in table else None,
        tuple(table.get("regions", ())),
        MappingProxyType({kind: _any_of(table[kind], lists) for kind in CLUES if table.get(kind)}),
    )


def _any_of(patterns: Sequence[str], lists: Mapping[str, str]) -> Clue:
    """A clue of these patterns; `{regions}` and `{places}` stand for the country's lists of these."""
    plain = {pattern: word for pattern in patterns if _PLAIN.fullmatch(word := pattern.removeprefix(r"\b").removesuffix(r"\b"))}
    rest = "|".join(pattern for pattern in patterns if pattern not in plain)
    for name, alternatives in lists.items():
        rest = rest.replace(f"{{{name}}}", alternatives)
    literals = tuple((word, re.compile(pattern)) for pattern, word in plain.items())
    return Clue(literals, re.compile(rest, re.MULTILINE) if rest else None)
