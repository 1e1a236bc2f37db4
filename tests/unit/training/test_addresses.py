"""Synthetic addresses: their towns, streets and people come from Faker."""

import ast
import inspect
import re
from random import Random

from training import addresses

# Words of address formats in the module's constants: street types, kinds of building, labels, and names of countries and of the emirates
# (ISO 3166). No town, street or surname belongs here: training data must not repeat the receipts that the reader is measured on.
FORMAT_WORDS = frozenset(
    """
    Ave Avenue Blvd Boulevard Circle Court Cross Drive Highway Hill Hwy HWY Lane Main Parkway Pike Pkwy Place Plaza Road Route Square
    Street Terrace Turn Way East West Bulvarı Cad Caddesi Mah Sok Lorong Jalan Chowk Colony Enclave Nagar Near Opp
    Airport Arcade Arkaden Center Central Centre Centro Cinema Comercial Commercial Einkaufszentrum Floor Galeria Galleria Gardens
    International Level LOT Lot Mall Market Office Outlet Outlets Park Post Retail Shop SHOP Shopping Space Station Ste Suite Tenancy
    Terminal Travel Unit Bandar Desa Kampung Kawasan Perdagangan Perindustrian Pusat Taman
    Fax Phone Tel TEL tel Telefon Telephone Tlf Tél city name
    Deutschland España France Italia Kingdom Malaysia Nederland Scotland Singapore SINGAPORE Sverige United Wales
    Abu Ajman Dhabi Dubai Fujairah Khaimah Quwain Ras Sharjah Umm
    """.split()
)


def test_constants_are_words_of_the_format() -> None:
    """A name of a place or a person among the constants fails this test."""
    tree = ast.parse(inspect.getsource(addresses))
    documented = (ast.Module, ast.FunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)} - docstrings
    texts = [text for text in constants if not re.fullmatch(r"[a-z]{2}_[A-Z]{2}", text)]
    words = {word for text in texts for word in re.findall(r"[^\W\d_]{3,}", text)}
    assert len(words) > 50
    assert not words - FORMAT_WORDS


def test_addresses_are_reproducible() -> None:
    """Equal generators give equal addresses, without empty lines; different ones differ."""
    made = [addresses.address(Random(seed)) for seed in range(100)]  # noqa: S311
    assert made == [addresses.address(Random(seed)) for seed in range(100)]  # noqa: S311
    assert all(line.strip() for lines, _ in made for line in lines)
    assert len({tuple(lines) for lines, _ in made}) > 90
