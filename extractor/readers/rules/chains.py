"""Chains named on a receipt: by their printed name, or by other marks where the name is a picture.

A chain only proposes a name. What is printed stays the evidence, and a mark that stands for the name (a slogan, a web address, a misread
logo) needs a second one before the name is claimed with confidence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import IntEnum
from functools import cache, lru_cache
from itertools import zip_longest

from extractor.parsing.dates.months import fold
from extractor.readers.rules.lexicon import lists
from extractor.readers.rules.segments import HeaderSegment, squash

# Letters from which a name counts inside a longer row: shorter ones occur in other words.
_LONG = 6
# A row with more than this many times the name's letters is about something else: a card, an offer.
_MUCH = 4
# Letters from which a row is a part of a slogan.
_PART = 9
# Length of a slogan, and share of its letters, from which it is recognised with letters misread.
_SLOGAN, _SIMILAR = 12, 0.8
# The same for a name that is a row of its own.
_NAME, _SAME = 7, 0.85


class MarkKind(IntEnum):
    """How a row names a chain, weakest first."""

    MISREAD = 1
    ALIAS = 2
    PRINTED = 3


@dataclass(frozen=True)
class BrandMark:
    """A chain that a receipt names.

    Attributes:
        name: The chain's name.
        row: The piece that names it.
        kind: Whether that piece prints the name, an alias (a slogan, a web address), or something like either.
        rows: All pieces that name it.
    """

    name: str
    row: HeaderSegment
    kind: MarkKind
    rows: tuple[HeaderSegment, ...]

    @property
    def is_confirmed(self) -> bool:
        """Whether a second piece names the same chain in another way."""
        return len({row.squashed for row in self.rows}) > 1

    @property
    def is_printed(self) -> bool:
        """Whether the piece prints the name itself."""
        return self.kind is MarkKind.PRINTED


def find_brand(rows: Sequence[HeaderSegment]) -> BrandMark | None:
    """The chain that the pieces name; printed names take precedence over aliases, aliases over misread text.

    `None` where there is none, or several. Misread text alone names none: it may be the exact name of another shop.
    """
    marks = [mark for row, below in zip_longest(rows, rows[1:]) for mark in _marks(row, below)]
    strongest = max((kind for _, _, kind in marks), default=None)
    best = [(name, row) for name, row, kind in marks if kind is strongest]
    if strongest is None or len({name for name, _ in best}) != 1:
        return None
    name, row = next((mark for mark in best if mark[1].squashed == squash(mark[0])), best[0])
    brand = BrandMark(name, row, strongest, tuple(other for known, other, _ in marks if known == name))
    return brand if strongest > MarkKind.MISREAD or brand.is_confirmed else None


def has_slogan(squashed: str, name: str) -> bool:
    """Whether a squashed text is a chain's slogan, or a good part of it."""
    return len(squashed) >= _PART and any(squashed in alias for alias in lists("brands").get(name, ()))


def _marks(row: HeaderSegment, below: HeaderSegment | None) -> list[tuple[str, HeaderSegment, MarkKind]]:
    """The chains that a row names."""
    if row.classes & {"street", "house"}:
        return []
    following = below.squashed if below is not None and len(below.squashed) < 3 * _SLOGAN else ""
    found = _chains_in(row.squashed, following, row.letters)
    if "web" in row.classes:
        return [(name, row, min(kind, MarkKind.ALIAS)) for name, kind in found]
    folded = row.folded
    return [(name, row, MarkKind.PRINTED if kind is MarkKind.ALIAS and _prints(folded, name) else kind) for name, kind in found]


def _prints(folded: str, name: str) -> bool:
    """Whether a row prints all words of a name."""
    return all(re.search(rf"\b{re.escape(word)}\b", folded) for word in re.findall(r"[^\W_]+", fold(name)))


@lru_cache(maxsize=4096)
def _chains_in(squashed: str, following: str, letters: int) -> tuple[tuple[str, MarkKind], ...]:
    """The chains that a row spells, or those that it resembles where it spells none."""
    both = squashed + following
    spelled, misread = [], []
    for name, own, aliases in _chains():
        is_alias = any(alias in squashed or both == alias for alias in aliases)
        is_name = squashed == own or (own in squashed and letters < _MUCH * len(own) and (len(own) >= _LONG or is_alias))
        if is_name or is_alias:
            spelled.append((name, MarkKind.PRINTED if is_name else MarkKind.ALIAS))
        elif not spelled and any(_is_slogan(alias, squashed) for alias in aliases):
            misread.append((name, MarkKind.ALIAS))
        elif not spelled and _is_misread(own, squashed):
            misread.append((name, MarkKind.MISREAD))
    return tuple(spelled or misread)


@cache
def _chains() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Each chain's name, its letters alone, and its aliases."""
    return tuple((name, squash(name), tuple(aliases)) for name, aliases in lists("brands").items())


def _is_misread(own: str, squashed: str) -> bool:
    """Whether a row is a chain's name with a letter misread, or begins with such a one if that is long."""
    if len(own) < _NAME:
        return False
    if len(own) > _NAME and len(squashed) > len(own) + 1:
        return sum(one != other for one, other in zip(own, squashed, strict=False)) == 1
    return abs(len(own) - len(squashed)) <= 1 and _is_alike(own, squashed, _SAME)


def _is_slogan(alias: str, squashed: str) -> bool:
    """Whether a row is a slogan with a few letters misread."""
    if len(alias) < _SLOGAN or abs(len(alias) - len(squashed)) > 2:
        return False
    return _is_alike(alias, squashed, _SIMILAR)


def _is_alike(one: str, other: str, least: float) -> bool:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= least and matcher.ratio() >= least  # the first is an upper bound of the second
