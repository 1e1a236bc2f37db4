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
from extractor.readers.rules.segments import HeaderSegment, lists, squash

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

    MISREAD = 1  # the name with letters misread: as likely another shop's own name
    ALIAS = 2  # a slogan or a web address
    CONTAINED = 3  # the name among other words: `IKEA Deutschland GmbH & Co. KG`
    PRINTED = 4  # the name, alone or with little beside it


@dataclass(frozen=True)
class _Mark:
    """One piece, or a piece with the one below, that names a chain; `key` is what of the chain's data it matches."""

    name: str
    pieces: tuple[HeaderSegment, ...]
    kind: MarkKind
    key: str


@dataclass(frozen=True)
class BrandMark:
    """A chain that a receipt names.

    Attributes:
        name: The chain's name.
        pieces: The piece that names it, or two where a slogan is broken over two rows.
        kind: How they name it.
        rows: All pieces that name it.
        is_confirmed: Whether other pieces name the same chain in another way: the same web address twice is one.
    """

    name: str
    pieces: tuple[HeaderSegment, ...]
    kind: MarkKind
    rows: tuple[HeaderSegment, ...]
    is_confirmed: bool

    @property
    def row(self) -> HeaderSegment:
        """The first of its pieces."""
        return self.pieces[0]

    @property
    def is_printed(self) -> bool:
        """Whether the piece prints the name with little beside it."""
        return self.kind is MarkKind.PRINTED


def find_brand(rows: Sequence[HeaderSegment]) -> BrandMark | None:
    """The chain that the pieces name; printed names take precedence over aliases, aliases over misread text.

    `None` where there is none, or several. Misread text alone names none: it may be the exact name of another shop.
    """
    marks = [mark for row, below in zip_longest(rows, rows[1:]) for mark in _marks(row, below)]
    strongest = max((mark.kind for mark in marks), default=None)
    best = [mark for mark in marks if mark.kind is strongest]
    if strongest is None or len({mark.name for mark in best}) != 1:
        return None
    chosen = next((mark for mark in best if mark.pieces[0].squashed == squash(mark.name)), best[0])
    own = [mark for mark in marks if mark.name == chosen.name]
    is_confirmed = len({mark.key for mark in own}) > 1 and len({mark.pieces for mark in own}) > 1
    brand = BrandMark(chosen.name, chosen.pieces, strongest, tuple(piece for mark in own for piece in mark.pieces), is_confirmed)
    return brand if strongest > MarkKind.MISREAD or is_confirmed else None


def resembles_chain(row: HeaderSegment) -> bool:
    """Whether a piece is a chain's name but for a letter: the chain misread, or another shop."""
    return any(mark.kind is MarkKind.MISREAD for mark in _marks(row, None))


def chain_of_slogan(text: str) -> str | None:
    """The chain that has this text, and nothing else, as an alias that does not print its name."""
    squashed, folded = squash(text), fold(text)
    return next((name for name, _, aliases in _chains() if squashed in aliases and not _prints(folded, name)), None)


def has_slogan(squashed: str, name: str) -> bool:
    """Whether a squashed text is a chain's slogan, or a good part of it."""
    return len(squashed) >= _PART and any(squashed in alias for alias in lists("brands").get(name, ()))


def _marks(row: HeaderSegment, below: HeaderSegment | None) -> list[_Mark]:
    """The chains that a row names."""
    if row.classes & {"street", "house"}:
        return []
    following = below.squashed if below is not None and len(below.squashed) < 3 * _SLOGAN else ""
    marks = []
    for name, kind, key in _chains_in(row.squashed, following, row.letters):
        if "web" in row.classes:
            kind = min(kind, MarkKind.ALIAS)  # noqa: PLW2901  (an address is no printed name)
        elif kind is MarkKind.ALIAS and _prints(row.folded, name):
            kind = MarkKind.CONTAINED  # noqa: PLW2901  (as above)
        is_broken = below is not None and key not in row.squashed and row.squashed + following == key
        marks.append(_Mark(name, (row, below) if is_broken and below else (row,), kind, key))
    return marks


def _prints(folded: str, name: str) -> bool:
    """Whether a row prints all words of a name."""
    return all(re.search(rf"\b{re.escape(word)}\b", folded) for word in re.findall(r"[^\W_]+", fold(name)))


@lru_cache(maxsize=4096)
def _chains_in(squashed: str, following: str, letters: int) -> tuple[tuple[str, MarkKind, str], ...]:
    """The chains that a row spells, or those that it resembles where it spells none, each with the name or alias that matches."""
    both = squashed + following
    spelled, misread = [], []
    for name, own, aliases in _chains():
        alias = next((alias for alias in aliases if alias in squashed or both == alias), None)
        is_name = squashed == own or (own in squashed and letters < _MUCH * len(own) and (len(own) >= _LONG or alias is not None))
        if is_name or alias is not None:
            spelled.append((name, MarkKind.PRINTED if is_name else MarkKind.ALIAS, own if is_name else alias or own))
        elif not spelled and (slogan := next((alias for alias in aliases if _is_slogan(alias, squashed)), None)):
            misread.append((name, MarkKind.ALIAS, slogan))
        elif not spelled and _is_misread(own, squashed):
            misread.append((name, MarkKind.MISREAD, own))
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
