"""Country and language tables as typed, frozen values. The tables are the TOML files beside this module."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
_OWN = frozenset({"terms"})  # sentences for which English is no fallback


@dataclass(frozen=True)
class Product:
    """A product: `price` in euro cents before the country's scale, `unit` empty where it is sold by the piece."""

    description: str
    price: int
    tax_class: str
    unit: str = ""


@dataclass(frozen=True)
class TaxRate:
    """One tax rate: how it is printed, and the product classes that it applies to."""

    name: str
    code: str
    percent: Decimal
    classes: frozenset[str]


@dataclass(frozen=True)
class TaxScheme:
    """How a shop charges tax.

    Attributes:
        mode: `inside` if prices include tax, `on_top` if tax is added, `none` if there is none.
        kinds: Kinds of shop that it applies to; empty for all.
        service: Service charges in percent to choose from; 0 for none.
        weight: Relative probability among the schemes of the country.
    """

    mode: str
    rates: tuple[TaxRate, ...]
    kinds: frozenset[str]
    service: tuple[Decimal, ...]
    weight: float


@dataclass(frozen=True)
class Language:
    """Labels and products of one language. Pairs of `upper` are replaced before `str.upper`, where receipts differ from Unicode's rule."""

    code: str
    months: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    products: Mapping[str, tuple[Product, ...]]
    shop_words: Mapping[str, tuple[str, ...]]
    name_patterns: tuple[str, ...]
    syllables: tuple[str, ...]
    upper: Mapping[str, str]


@dataclass(frozen=True)
class Country:
    """Money, dates, taxes and addresses of one country.

    Prices are those of the language times `scale`, in steps of `price_step` minor units.
    """

    code: str
    languages: tuple[str, ...]
    currency: str
    digits: int
    decimal: str
    thousands: tuple[str, ...]
    marks: tuple[str, ...]
    mark_places: tuple[str, ...]
    minus: tuple[str, ...]
    dates: tuple[str, ...]
    date_order: str
    times: tuple[str, ...]
    era: int
    scale: Decimal
    price_step: int
    notes: tuple[int, ...]
    cash_step: int
    rounds_cards: bool
    fuel_price: Decimal
    fuel_unit: str
    cards: tuple[str, ...]
    schemes: tuple[TaxScheme, ...]
    tax_ids: tuple[str, ...]
    titles: tuple[str, ...]
    legal: tuple[str, ...]
    prefers_legal: bool
    surnames: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    addresses: tuple[tuple[str, ...], ...]
    phones: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    has_tip_line: bool


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file, parse_float=Decimal)


def _texts(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in table.items()}


def _scheme(table: Mapping[str, Any]) -> TaxScheme:
    rates = tuple(
        TaxRate(rate["name"], rate.get("code", ""), Decimal(str(rate["percent"])), frozenset(rate["classes"]))
        for rate in table.get("rates", ())
    )
    service = tuple(Decimal(str(percent)) for percent in table.get("service", (0,)))
    return TaxScheme(table["mode"], rates, frozenset(table.get("kinds", ())), service, float(table.get("weight", 1)))


@cache
def country_codes() -> tuple[str, ...]:
    """ISO 3166 codes of the countries that can be rendered, sorted."""
    return tuple(sorted(path.stem.upper() for path in (HERE / "countries").glob("*.toml")))


@cache
def language_codes() -> tuple[str, ...]:
    """ISO 639 codes of the languages that receipts can be rendered in, sorted."""
    return tuple(sorted(path.stem for path in (HERE / "languages").glob("*.toml")))


@cache
def load_language(code: str) -> Language:
    """Return the language with this code; words that its table lacks are taken from English."""
    table = _read(HERE / "languages" / f"{code}.toml")
    words = _texts(table["words"])
    if code != "en":
        words = {**{key: texts for key, texts in load_language("en").words.items() if key not in _OWN}, **words}
    products = {kind: tuple(Product(*row) for row in rows) for kind, rows in table["products"].items()}
    return Language(
        code=code,
        months=tuple(table["months"]),
        words=words,
        products=products,
        shop_words=_texts(table["shop_words"]),
        name_patterns=tuple(table["name_patterns"]),
        syllables=tuple(table.get("syllables", load_language("en").syllables if code != "en" else ())),
        upper=dict(table.get("upper", {})),
    )


@cache
def load_country(code: str) -> Country:
    """Return the country with this ISO 3166 code.

    Raises:
        FileNotFoundError: There is no table for it; see `country_codes`.
    """
    table = _read(HERE / "countries" / f"{code.lower()}.toml")
    scale = Decimal(str(table["scale"]))
    return Country(
        code=code,
        languages=tuple(table["languages"]),
        currency=table["currency"],
        digits=table.get("digits", 2),
        decimal=table.get("decimal", "."),
        thousands=tuple(table.get("thousands", [","])),
        marks=tuple(table["marks"]),
        mark_places=tuple(table.get("mark_places", ["none"])),
        minus=tuple(table.get("minus", ["-{}"])),
        dates=tuple(table["dates"]),
        date_order=table["date_order"],
        times=tuple(table.get("times", ["{H:02}:{M:02}", "{H:02}:{M:02}:{S:02}"])),
        era=table.get("era", 0),
        scale=scale,
        price_step=table.get("price_step", 1),
        notes=tuple(table["notes"]),
        cash_step=table.get("cash_step", 1),
        rounds_cards=table.get("rounds_cards", False),
        fuel_price=Decimal(str(table.get("fuel_price", scale * Decimal("1.65")))),
        fuel_unit=table.get("fuel_unit", "L"),
        cards=tuple(table.get("cards", ["VISA", "MASTERCARD"])),
        schemes=tuple(_scheme(scheme) for scheme in table["taxes"]),
        tax_ids=tuple(table.get("tax_ids", ())),
        titles=tuple(table.get("titles", ())),
        legal=tuple(table["legal"]),
        prefers_legal=table.get("prefers_legal", False),
        surnames=tuple(table["surnames"]),
        streets=tuple(table["streets"]),
        cities=tuple(table["cities"]),
        addresses=tuple(tuple(lines) for lines in table["addresses"]),
        phones=tuple(table["phones"]),
        words=_texts(table.get("words", {})),
        has_tip_line=table.get("has_tip_line", False),
    )


@dataclass(frozen=True)
class Vocabulary:
    """Labels of one receipt: the label for a key depends on the seed alone, as a register always prints the same one."""

    country: Country
    language: Language
    seed: str

    def word(self, key: str, *, foreign_taxes: frozenset[str] = frozenset()) -> str:
        """Return the label for `key`; labels that name another currency or a tax of `foreign_taxes` are used only if there is no other."""
        choices = self.all(key)
        foreign = foreign_taxes | self._foreign_currencies
        own = [text for text in choices if not any(name in text for name in foreign)]
        return Random(f"{self.seed}:{key}").choice(own or choices)

    @cached_property
    def _foreign_currencies(self) -> frozenset[str]:
        """Codes and symbols of other countries' currencies, which labels such as `SUMME EUR` contain."""
        countries = [load_country(code) for code in country_codes()]
        named = {country.currency for country in countries} | {"€", "EURO", "Kč", "zł", "บาท"}
        return frozenset(
            named - {self.country.currency, *self.country.marks} - ({"€", "EURO"} if self.country.currency == "EUR" else set())
        )

    def all(self, key: str) -> tuple[str, ...]:
        return self.country.words.get(key) or self.language.words[key]
