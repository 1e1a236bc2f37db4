"""Invents a shop: brand, legal entity, address, phone, tax id. No name, street number or id is a real one on purpose."""

from dataclasses import dataclass
from random import Random

from training.render.tables import Country, Language


@dataclass(frozen=True)
class Shop:
    """Who sold. `brand` is what stands in big letters, `legal` the company behind it; they may be the same.

    `tax_id` is `label|number`, empty where none is printed.
    """

    kind: str
    brand: str
    legal: str
    address: tuple[str, ...]
    phone: str
    tax_id: str
    branch: str


def digits(rng: Random, pattern: str) -> str:
    """`pattern` with each `#` replaced by a digit, `%` by a digit from 1, `@` by a letter."""
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
        code=digits(rng, code),
        surname=rng.choice(country.surnames),
    )
    return digits(rng, filled)


def invent_shop(rng: Random, country: Country, language: Language, kind: str) -> Shop:
    """A shop of this kind, as its receipts would name it."""
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
    tax_id = f"{name}|{digits(rng, value)}" if value else ""
    return Shop(kind, brand, legal, address, digits(rng, rng.choice(country.phones)), tax_id, str(rng.randint(1, 999)))
