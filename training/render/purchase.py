"""One purchase whose amounts add up exactly, as a cash register computes them. Independent of the layout."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from training.render.locale_tables import Country, Product, TaxRate, TaxScheme, Vocabulary
from training.render.money import round_half_up, to_step
from training.render.shop import fill_pattern


@dataclass(frozen=True)
class Entry:
    """One entry of the subtotal.

    Attributes:
        kind: `item`, `discount`, `deposit` or `free` (an item without charge).
        unit_price: In major units; may have more decimals than the currency, as fuel prices do.
        amount: Minor units; negative for discounts.
        code: Product code; empty where the shop prints none.
    """

    description: str
    kind: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    amount: int
    tax_class: str
    code: str = ""


@dataclass(frozen=True)
class TaxAmount:
    """Tax at one rate, in minor units; net + tax = gross."""

    rate: TaxRate
    net: int
    tax: int

    @property
    def gross(self) -> int:
        return self.net + self.tax


@dataclass(frozen=True)
class Payment:
    """Money received; `card` is the masked card number, empty for other means of payment."""

    method: str
    amount: int
    card: str = ""


@dataclass(frozen=True)
class Purchase:
    """Amounts of one receipt in minor units.

    subtotal - discount + service (+ tax where on top) + tip + rounding = total; sum of payments - change = total.

    Attributes:
        subtotal: Sum of the entries.
        discount: Discount on the whole receipt; not negative.
        before_rounding: Amount due before cash rounding.
    """

    entries: tuple[Entry, ...]
    subtotal: int
    discount: int
    discount_percent: int
    service: int
    service_percent: Decimal
    tax_mode: str
    taxes: tuple[TaxAmount, ...]
    tip: int
    before_rounding: int
    rounding: int
    total: int
    payments: tuple[Payment, ...]
    change: int

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.taxes)

    @property
    def is_cash(self) -> bool:
        return not self.payments[-1].card


def _price(rng: Random, country: Country, product: Product) -> int:
    varied = Decimal(product.price) * country.scale * Decimal(rng.randint(70, 140)) / 100
    minor = varied if country.digits == 2 else (varied / 100).scaleb(country.digits)
    price = max(country.price_step, to_step(round_half_up(minor), country.price_step))
    if country.price_step == 1 and country.digits == 2 and product.tax_class != "meal" and rng.random() < 0.6:
        price = price - price % 10 + 9
    if product.tax_class == "meal" and country.digits == 2 and country.price_step == 1 and rng.random() < 0.7:
        price = max(50, to_step(price, 50 if rng.random() < 0.5 else 10))
    return price


def _entry(rng: Random, country: Country, product: Product, code: Callable[[], str]) -> Entry:
    price = _price(rng, country, product)
    unit_price = Decimal(price).scaleb(-country.digits)
    quantity = Decimal(rng.choices((1, 2, 3, 4, 6, 12), (70, 16, 6, 4, 2, 1))[0])
    if product.unit:
        quantity = Decimal(rng.randint(80, 2400)).scaleb(-3)
    amount = round_half_up((quantity * unit_price).scaleb(country.digits))
    return Entry(product.description, "item", quantity, product.unit, unit_price, amount, product.tax_class, code())


def _fuel(rng: Random, country: Country, product: Product, code: Callable[[], str]) -> Entry:
    places = 3 if country.digits == 2 and country.scale < 10 else country.digits
    price = (country.fuel_price * Decimal(rng.randint(80, 125)) / 100).quantize(Decimal(1).scaleb(-places))
    volume = Decimal(rng.randint(500, 6500)).scaleb(-2) if rng.random() < 0.7 else Decimal(rng.randint(5000, 65000)).scaleb(-3)
    if country.fuel_unit == "G":
        volume = (volume / 4).quantize(Decimal("0.001"))
    amount = round_half_up((volume * price).scaleb(country.digits))
    return Entry(product.description, "item", volume, country.fuel_unit, price, amount, product.tax_class, code())


def _adjustments(rng: Random, words: Vocabulary, entry: Entry) -> list[Entry]:
    """Return the entry that follows an item: a discount on it, a bottle deposit, or none."""
    country = words.country
    if entry.tax_class == "drink" and not entry.unit and rng.random() < 0.3 and words.all("deposit")[0]:
        each = max(country.price_step, to_step(round_half_up(entry.unit_price.scaleb(country.digits) / 6), max(5, country.price_step)))
        price = Decimal(each).scaleb(-country.digits)
        return [
            replace(
                entry,
                description=words.word("deposit"),
                kind="deposit",
                unit_price=price,
                amount=round_half_up(each * entry.quantity),
                code="",
            )
        ]
    if entry.amount > 4 * country.price_step and rng.random() < 0.12:
        part = Decimal(rng.choice((10, 15, 20, 25, 30, 50))) / 100
        off = to_step(round_half_up(entry.amount * part), country.price_step)
        if 0 < off < entry.amount:
            label = rng.choice(words.all("item_discount"))
            return [Entry(label, "discount", Decimal(1), "", Decimal(-off).scaleb(-country.digits), -off, entry.tax_class)]
    return []


def _entries(rng: Random, words: Vocabulary, kind: str, max_items: int | None) -> tuple[Entry, ...]:
    products = words.language.products[kind]
    code = _product_codes(rng, kind)
    if kind == "fuel":
        found = [_fuel(rng, words.country, rng.choice([product for product in products if product.unit]), code)]
        pieces = [product for product in products if not product.unit]
        count = rng.choice((0, 0, 0, 1, 2))
    else:
        found, pieces = [], list(products)
        count = rng.choices((1, 2, 3, 4, 5, 6, 8, 10, 14, 20), (12, 14, 14, 12, 10, 8, 6, 5, 3, 2))[0]
    if max_items is not None:
        count = min(count, max_items - len(found))
    for product in rng.sample(pieces, min(count, len(pieces))):
        entry = _entry(rng, words.country, product, code)
        found += [entry, *_adjustments(rng, words, entry)] if kind != "restaurant" else [entry]
        if kind == "restaurant" and rng.random() < 0.04:
            found[-1] = replace(entry, amount=0, unit_price=Decimal(0), kind="free")
    if sum(entry.amount for entry in found) <= 0:
        found.append(_entry(rng, words.country, products[0], code))
    return tuple(found)


def _product_codes(rng: Random, kind: str) -> Callable[[], str]:
    pattern = rng.choice(("", "", "", "%############", "######", "####", "@@###", "00######-@")) if kind in ("grocery", "shop") else ""
    return lambda: fill_pattern(rng, pattern)


def _after_discount(gross: dict[str, int], discount: int) -> dict[str, int]:
    """Spread `discount` over the tax classes in proportion to their gross amounts; the largest class absorbs the remainder."""
    whole = sum(gross.values())
    if not discount or not whole:
        return gross
    reduced = {name: amount - discount * amount // whole for name, amount in gross.items()}
    largest = max(reduced, key=lambda name: reduced[name])
    reduced[largest] -= sum(reduced.values()) - (whole - discount)
    return reduced


def _taxes(scheme: TaxScheme, gross: dict[str, int]) -> tuple[TaxAmount, ...]:
    found = []
    for rate in scheme.rates:
        base = sum(amount for name, amount in gross.items() if name in rate.classes)
        if not base:
            continue
        if scheme.mode == "inside":
            tax = round_half_up(base * rate.percent / (100 + rate.percent))
            found.append(TaxAmount(rate, base - tax, tax))
        else:
            found.append(TaxAmount(rate, base, round_half_up(base * rate.percent / 100)))
    return tuple(found)


def _pay(rng: Random, words: Vocabulary, total: int, *, is_cash: bool) -> tuple[tuple[Payment, ...], int]:
    country = words.country
    if not is_cash:
        masked = rng.choice(("************{}", "XXXXXXXXXXXX{}", "**** **** **** {}", "#### {}", "XXXX{}")).format(
            f"{rng.randint(0, 9999):04}"
        )
        return (Payment(rng.choice(country.cards), total, masked),), 0
    note = rng.choice(country.notes)
    tendered = rng.choice((total, -(-total // note) * note, -(-total // note) * note))
    return (Payment(words.word("cash"), tendered),), tendered - total


def make_purchase(rng: Random, words: Vocabulary, kind: str, max_items: int | None = None) -> Purchase:
    """A purchase of at most `max_items` items in a shop of this kind. All amounts add up; see `Purchase`."""
    country = words.country
    schemes = [scheme for scheme in country.schemes if not scheme.kinds or kind in scheme.kinds]
    scheme = rng.choices(schemes, [each.weight for each in schemes])[0]
    entries = _entries(rng, words, kind, max_items)
    subtotal = sum(entry.amount for entry in entries)
    percent = rng.choice((5, 10, 15, 20)) if kind != "fuel" and rng.random() < 0.08 else 0
    discount = to_step(round_half_up(Decimal(subtotal) * percent / 100), country.price_step)
    service_percent = rng.choice(scheme.service) if kind == "restaurant" else Decimal(0)
    service = round_half_up((subtotal - discount) * service_percent / 100)
    gross: dict[str, int] = {}
    for entry in entries:
        gross[entry.tax_class] = gross.get(entry.tax_class, 0) + entry.amount
    gross = _after_discount(gross, discount)
    if service:
        gross["meal"] = gross.get("meal", 0) + service
    taxes = _taxes(scheme, gross) if scheme.mode != "none" else ()
    owed = subtotal - discount + service + (sum(line.tax for line in taxes) if scheme.mode == "on_top" else 0)
    is_cash = rng.random() < 0.45
    tips = kind == "restaurant" and country.has_tip_line and not is_cash and rng.random() < 0.5
    tip = to_step(round_half_up(owed * Decimal(rng.choice((15, 18, 20, 22))) / 100), rng.choice((1, 25, 100))) if tips else 0
    rounded = to_step(owed + tip, country.cash_step) if is_cash or country.rounds_cards else owed + tip
    voucher = to_step(round_half_up(Decimal(rounded) / rng.randint(2, 5)), country.cash_step) if rng.random() < 0.04 else 0
    payments, change = _pay(rng, words, rounded - voucher, is_cash=is_cash)
    if voucher:
        payments = (Payment(words.word("voucher"), voucher), *payments)
    return Purchase(
        entries=entries,
        subtotal=subtotal,
        discount=discount,
        discount_percent=percent,
        service=service,
        service_percent=service_percent,
        tax_mode=scheme.mode,
        taxes=taxes,
        tip=tip,
        before_rounding=owed + tip,
        rounding=rounded - owed - tip,
        total=rounded,
        payments=payments,
        change=change,
    )
