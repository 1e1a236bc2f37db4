"""The merchant as other print than a heading names it: a chain's marks, thanks at the foot, a web address, a company's legal form."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from extractor.parsing.dates.months import fold
from extractor.readers.rules.chains import BrandMark, MarkKind, find_brand
from extractor.readers.rules.merchant_names import clean_name, could_name
from extractor.readers.rules.segments import HeaderSegment, squash

_THANKS = re.compile(r"(?:shopping|dining|visiting|choosing|stopping|eating) ?(?:at|with|by)?\b|einkauf bei|achat chez|compra en")
_SHORT = 40
"""Characters from which a row is a sentence."""
_TOP = 12
"""Pieces at the top among which a company names who sold, and not who made the till."""

# Confidence of a chain that a single alias names: below what a second look at the same print could confirm.
ALIAS_ALONE = 0.5


@dataclass(frozen=True)
class Merchant:
    """The merchant's name.

    Attributes:
        rows: The pieces that name the merchant, one or two, in print order.
        name: The name.
        confidence: Probability that it is right.
        is_alias: Whether the pieces print something else that stands for the name.
    """

    rows: tuple[HeaderSegment, ...]
    name: str
    confidence: float
    is_alias: bool = False


def by_marks(rows: Sequence[HeaderSegment]) -> Merchant | None:
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


def by_host(rows: Sequence[HeaderSegment]) -> Merchant | None:
    """The name in the merchant's web address."""
    host = find_host(rows)
    return Merchant((host[0],), host[1], 0.4) if host is not None else None


def by_company(rows: Sequence[HeaderSegment], kept: Sequence[int]) -> Merchant | None:
    """The company at the top that is printed with its legal form, where only streets look like names."""
    found = next((rows[index] for index in kept if index < _TOP and "legal" in rows[index].classes), None)
    return Merchant((found,), clean_name(found.text), 0.3) if found is not None else None


def chain_of(brand: BrandMark, *, is_confirmed: bool = False) -> Merchant:
    """The merchant that a chain's mark means: its own print where that begins with the name, else the chain's name.

    Args:
        brand: The mark.
        is_confirmed: Whether other evidence than chain marks agrees, such as a logo that resembles the name.
    """
    name = clean_name(brand.row.text)
    if brand.is_printed:
        is_own = len(brand.row.text) < _SHORT and squash(name).startswith(squash(brand.name))
        return Merchant((brand.row,), name if is_own else brand.name, 0.8)
    if brand.kind is MarkKind.CONTAINED:
        return Merchant((brand.row,), brand.name, 0.8)
    return Merchant(brand.pieces, brand.name, 0.8 if is_confirmed or brand.is_confirmed else ALIAS_ALONE, is_alias=True)


_HOST = re.compile(
    r"(?:www[., ]|@|https?:/*)?\s?([a-z0-9-]{3,})[.,](?:com|net|org|de|my|co|eu|at|ch|fr|es|it|nl|pl|cz|se|uk|au|ca|ie|hr|gr|bg|pt)\b"
)
_OTHERS = re.compile(
    r"g?mail|yahoo|hotmail|outlook|icloud|facebook|instagram|twitter|tiktok|youtube|google|tripadvisor|medallia|survey|feedback|listen|voice"
    r"|rewards|opinion|visit|career|paypal|epay|clover|toast|square|kounta|efsta|shutterstock|usps|gov$|tell"
)
"""Hosts of others: mail, networks, surveys, tills, payments."""
_LEAD, _TAIL = re.compile(r"^(?:my|shop|the-|restaurant-|hotel-|cafe-)(?=\w{4})"), re.compile(r"-?(?:online|shop|store|us|usa|uk)$")
_WEB = re.compile(r"w{2,3}\W|https?|@|\.com\b")
_SHORTEST = 4


def hosts_of(folded: str) -> Iterator[str]:
    """The names before the dot in all addresses of a folded text."""
    return (match[1] for match in _HOST.finditer(folded))


def find_host(rows: Sequence[HeaderSegment]) -> tuple[HeaderSegment, str] | None:
    """The piece with a web or mail address of the merchant's own, and the name in it; the name that most rows print counts."""
    found: dict[str, list[HeaderSegment]] = {}
    for row in rows:
        if _WEB.search(row.folded):
            for host in hosts_of(row.folded):
                if len(host) >= _SHORTEST and not host.isdigit() and not _OTHERS.search(host):
                    found.setdefault(host, []).append(row)
    if not found:
        return None
    host = max(found, key=lambda name: len(found[name]))
    return found[host][0], " ".join(_TAIL.sub("", _LEAD.sub("", host)).split("-")).title()
