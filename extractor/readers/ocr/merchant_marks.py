"""The merchant as other print than a heading names it: a chain's marks, thanks at the foot, a web address, a company's legal form."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from extractor.printed.months import fold
from extractor.readers.ocr.brands import BrandMark, find_brand
from extractor.readers.ocr.header_rows import HeaderRow, squash
from extractor.readers.ocr.hosts import find_host
from extractor.readers.ocr.names import clean_name, could_name

_THANKS = re.compile(r"(?:shopping|dining|visiting|choosing|stopping|eating) ?(?:at|with|by)?\b|einkauf bei|achat chez|compra en")
_SHORT = 40
"""Characters from which a row is a sentence."""
_TOP = 12
"""Pieces at the top among which a company names who sold, and not who made the till."""


@dataclass(frozen=True)
class Merchant:
    """The pieces that name the merchant (one or two, in print order), the name, and the probability that it is right."""

    rows: tuple[HeaderRow, ...]
    name: str
    confidence: float


def by_marks(rows: Sequence[HeaderRow]) -> Merchant | None:
    """The name where no heading is legible: a chain's marks anywhere, or whom the foot thanks for."""
    brand = find_brand(rows)
    if brand is not None:
        return chain_of(brand)
    for above, below in pairwise(rows):
        if match := _THANKS.search(above.folded):
            row, start = (above, match.end()) if above.folded[match.end() :].strip() else (below, 0)
            name = clean_name(row.text[start:])
            if could_name(fold(name)) and len(name) < _SHORT:
                return Merchant((row,), name, 0.5)
    return None


def by_host(rows: Sequence[HeaderRow]) -> Merchant | None:
    """The name in the merchant's web address."""
    host = find_host(rows)
    return Merchant((host[0],), host[1], 0.4) if host is not None else None


def by_company(rows: Sequence[HeaderRow], kept: Sequence[int]) -> Merchant | None:
    """The company at the top that is printed with its legal form, where only streets look like names."""
    found = next((rows[index] for index in kept if index < _TOP and "legal" in rows[index].classes), None)
    return Merchant((found,), clean_name(found.text), 0.3) if found is not None else None


def chain_of(brand: BrandMark) -> Merchant:
    """The merchant that a chain's mark means; its own print where that begins with the name."""
    name = clean_name(brand.row.text)
    if not (brand.is_printed and len(brand.row.text) < _SHORT and squash(name).startswith(squash(brand.name))):
        name = brand.name
    return Merchant((brand.row,), name, 0.8)
