"""The header's tables of words, read from `header_words.toml`."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any


@cache
def _tables() -> Mapping[str, Any]:
    text = resources.files("extractor.readers.rules").joinpath("header_words.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))


def alternatives(section: str, name: str) -> str:
    """The patterns of one list joined by `|`, for use inside a larger pattern."""
    return "|".join(_tables()[section][name])


@cache
def patterns(section: str) -> Mapping[str, re.Pattern[str]]:
    """One pattern a list of the section: it matches where any of the list's does."""
    return MappingProxyType({name: re.compile("|".join(each), re.MULTILINE) for name, each in _tables()[section].items()})


@cache
def words(section: str, name: str) -> frozenset[str]:
    """The words of a text of words."""
    return frozenset(_tables()[section][name].split())


@cache
def lists(section: str) -> Mapping[str, tuple[str, ...]]:
    """All lists of a section as they are."""
    return MappingProxyType({name: tuple(each) for name, each in _tables()[section].items()})
