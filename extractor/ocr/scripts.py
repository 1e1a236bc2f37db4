"""Print in Cyrillic, Greek and Thai, which PP-OCR takes for Latin, read again by recognisers of these scripts."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from statistics import fmean, median
from typing import Final, Protocol

from PIL import Image

from extractor.ocr.engines.tesseract import LineRecogniser, RecognisedLine
from extractor.ocr.transcript import Fragment


@dataclass(frozen=True, eq=False)
class Script:
    """A script that engines take for Latin.

    Attributes:
        name: As in Unicode's names of its letters.
        languages: Models to read it in, each with letters of its alphabet that the others lack; the first one tells whether a page is in
            the script at all.
        least: Median confidence of that model from which a page is in the script; it is lower on pages that are not.
        signs: Letters that engines give for this script only.
        latin, twins: Latin letters, and the script's own ones that look the same.
        bare: Its capitals are printed without accents.
    """

    name: str
    languages: dict[str, str]
    least: float
    signs: str = ""
    latin: str = ""
    twins: str = ""
    bare: bool = False

    @property
    def first(self) -> str:
        """The language that stands for the script."""
        return next(iter(self.languages))


SCRIPTS: Final = (
    Script(
        "CYRILLIC",
        {"bul": "ъщ", "rus": "ыэё", "ukr": "їєґ", "srp": "јљњђћџ"},
        0.58,
        latin="ABCEHIKMOPTXYaceiopxy",
        twins="АВСЕНІКМОРТХУасеіорху",
    ),
    Script("GREEK", {"ell": ""}, 0.58, signs="∑ΣΩΨΞΘ", latin="ABEZHIKMNOPTYXovu", twins="ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονυ", bare=True),
    Script("THAI", {"tha": ""}, 0.85),
)
FEW_SIGNS = 3
"""Signs of a script from which a page is in it; rules and bullets give single ones."""
DOUBTED = 0.94
"""Median confidence of an engine's words: below 0.95 on pages in a script that it does not know, above it on 19 in 20 Latin ones."""
WORD = 4
"""Letters from which a fragment tells something of a page's script."""
PROBES = 8
"""Fragments that are read in each script before a page is taken to be in it; a page costs at most so many rows a language."""
OWN_LETTER, OWN_LETTERS = 0.03, 4
"""What each letter of a language's own adds to its confidence, and how many count."""
LATIN = "eng"
"""The model that stands by an engine's own reading where a word is Latin after all."""
LEGIBLE, CERTAIN = 0.5, 0.95
"""Confidence below which a word gives way to an engine's own reading that is as certain as this."""
LATIN_TOO = 0.9
"""Confidence from which an engine's reading of a Latin word stays, if a recogniser of Latin print reads the same."""
MOSTLY = 0.3
"""Confidence of a row below which the engine's own reading stays, where both see different numbers of words."""
BETTER = 0.25
"""So it does where it is surer by so much, of a script without look-alikes: engines are sure of Latin print only."""
SAME_NUMBER, LONG_NUMBER = 0.5, 3
"""Likeness from which two numbers are one, and characters from which none may get lost."""
MARGIN = 0.1
"""Of a fragment's height, around it: recognisers want whole letters, and marks above them."""

_NUMBER = re.compile(r"\d[\d.,:/%-]*\d%?|\d")
_CODE = re.compile(r"\d{8}")
_EDGE = "„“”\"'|‘’`´_—-–.,:;!<>()[]{}«»·•~^"


class Recogniser(Protocol):
    """Reads images that hold one printed row."""

    def read(self, row: Image.Image) -> RecognisedLine: ...


class Scripts:
    """Recognisers of scripts that PP-OCR does not know. Models are loaded with the first row that they read.

    Args:
        recognise: Makes the recogniser of a model.
    """

    def __init__(self, recognise: Callable[[str], Recogniser] = LineRecogniser) -> None:
        self._recogniser = cache(recognise)

    def language_of(self, image: Image.Image, fragments: Sequence[Fragment]) -> str | None:
        """The model that reads this page; `None` for Latin and Chinese print, and for pages that say too little.

        Args:
            image: RGB.
            fragments: What an engine reads on it, boxes in its pixels.
        Raises:
            ReaderUnavailable: A recogniser failed.
        """
        words = sorted((part for part in fragments if _letters(part.text) >= WORD), key=lambda part: part.confidence)
        doubtful = [part for part in words if 2 * _letters(part.text) > len(part.text)][: max(PROBES, len(words) // 2)]
        rows = [_row(image, part) for part in sorted(doubtful, key=lambda part: len(part.text), reverse=True)[:PROBES]]
        if not rows:
            return None
        text = "".join(part.text for part in fragments)
        script = next((each for each in SCRIPTS if sum(map(text.count, each.signs)) >= FEW_SIGNS), None)
        if script is None:
            if median(part.confidence for part in words) >= DOUBTED:
                return None
            excess, script = max(((self._fit(rows, each) / each.least, each) for each in SCRIPTS), key=lambda pair: pair[0])
            if excess < 1:
                return None
        return (
            max(script.languages, key=lambda language: self._likely(rows, script, language)) if len(script.languages) > 1 else script.first
        )

    def reread(self, image: Image.Image, fragments: Sequence[Fragment], language: str) -> list[Fragment]:
        """The fragments, each as the language's recogniser reads it where that is the better reading.

        Args:
            image: RGB.
            fragments: What an engine reads on it, boxes in its pixels.
            language: As `language_of` gives it.
        Raises:
            ReaderUnavailable: A recogniser failed.
        """
        script = next(each for each in SCRIPTS if language in each.languages)
        found = []
        for fragment in fragments:
            if _letters(fragment.text):
                row = _row(image, fragment)
                fragment = joined(fragment, self._recogniser(language).read(row), self._recogniser(LATIN).read(row), script)  # noqa: PLW2901
            found.append(fragment)
        return found

    def _fit(self, rows: Sequence[Image.Image], script: Script) -> float:
        """How sure the script's first language is of the rows; one without a letter of the script counts for nothing."""
        readings = [self._recogniser(script.first).read(row) for row in rows]
        return median(reading.confidence if _has(script, reading.text) else 0.0 for reading in readings)

    def _likely(self, rows: Sequence[Image.Image], script: Script, language: str) -> float:
        """How sure the language is of the rows, and how much of its own it sees in them."""
        readings = [self._recogniser(language).read(row) for row in rows]
        text = "".join(reading.text for reading in readings).casefold()
        own = sum(map(text.count, script.languages[language]))
        return fmean(reading.confidence for reading in readings) + OWN_LETTER * min(OWN_LETTERS, own)


def _row(image: Image.Image, fragment: Fragment) -> Image.Image:
    box, margin = fragment.box, MARGIN * fragment.box.height
    left, top = max(0, int(box.left - margin)), max(0, int(box.top - margin))
    right, bottom = min(image.width, int(box.right + margin) + 1), min(image.height, int(box.bottom + margin) + 1)
    return image.crop((min(left, right - 1), min(top, bottom - 1), right, bottom))


def joined(fragment: Fragment, reading: RecognisedLine, latin: RecognisedLine, script: Script) -> Fragment:
    """The fragment with words from the script's recogniser; numbers, marks at the edges and Latin words stay the engine's.

    Args:
        fragment: As an engine reads it that does not know the script.
        reading: As the script's recogniser reads it.
        latin: As a recogniser of Latin print reads it.
        script: One of `SCRIPTS`.
    """
    own = fragment.text.split()
    sure = {word.strip(_EDGE).casefold(): sure for word, sure in latin.words}
    if max(_letters(fragment.text), _letters(reading.text)) < 2:
        return fragment
    if len(own) == len(reading.words):
        words = [
            _better((mine, fragment.confidence), other, sure.get(mine.strip(_EDGE).casefold(), 0.0), script)
            for mine, other in zip(own, reading.words, strict=True)
        ]
    elif _is_legible(reading, fragment, script) and not _CODE.search(fragment.text):
        words = [(word, sure) for word, sure in reading.words if any(map(str.isalnum, word))]
    else:
        words = [(_in_twins(word, script), fragment.confidence) for word in own]
    if _is_latin(own, [word for word, _ in words], script):
        return fragment
    best = RecognisedLine(tuple((_bare(word) if script.bare else word, sure) for word, sure in words))
    text = _with_numbers(best.text, fragment.text)
    return fragment if text is None else replace(fragment, text=_edged_as(fragment.text, text), confidence=best.confidence)


def _better(own: tuple[str, float], other: tuple[str, float], latin: float, script: Script) -> tuple[str, float]:
    """The better of two readings of one word, each with its confidence: the engine's own, and the one in the script.

    Args:
        latin: How sure a recogniser of Latin print is of the engine's own reading; 0 where it reads otherwise.
    """
    word, sure = other
    twins = _in_twins(own[0], script)
    if _CODE.search(own[0]) or not _has(script, word) or (latin > sure and twins == own[0] and own[1] >= LATIN_TOO):
        return own
    return (twins, own[1]) if sure < LEGIBLE and own[1] >= CERTAIN else other


def _is_legible(reading: RecognisedLine, fragment: Fragment, script: Script) -> bool:
    """Whether a row is in the script and read well enough to replace what the engine reads, word for word or not."""
    least = MOSTLY if script.twins else max(MOSTLY, fragment.confidence - BETTER)
    return reading.confidence >= least and _has(script, reading.text)


def _is_latin(own: Sequence[str], words: Sequence[str], script: Script) -> bool:
    """Whether a word of the row is Latin for certain, and none is in the script for certain: the others may be either."""
    is_proven = any(_has(script, character) and character not in script.twins for word in words for character in word)
    return not is_proven and any(_letters(word) >= WORD and _in_twins(word, script) == word for word in own)


def _in_twins(word: str, script: Script) -> str:
    """The word in the script, where each of its letters may be the script's as well as Latin."""
    twins = word.translate(str.maketrans(script.latin, script.twins))
    is_possible = _letters(word) > 1 and all(_has(script, character) for character in twins if character.isalpha())
    return twins if is_possible else word


def _bare(word: str) -> str:
    """The word without accents, where it is in capitals."""
    decomposed = unicodedata.normalize("NFD", word)
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return bare if bare.isupper() else word


def _edged_as(own: str, text: str) -> str:
    """The text between the marks that stand around `own`: recognisers see marks in the edges of a row's image."""
    start, end = len(own) - len(own.lstrip(_EDGE)), len(own.rstrip(_EDGE))
    return own[:start] + text.strip(_EDGE) + own[max(start, end) :]


def _with_numbers(text: str, own: str) -> str | None:
    """The text with its numbers as `own` has them; `None` where a long one of `own` would get lost."""
    left = _NUMBER.findall(own)

    def as_own(match: re.Match[str]) -> str:
        best = max(left, key=lambda number: _likeness(number, match.group()), default="")
        if _likeness(best, match.group()) < SAME_NUMBER:
            return match.group()
        left.remove(best)
        return best

    text = _NUMBER.sub(as_own, text)
    return None if any(len(number) >= LONG_NUMBER for number in left) else text


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)


def _has(script: Script, text: str) -> bool:
    return any(unicodedata.name(character, "").startswith(script.name) for character in text)
