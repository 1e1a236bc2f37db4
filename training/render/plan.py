"""Everything about one receipt that is decided before layout: shop, purchase, text format and layout options."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from random import Random

from babel.dates import get_day_names

from training.render.locale_tables import Country, Vocabulary, country_codes, load_country, load_language
from training.render.money import MoneyFormat
from training.render.options import KINDS, RenderOptions
from training.render.purchase import Purchase, make_purchase
from training.render.shop import Shop, invent_shop
from training.render.text_format import TextFormat

_FIRST_DAY = datetime(2011, 1, 3, 7, 30)  # noqa: DTZ001 - printed local time, no zone on paper
_DAYS = 5700


@dataclass(frozen=True)
class Layout:
    """Layout options, in which receipts of the world differ."""

    columns: int
    items: str  # one_line, quantity_first, code_line, table, quantity_above, quantity_below, price_times
    has_heading: bool
    max_description: int
    rule: str
    meta_place: str  # top, above_total, foot: position of date, time and number
    meta_style: str  # joined, labelled, pair, loose
    merchant_place: str  # top, logo, small, foot
    shows_subtotal: bool
    shows_net: bool
    tax_style: str  # lines, table, sentence, none
    tax_place: str  # before_total, after_total, after_payment
    shows_codes: bool
    total_size: float
    total_bold: bool
    label_end: str
    leader: str
    indent: int
    repeats_total: bool
    shows_slip: bool
    shows_converted: bool
    shows_hours: bool
    shows_points: bool
    shows_bars: bool
    shows_count: bool
    has_signature: bool
    prints_time: bool
    prints_address: bool


@dataclass(frozen=True)
class Plan:
    """One receipt before layout."""

    seed: str
    country: Country
    shop: Shop
    purchase: Purchase
    moment: datetime
    words: Vocabulary
    text: TextFormat
    money: MoneyFormat
    layout: Layout

    @property
    def language_code(self) -> str:
        return self.text.language.code

    @property
    def date_order(self) -> str:
        """Order of day, month and year in the printed date: `DMY`, `MDY` or `YMD`."""
        template = self.text.date_format
        places = {
            "D": template.find("{d"),
            "M": max(template.find("{m:"), template.find("{m}"), template.find("{mon")),
            "Y": template.find("{y"),
        }
        return "".join(sorted(places, key=lambda part: places[part]))

    @property
    def weekday(self) -> str:
        """Name of the weekday in the receipt's language."""
        is_short = self.rng("weekday width").random() < 0.5
        names = get_day_names("abbreviated" if is_short else "wide", locale=self.language_code)
        return self.text.format(names[self.moment.weekday()])

    @property
    def site(self) -> str:
        """Web address of the shop."""
        plain_name = "".join(mark for mark in self.shop.brand.lower() if mark.isascii() and mark.isalnum()) or "shop"
        return f"www.{plain_name[:18]}.example"

    def word(self, key: str) -> str:
        """Label of this receipt for `key`, as printed."""
        return self.text.format(self.words.word(key, foreign_taxes=self._foreign_taxes))

    @cached_property
    def _foreign_taxes(self) -> frozenset[str]:
        """Names of taxes that exist in this country but are not charged on this receipt."""
        known = {rate.name for scheme in self.country.schemes for rate in scheme.rates}
        return frozenset(known - {line.rate.name for line in self.purchase.taxes})

    def rng(self, part: str) -> Random:
        """Return the random generator of one part, so that a change in one part does not affect the others."""
        return Random(f"{self.seed}:{part}")


def _layout(rng: Random, options: RenderOptions, purchase: Purchase, kind: str, country: Country) -> Layout:
    def chance(probability: float) -> bool:
        return rng.random() < probability

    two_rates = len(purchase.taxes) > 1
    tax_style = rng.choices(("lines", "table", "sentence", "none"), (5, 5 if two_rates else 3, 0 if two_rates else 3, 0.8))[0]
    tax_place = rng.choice(("before_total", "after_total", "after_payment"))
    if purchase.tax_mode == "on_top":
        tax_style, tax_place = "lines", "before_total"
    elif tax_style in ("table", "sentence") and tax_place == "before_total":
        tax_place = "after_total"
    elif tax_style == "none" and not purchase.taxes:
        tax_style = "none"
    styles = ("one_line", "quantity_first", "code_line", "table", "quantity_above", "quantity_below", "price_times")
    weights = (4, 5, 0.5, 2, 0.5, 1, 0.5) if kind == "restaurant" else (3, 1.5, 2.5, 2, 2, 3, 1.5)
    items = rng.choices(styles, weights)[0]
    has_sum = bool(purchase.discount or purchase.service or purchase.tip or purchase.tax_mode == "on_top" or purchase.rounding)
    return Layout(
        columns=rng.choice((30, 32, 32, 36, 38, 40, 42, 44, 48)),
        items=items,
        has_heading=items == "table" or (items == "code_line" and chance(0.8)) or chance(0.3),
        max_description=rng.choice((16, 18, 20, 22, 40, 40, 40, 60)),
        rule=rng.choice(("-", "-", "-", "=", "_", "_", "*", "", "- ", ".")),
        meta_place=rng.choices(("top", "above_total", "foot"), (6, 0.5, 3))[0],
        meta_style=rng.choice(("joined", "labelled", "pair", "loose")),
        merchant_place=rng.choices(("top", "logo", "small", "foot"), (5, 3, 4, 0.4))[0],
        shows_subtotal=chance(0.97 if has_sum else 0.35),
        shows_net=purchase.tax_mode == "inside" and bool(purchase.taxes) and chance(0.2),
        tax_style=tax_style,
        tax_place=tax_place,
        shows_codes=purchase.tax_mode != "on_top" and two_rates and chance(0.75),
        total_size=rng.choice((1.0, 1.0, 1.0, 1.3, 1.5, 1.8)),
        total_bold=chance(0.5),
        label_end=rng.choice(("", "", ":", " :")),
        leader=rng.choice(("", "", "", "", "", ".")),
        indent=rng.choice((0, 0, 0, 0, 6, 10)),
        repeats_total=chance(0.15),
        shows_slip=not purchase.is_cash and chance(0.5),
        shows_converted=country.code not in ("US",) and chance(0.06),
        shows_hours=chance(0.15),
        shows_points=kind == "grocery" and chance(0.2),
        shows_bars=chance(0.25),
        shows_count=chance(0.3),
        has_signature=not purchase.is_cash and chance(0.15),
        prints_time=chance(0.9) if options.prints_time is None else options.prints_time,
        prints_address=chance(0.95),
    )


def make_plan(seed: str, options: RenderOptions) -> Plan:
    """Make all choices for the receipt of this seed; equal arguments give equal plans."""
    rng = Random(f"{seed}:plan")
    country = load_country(options.country or rng.choice(country_codes()))
    language = load_language(rng.choice(country.languages))
    kind = options.kind or rng.choices(KINDS, (5, 5, 4, 1))[0]
    words = Vocabulary(country, language, seed)
    purchase = make_purchase(Random(f"{seed}:purchase"), words, kind, options.max_items)
    layout = _layout(Random(f"{seed}:layout"), options, purchase, kind, country)
    text_format = TextFormat(
        country=country,
        language=language,
        is_upper=rng.random() < 0.35,
        is_plain=language.code not in ("el", "bg", "th") and rng.random() < 0.15,
        date_format=options.date_format or rng.choice(country.dates),
        time_format=rng.choice(country.times),
    )
    mark = rng.choice(country.marks)
    place = rng.choice(country.mark_places)
    money = MoneyFormat(
        digits=country.digits,
        decimal=country.decimal,
        thousands=rng.choice(country.thousands),
        minus=rng.choice(country.minus),
        mark=mark,
        on_items=place if rng.random() < 0.4 else "none",
        on_totals=place,
    )
    moment = _FIRST_DAY + timedelta(days=rng.randint(0, _DAYS), seconds=rng.randint(0, 15 * 3600))
    shop = invent_shop(Random(f"{seed}:shop"), country, language, kind)
    entries = tuple(
        replace(entry, description=_cut(text_format.format(entry.description), layout.max_description)) for entry in purchase.entries
    )
    return Plan(seed, country, shop, replace(purchase, entries=entries), moment, words, text_format, money, layout)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rstrip()
