"""Word lists that several rules share, read from `data/*.toml`: legal forms of companies, trades, telephone numbers, web addresses."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any


@cache
def company_forms() -> tuple[str, ...]:
    """Return patterns of rows that name a company with its legal form."""
    return tuple(pattern for forms in _table("company_forms.toml").values() for pattern in forms.get("company", ()))


@cache
def company_form_words() -> tuple[str, ...]:
    """Return patterns of legal forms as words, which names are compared without."""
    return tuple(pattern for forms in _table("company_forms.toml").values() for pattern in forms.get("words", ()))


def company_form_evidence(country: str) -> tuple[str, ...]:
    """Return patterns of legal forms that are evidence for a country (ISO 3166-1)."""
    return tuple(_table("company_forms.toml").get(country, {}).get("evidence", ()))


def trades(name: str) -> tuple[str, ...]:
    """Return the patterns `stems` or `suffixes`, or the `words` of trades."""
    listed = _table("trades.toml")[name]
    return tuple(listed.split() if isinstance(listed, str) else listed)


def telephone(name: str) -> tuple[str, ...]:
    """Return a list of patterns of telephone numbers: `labels`, `mentions`, `bare`, `behind_name` or `behind_address`."""
    return tuple(_table("telephone.toml")[name])


def top_level_domains() -> tuple[str, ...]:
    """Return the top-level domains of web addresses on receipts."""
    return tuple(_table("web.toml")["top_level_domains"])


@cache
def _table(name: str) -> Mapping[str, Any]:
    text = resources.files("extractor.parsing").joinpath("data", name).read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))
