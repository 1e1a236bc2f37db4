"""Web and mail addresses as a merchant's name: what they say before the dot, where it is a name at all."""

import re
from collections.abc import Iterator, Sequence

from extractor.readers.ocr.header_rows import HeaderRow

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


def find_host(rows: Sequence[HeaderRow]) -> tuple[HeaderRow, str] | None:
    """The piece with a web or mail address of the merchant's own, and the name in it; the name that most rows print counts."""
    found: dict[str, list[HeaderRow]] = {}
    for row in rows:
        if _WEB.search(row.folded):
            for host in hosts_of(row.folded):
                if len(host) >= _SHORTEST and not host.isdigit() and not _OTHERS.search(host):
                    found.setdefault(host, []).append(row)
    if not found:
        return None
    host = max(found, key=lambda name: len(found[name]))
    return found[host][0], " ".join(_TAIL.sub("", _LEAD.sub("", host)).split("-")).title()
