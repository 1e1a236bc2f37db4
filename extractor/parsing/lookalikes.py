"""Words with look-alike letters of two scripts, rewritten in one: Latin letters in Cyrillic and Greek words, and the reverse."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from extractor.parsing import confusions

_OTHER: Final = re.compile("[\u0370-\u03ff\u0400-\u052f\u0e00-\u0e7f∑]")
_WORD: Final = re.compile(r"[^\W_]*(?:∑[^\W_]*)+|[^\W_]{2,}")


@dataclass(frozen=True)
class _Script:
    """One script beside Latin: what its letters look like there, and those that look like none.

    Attributes:
        as_latin: Its letters as the Latin ones that look the same.
        from_latin: Latin letters and others as its own; more of them than look the same, for words that are surely its.
        own: Matches a letter that only it has.
        latin_own: Matches a Latin letter that looks like none of its own.
        digits: Digits that are read for its letters inside a word.
        few: Letters that only one script has, from which a row or a word is in that script: rules and bullets give single Greek ones.
    """

    as_latin: Mapping[int, int]
    from_latin: Mapping[int, int]
    own: re.Pattern[str]
    latin_own: re.Pattern[str]
    digits: Mapping[int, int]
    few: int


_CYRILLIC: Final = _Script(
    confusions.CYRILLIC_AS_LATIN,
    confusions.LATIN_AS_CYRILLIC,
    re.compile("[БГДЖЗИЙЛПФЦЧШЩЪЫЬЭЮЯЁЄЇҐЂЉЊЋЌЃЏбвгджзийклмнптфцчшщъыьэюяёєїґђљњћќѓџ]"),
    re.compile("[DFGLNQRUVWZbdfglnqruvwz]"),
    confusions.DIGITS_AS_CYRILLIC,
    few=1,
)
_GREEK: Final = _Script(
    confusions.GREEK_AS_LATIN,
    confusions.LATIN_AS_GREEK,
    re.compile("[ΓΔΘΛΞΠΣΦΨΩ∑α-ξπ-ωά-ώ]"),
    re.compile("[CDFGJLQRSUWa-np-tw-z]"),
    confusions.DIGITS_AS_GREEK,
    few=2,
)
_INNER_DIGIT: Final = re.compile(r"(?<=[^\W\d_])[03](?=[^\W\d_])")


def is_other(text: str) -> bool:
    """Whether letters of the text are Cyrillic, Greek or Thai."""
    return bool(_OTHER.search(text))


@lru_cache(maxsize=4096)
def unmixed(text: str) -> str:
    """A row of print with each word in one script, whatever look-alikes OCR gave; rows in Latin letters alone stay as they are.

    A word with a letter that only Cyrillic or Greek has is in that script, one with a letter that only Latin has is Latin. A word of
    look-alikes alone is in the script of its row, unless the row has Latin words, too. Accents are joined with their letters.
    """
    if text.isascii() or not _OTHER.search(text):
        return text
    text = confusions.join_thai_vowels(unicodedata.normalize("NFC", text))
    greek, cyrillic = (len(script.own.findall(text)) for script in (_GREEK, _CYRILLIC))
    script = _GREEK if greek > cyrillic else _CYRILLIC
    is_its = max(greek, cyrillic) >= script.few
    has_latin = any(_is_latin(match.group(), script) for match in _WORD.finditer(text))
    return _WORD.sub(lambda match: _in_one_script(match.group(), script, is_its=is_its, has_latin=has_latin), text)


def _is_latin(word: str, script: _Script) -> bool:
    return len(script.latin_own.findall(word)) >= script.few and not script.own.search(word)


def _in_one_script(word: str, script: _Script, *, is_its: bool, has_latin: bool) -> str:
    """The word in one script, where each of its letters may be; numbers stay."""
    if sum(character.isdigit() for character in word) * 2 >= len(word):
        number = word.translate(confusions.OTHER_LETTERS_AS_ZERO)
        return number if number.isdigit() else word
    if script.latin_own.search(word) and not script.own.search(word):
        latin = word.translate(script.as_latin)
        return latin if latin.isascii() else word
    if not is_its or (has_latin and word.isascii()):
        return word
    own = word.translate(script.from_latin)
    own = _INNER_DIGIT.sub(lambda match: match.group().translate(script.digits), own)
    return word if re.search("[A-Za-z]", own) else own
