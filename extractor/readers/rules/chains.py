"""Chains whose name is a picture at the top of their receipts, known by what is printed elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache

from extractor.readers.rules.segments import HeaderSegment, lists, squash


@dataclass(frozen=True)
class BrandMark:
    """A chain's name, the piece that gives it away, and whether that piece prints the name itself."""

    name: str
    row: HeaderSegment
    is_printed: bool


_LONG = 6
"""Letters from which a name counts inside a longer row: shorter ones occur in other words."""
_MUCH = 4
"""A row with more than this many times the name's letters speaks of something else: a card, an offer."""
_PART = 9
"""Letters from which a row is a part of a slogan."""
_SLOGAN, _SIMILAR = 12, 0.8
"""A slogan of so many letters is known by this share of them."""
_NAME, _SAME = 7, 0.85
"""A name of so many letters that is a row of its own is known by this share of them."""


def find_brand(rows: Sequence[HeaderSegment]) -> BrandMark | None:
    """The chain that the pieces give away; a printed name goes before slogans and hosts, and first of all the name alone.

    `None` where there is none, or several.
    """
    marks = [mark for row, below in zip(rows, (*rows[1:], None), strict=True) for mark in _marks(row, below)]
    best = [mark for mark in marks if mark.is_printed] or marks
    names = {mark.name for mark in best}
    if len(names) != 1:
        return None
    return next((mark for mark in best if mark.row.squashed == squash(mark.name)), best[0])


def says_slogan(squashed: str, name: str) -> bool:
    """Whether a squashed text is a chain's slogan, or a good part of it."""
    return len(squashed) >= _PART and any(squashed in alias for alias in lists("brands").get(name, ()))


def _marks(row: HeaderSegment, below: HeaderSegment | None) -> list[BrandMark]:
    """The chains that a row gives away."""
    if row.classes & {"street", "house"}:
        return []
    following = below.squashed if below is not None and len(below.squashed) < 3 * _SLOGAN else ""
    is_web = "web" in row.classes
    return [BrandMark(name, row, is_printed and not is_web) for name, is_printed in _chains_in(row.squashed, following, row.letters)]


@lru_cache(maxsize=4096)
def _chains_in(squashed: str, following: str, letters: int) -> tuple[tuple[str, bool], ...]:
    """The chains that a row spells, and only where there are none those that it may mean misread; each with whether it is their name."""
    both = squashed + following
    spelled, misread = [], []
    for name, own, aliases in _chains():
        is_alias = any(alias in squashed or both == alias for alias in aliases)
        is_name = squashed == own or (own in squashed and letters < _MUCH * len(own) and (len(own) >= _LONG or is_alias))
        if is_name or is_alias:
            spelled.append((name, is_name))
        elif not spelled and ((is_slip := _is_misread(own, squashed)) or any(_is_slogan(alias, squashed) for alias in aliases)):
            misread.append((name, is_slip))
    return tuple(spelled or misread)


@cache
def _chains() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Each chain's name, its letters alone, and what else gives it away."""
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
