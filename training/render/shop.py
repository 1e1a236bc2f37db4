"""Invented shops: brand, legal entity, address, telephone, tax ID. Any match with a real business is a coincidence."""

from dataclasses import dataclass
from random import Random

from training.render.locale_tables import Country, Language


@dataclass(frozen=True)
class Shop:
    """The merchant of a receipt.

    Attributes:
        brand: Name as customers know it.
        legal: Name of the company; may equal the brand.
        tax_id: `label|number`; empty where none is printed.
    """

    kind: str
    brand: str
    legal: str
    address: tuple[str, ...]
    phone: str
    tax_id: str
    branch: str


def fill_pattern(rng: Random, pattern: str) -> str:
    """Replace each `#` of `pattern` by a digit, `%` by a digit other than 0, `@` by a letter."""
    made = {"#": "0123456789", "%": "123456789", "@": "ABCDEFGHJKLMNPRSTUVWXYZ"}
    return "".join(rng.choice(made[mark]) if mark in made else mark for mark in pattern)


def _brand(rng: Random, language: Language) -> str:
    return "".join(rng.sample(language.syllables, rng.choice((2, 3, 3)))).capitalize()


def _fill(rng: Random, template: str, country: Country) -> str:
    city, _, code = rng.choice(country.cities).partition("|")
    filled = template.format(
        street=rng.choice(country.streets),
        number=rng.randint(1, 189),
        city=city,
        code=fill_pattern(rng, code),
        surname=rng.choice(country.surnames),
    )
    return fill_pattern(rng, filled)


def invent_shop(rng: Random, country: Country, language: Language, kind: str) -> Shop:
    """Invent a shop of this kind, as its receipts would print it."""
    surname, other = rng.sample(country.surnames, 2)
    word = rng.choice(language.shop_words[kind])
    brand = rng.choice(language.name_patterns).format(
        word=word, surname=surname, other=other, brand=_brand(rng, language), number=rng.randint(1, 99)
    )
    stem = rng.choice((brand, brand, f"{_brand(rng, language)} {word}", f"{surname} {other}"))
    legal = f"{stem} {rng.choice(country.legal)}"
    if country.prefers_legal and rng.random() < 0.7:
        brand = legal
    lines = rng.choice(country.addresses)
    seed = rng.random()
    address = tuple(_fill(Random(seed), line, country) for line in lines)
    name, _, value = rng.choice(country.tax_ids or ("",)).rpartition("|")
    tax_id = f"{name}|{fill_pattern(rng, value)}" if value else ""
    return Shop(kind, brand, legal, address, fill_pattern(rng, rng.choice(country.phones)), tax_id, str(rng.randint(1, 999)))
