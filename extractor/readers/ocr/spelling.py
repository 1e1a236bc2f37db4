"""A name's letters: spelled as the same name is in other print of the receipt, where that was read more surely or more fully."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from extractor.printed.months import fold
from extractor.readers.ocr.header_rows import HeaderRow, squash

_WORD = re.compile(r"[^\W\d_]{4,}")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LONG, _HIDDEN = 5, 2
"""Letters of a name that is looked for in other words, at least, and letters in front of it, at most."""
_SAME = 0.75
"""How alike, legal forms aside, two pieces are that print one name."""
_FORM = re.compile(r"\b(?:sdn|bhd|berhad|co|company|ltd|limited|llc|inc|corp|plc|pte|pvt|pty|gmbh|kg|ag|srl|sa|sas)\b")


def respelled(name: str, own: Sequence[HeaderRow], rows: Sequence[HeaderRow]) -> str:
    """The name with single letters put right: `Marsh & Cone` above `Marsh Cope Ltd` is `Marsh & Cope`, if the lower row is the surer one.

    Args:
        own: The pieces that the name was read from.
        rows: All pieces.
    """
    sure = min(row.confidence for row in own)
    twins = [row for row in rows if row not in own and row.confidence > sure and _is_same_name(name, row.text)]
    return _WORD.sub(lambda match: _word(match.group(), twins), name) if twins else name


def completed(name: str, own: Sequence[HeaderRow], rows: Sequence[HeaderRow]) -> str:
    """The name with its first letters where a logo hid them: `ineStar` above `Leipzig CineStar` is `CineStar`; one word only.

    Args:
        own: The pieces that the name was read from.
        rows: All pieces.
    """
    squashed = squash(name)
    if len(squashed) < _LONG or " " in name:
        return name
    printed = (word for row in rows if row not in own and "web" not in row.classes for word in _TOKEN.findall(row.text))
    whole = (word for word in printed if 0 < len(squash(word)) - len(squashed) <= _HIDDEN and squash(word).endswith(squashed))
    return next((word for word in whole if word[0].isupper()), name)  # a stain in front of the same name is no capital


def _is_same_name(one: str, other: str) -> bool:
    a, b = (squash(_FORM.sub(" ", fold(text))) for text in (one, other))
    return bool(a and b) and abs(len(a) - len(b)) * 4 <= len(a) and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _SAME


def _word(word: str, twins: Sequence[HeaderRow]) -> str:
    """The word, or with one other letter the one word that the twins print in its place."""
    printed = {found for row in twins for found in _WORD.findall(row.text)}
    if fold(word) in map(fold, printed):
        return word
    near = {fold(found): found for found in printed if len(found) == len(word) and _differences(fold(word), fold(found)) == 1}
    if len(near) != 1:
        return word
    [found] = near.values()
    return "".join(_in_case(theirs, ours) if fold(ours) != fold(theirs) else ours for ours, theirs in zip(word, found, strict=True))


def _differences(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True)) if len(one) == len(other) else len(one)


def _in_case(letter: str, like: str) -> str:
    return letter.upper() if like.isupper() else letter.lower()
