"""Labels of amounts in the languages of receipts, found also where OCR misread letters."""

import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

from extractor.parsing.confusions import SHAPES


class Role(StrEnum):
    """What a label says about the amounts beside it."""

    GRAND = "grand"
    TOTAL = "total"
    SUBTOTAL = "subtotal"
    NET = "net"
    GROSS = "gross"
    TAX = "tax"
    SERVICE = "service"
    TIP = "tip"
    ROUNDING = "rounding"
    DISCOUNT = "discount"
    SAVINGS = "savings"
    DEPOSIT = "deposit"
    CASH = "cash"
    CARD = "card"
    PAYMENT = "payment"
    CHANGE = "change"
    COUNT = "count"
    NOISE = "noise"
    EXCHANGE = "exchange"
    HEADING = "heading"
    UNIT = "unit"


# Keywords up to these lengths: found only without a space inside, and found only as whole words.
_SHORT: Final = 4
_MIDDLE: Final = 6


def skeleton(text: str) -> str:
    """The text as OCR cannot confuse it, for comparing.

    It has no case, accents, spaces or punctuation; `0` is o, `1` and i are l; Cyrillic and Greek letters have the Latin shapes that OCR
    takes them for.
    """
    return _squash(text).text


class _Squashed(NamedTuple):
    """A skeleton; where in it a word begins or ends (digits and letters side by side are two words); where a space stood."""

    text: str
    edges: frozenset[int]
    gaps: frozenset[int]


def _squash(text: str) -> _Squashed:
    squashed: list[str] = []
    edges, gaps, kind = {0}, set(), ""
    for character in unicodedata.normalize("NFKD", text).casefold():
        if unicodedata.category(character) == "Mn":
            continue
        now = "d" if character.isdigit() else "a" if character.isalnum() else ""
        if now != kind:
            edges.add(len(squashed))
            kind = now
        if character.isspace():
            gaps.add(len(squashed))
        alike = character.translate(SHAPES)
        if alike.isalnum():
            squashed.append(alike)
    edges.add(len(squashed))
    return _Squashed("".join(squashed), frozenset(edges), frozenset(gaps))


def _phrases() -> Mapping[str, list[str]]:
    text = resources.files("extractor.parsing").joinpath("data", "keywords.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _table(phrases: Mapping[str, list[str]]) -> dict[str, Role]:
    """The role of each phrase's skeleton; the first role that lists it counts."""
    table: dict[str, Role] = {}
    for role, listed in phrases.items():
        for phrase in listed:
            if key := skeleton(phrase):
                table.setdefault(key, Role(role))
    return table


_PHRASES: Final = _phrases()
_ROLES: Final = _table(_PHRASES)
# Keywords of several words.
_PHRASED: Final = frozenset(skeleton(phrase) for listed in _PHRASES.values() for phrase in listed if " " in phrase)
_START: Final = 2


def _by_start() -> dict[str, list[str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for key in _ROLES:
        index[key[:_START]].append(key)
    return dict(index)


def _by_shape() -> dict[tuple[int, str], list[str]]:
    """Long keywords of the sums, by length and first letter and by length and last letter (in capitals)."""
    index: dict[tuple[int, str], list[str]] = defaultdict(list)
    for key, role in _ROLES.items():
        if (len(key) > _SHORT + 1 or key in _FORGIVEN_SHORT) and key.isascii() and role in _FORGIVEN:
            index[len(key), key[0]].append(key)
            index[len(key), key[-1].upper()].append(key)
    return dict(index)


_FORGIVEN: Final = frozenset({Role.TOTAL, Role.GRAND, Role.SUBTOTAL, Role.CHANGE, Role.ROUNDING, Role.DISCOUNT, Role.SERVICE})
_FORGIVEN_SHORT: Final = frozenset({"total", "summe", "somme"})
_KEYS: Final = _by_start()
_FUZZY: Final = _by_shape()
_LONGEST_FUZZY: Final = max(length for length, _ in _FUZZY) + 1


@lru_cache(maxsize=4096)
def roles_of(label: str) -> frozenset[Role]:
    """The roles of a label, by the longest keywords that it contains: `Sub Total` is a subtotal and no total.

    Keywords are found without their spaces, with look-alike characters, and with wrong letters: one from six letters on (and in
    `total`), two from eight on.
    """
    whole = _squash(label)
    squashed = whole.text
    found: set[Role] = set()
    for start, end in _places(whole):
        if "·" not in squashed[start:end]:
            found.add(_ROLES[squashed[start:end]])
            squashed = f"{squashed[:start]}{'·' * (end - start)}{squashed[end:]}"
    return frozenset(found | _misread(squashed, whole.edges, found))


def _places(whole: _Squashed) -> list[tuple[int, int]]:
    """Where keywords stand, longest first; short ones only where they are whole words without a space inside."""
    squashed, places = whole.text, []
    for start in range(len(squashed)):
        for key in _KEYS.get(squashed[start : start + _START], ()):
            end = start + len(key)
            if squashed.startswith(key, start) and _stands_alone(whole, start, end):
                places.append((start, end))
    return sorted(places, key=lambda place: place[0] - place[1])


def _stands_alone(whole: _Squashed, start: int, end: int) -> bool:
    """True where the letters are a word of their own: short ones without a space inside, long ones may touch a neighbour on one side."""
    key = whole.text[start:end]
    if any(_is_unspaced(character) for character in key):
        return True
    starts, ends = start in whole.edges, end in whole.edges
    if end - start > _MIDDLE:
        return starts or ends
    return starts and ends and (end - start > _SHORT or key in _PHRASED or not any(start < gap < end for gap in whole.gaps))


def _is_unspaced(character: str) -> bool:
    """True for scripts that put no spaces between words: Thai, Lao, Chinese, Japanese, Korean."""
    return 0xE00 <= ord(character) < 0xF00 or ord(character) >= 0x2E80


def _misread(squashed: str, edges: frozenset[int], found: set[Role]) -> set[Role]:
    if found - {Role.TAX, Role.HEADING, Role.GROSS, Role.UNIT}:
        return set()
    ends = sorted(edges)
    spans = ((a, b) for i, a in enumerate(ends) for b in ends[i + 1 : i + 4] if _SHORT < b - a <= _LONGEST_FUZZY)
    pieces = {squashed[a:b] for a, b in spans if "·" not in squashed[a:b]}
    return {_ROLES[key] for piece in pieces for key in _near_keys(piece)}


def _near_keys(piece: str) -> set[str]:
    allowed = 2 if len(piece) >= 8 else 1
    near: set[str] = set()
    for length in range(len(piece) - 1, len(piece) + 2):
        keys = {*_FUZZY.get((length, piece[0]), ()), *_FUZZY.get((length, piece[-1].upper()), ())}
        near |= {key for key in keys - near if _shares_letters(piece, key, allowed) and _distance(piece, key, allowed) <= allowed}
    return near


def _shares_letters(piece: str, key: str, allowed: int) -> bool:
    """False where so many letters differ that the distance must exceed `allowed`: much cheaper than the distance."""
    return len(set(piece).difference(key)) <= allowed and len(set(key).difference(piece)) <= allowed


def _distance(left: str, right: str, limit: int) -> int:
    """Levenshtein distance, given up where it must exceed `limit`."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
        if min(row) > limit:
            break
    return min(row[-1], limit + 1)
