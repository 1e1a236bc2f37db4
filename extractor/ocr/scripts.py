"""Detects pages in Cyrillic, Greek or Thai script, which PP-OCR reads as Latin, and reads them again with a recogniser of that script."""

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
    """A script that engines read as Latin.

    Attributes:
        name: As in the Unicode names of its letters.
        languages: Models, each with the letters that distinguish its alphabet from the others; the first one decides whether a page is in
            the script at all.
        min_confidence: Median confidence of that model from which a page is in the script; it is lower on other pages.
        signs: Letters that engines output for this script only.
        latin, twins: Latin letters, and the script's own letters that look the same.
        bare: Whether capitals are printed without accents.
    """

    name: str
    languages: dict[str, str]
    min_confidence: float
    signs: str = ""
    latin: str = ""
    twins: str = ""
    bare: bool = False

    @property
    def first(self) -> str:
        """The language that decides whether a page is in the script."""
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
MIN_SIGNS = 3  # of a script, from which a page is in it; rules and bullets are misread as single ones
# Median confidence of an engine's words: below 0.95 on pages in a script that it does not know, above it on 19 in 20 Latin pages.
DOUBTFUL = 0.94
MIN_LETTERS = 4  # of a fragment that counts as evidence of a page's script
PROBES = 8  # fragments that are read with each script's model to detect the script of a page
OWN_LETTER, MAX_OWN_LETTERS = 0.03, 4  # confidence added for each letter that only this language has, and how many count
LATIN = "eng"  # the model that confirms an engine's reading of a Latin word on a page in another script
LEGIBLE, CERTAIN = 0.5, 0.95  # a word below the first confidence is replaced by the engine's reading, if that has the second
CONFIRMED = 0.9  # confidence of an engine's reading of a Latin word from which it stays, if the Latin model agrees
# Where model and engine find different numbers of words, the engine's row stays if the model's confidence is below this ...
MIN_ROW_CONFIDENCE = 0.3
# ... or, for a script without look-alikes, if the engine's is higher by this: engines are confident of Latin text only.
MARGIN_OF_CONFIDENCE = 0.25
SAME_NUMBER, LONG_NUMBER = 0.5, 3  # similarity from which two numbers are the same, and length from which none may get lost
MARGIN = 0.1  # around a fragment, in its heights: the models need whole letters, and the marks above them

_NUMBER = re.compile(r"\d[\d.,:/%-]*\d%?|\d")
_CODE = re.compile(r"\d{8}")
_EDGE = "„“”\"'|‘’`´_—-–.,:;!<>()[]{}«»·•~^"


class Recogniser(Protocol):
    """Recognises an image that shows one text row."""

    def read(self, row: Image.Image) -> RecognisedLine: ...


class Scripts:
    """Recognisers for the scripts that PP-OCR does not know. Each model is loaded with its first row.

    Args:
        recognise: Makes the recogniser for a language.
    """

    def __init__(self, recognise: Callable[[str], Recogniser] = LineRecogniser) -> None:
        self._recogniser = cache(recognise)

    def language_of(self, image: Image.Image, fragments: Sequence[Fragment]) -> str | None:
        """Return the language whose model reads this page; `None` for Latin and Chinese text, and for pages with too little text.

        Args:
            image: RGB.
            fragments: An engine's result, boxes in pixels of `image`.
        Raises:
            ReaderUnavailable: A recogniser failed.
        """
        words = sorted((part for part in fragments if _letters(part.text) >= MIN_LETTERS), key=lambda part: part.confidence)
        doubtful = [part for part in words if 2 * _letters(part.text) > len(part.text)][: max(PROBES, len(words) // 2)]
        rows = [_row(image, part) for part in sorted(doubtful, key=lambda part: len(part.text), reverse=True)[:PROBES]]
        if not rows:
            return None
        text = "".join(part.text for part in fragments)
        script = next((each for each in SCRIPTS if sum(map(text.count, each.signs)) >= MIN_SIGNS), None)
        if script is None:
            if median(part.confidence for part in words) >= DOUBTFUL:
                return None
            excess, script = max(((self._fit(rows, each) / each.min_confidence, each) for each in SCRIPTS), key=lambda pair: pair[0])
            if excess < 1:
                return None
        return (
            max(script.languages, key=lambda language: self._score(rows, script, language)) if len(script.languages) > 1 else script.first
        )

    def reread(self, image: Image.Image, fragments: Sequence[Fragment], language: str) -> list[Fragment]:
        """Return the fragments, with text from the language's model wherever that is the better reading.

        Args:
            image: RGB.
            fragments: An engine's result, boxes in pixels of `image`.
            language: As returned by `language_of`.
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
        """Return the median confidence of the script's first model; rows without a letter of the script count as 0."""
        readings = [self._recogniser(script.first).read(row) for row in rows]
        return median(reading.confidence if _has(script, reading.text) else 0.0 for reading in readings)

    def _score(self, rows: Sequence[Image.Image], script: Script, language: str) -> float:
        """Return the mean confidence of a language's model, raised by letters that only this language has."""
        readings = [self._recogniser(language).read(row) for row in rows]
        text = "".join(reading.text for reading in readings).casefold()
        own = sum(map(text.count, script.languages[language]))
        return fmean(reading.confidence for reading in readings) + OWN_LETTER * min(MAX_OWN_LETTERS, own)


def _row(image: Image.Image, fragment: Fragment) -> Image.Image:
    box, margin = fragment.box, MARGIN * fragment.box.height
    left, top = max(0, int(box.left - margin)), max(0, int(box.top - margin))
    right, bottom = min(image.width, int(box.right + margin) + 1), min(image.height, int(box.bottom + margin) + 1)
    return image.crop((min(left, right - 1), min(top, bottom - 1), right, bottom))


def joined(fragment: Fragment, reading: RecognisedLine, latin: RecognisedLine, script: Script) -> Fragment:
    """Combine readings: words from the script's model; numbers, punctuation at the edges and Latin words from the engine.

    Args:
        fragment: The engine's reading.
        reading: The reading of the script's model.
        latin: The reading of the Latin model.
        script: One of `SCRIPTS`.
    """
    own = fragment.text.split()
    latin_words = {word.strip(_EDGE).casefold(): confidence for word, confidence in latin.words}
    if max(_letters(fragment.text), _letters(reading.text)) < 2:
        return fragment
    if len(own) == len(reading.words):
        words = [
            _better((mine, fragment.confidence), other, latin_words.get(mine.strip(_EDGE).casefold(), 0.0), script)
            for mine, other in zip(own, reading.words, strict=True)
        ]
    elif _is_legible(reading, fragment, script) and not _CODE.search(fragment.text):
        words = [(word, confidence) for word, confidence in reading.words if any(map(str.isalnum, word))]
    else:
        words = [(_in_twins(word, script), fragment.confidence) for word in own]
    if _is_latin(own, [word for word, _ in words], script):
        return fragment
    best = RecognisedLine(tuple((_bare(word) if script.bare else word, confidence) for word, confidence in words))
    text = _with_numbers(best.text, fragment.text)
    return fragment if text is None else replace(fragment, text=_edged_as(fragment.text, text), confidence=best.confidence)


def _better(own: tuple[str, float], other: tuple[str, float], latin: float, script: Script) -> tuple[str, float]:
    """Return the better of two readings of one word, the engine's and that of the script's model, each with its confidence.

    Args:
        latin: The Latin model's confidence in the engine's reading; 0 where it reads something else.
    """
    word, confidence = other
    twins = _in_twins(own[0], script)
    if _CODE.search(own[0]) or not _has(script, word) or (latin > confidence and twins == own[0] and own[1] >= CONFIRMED):
        return own
    return (twins, own[1]) if confidence < LEGIBLE and own[1] >= CERTAIN else other


def _is_legible(reading: RecognisedLine, fragment: Fragment, script: Script) -> bool:
    """Whether a row is in the script, and read well enough to replace the engine's reading as a whole."""
    needed = MIN_ROW_CONFIDENCE if script.twins else max(MIN_ROW_CONFIDENCE, fragment.confidence - MARGIN_OF_CONFIDENCE)
    return reading.confidence >= needed and _has(script, reading.text)


def _is_latin(own: Sequence[str], words: Sequence[str], script: Script) -> bool:
    """Whether a word of the row is certainly Latin and none is certainly in the script; the others may be either."""
    is_proven = any(_has(script, character) and character not in script.twins for word in words for character in word)
    return not is_proven and any(_letters(word) >= MIN_LETTERS and _in_twins(word, script) == word for word in own)


def _in_twins(word: str, script: Script) -> str:
    """Return the word with the script's letters, if each of its letters exists in both scripts; otherwise the word itself."""
    twins = word.translate(str.maketrans(script.latin, script.twins))
    is_possible = _letters(word) > 1 and all(_has(script, character) for character in twins if character.isalpha())
    return twins if is_possible else word


def _bare(word: str) -> str:
    """Return the word without accents, if it is in capitals."""
    decomposed = unicodedata.normalize("NFD", word)
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return bare if bare.isupper() else word


def _edged_as(own: str, text: str) -> str:
    """Return the text with the punctuation around `own`: models see punctuation in the edges of a row's image."""
    start, end = len(own) - len(own.lstrip(_EDGE)), len(own.rstrip(_EDGE))
    return own[:start] + text.strip(_EDGE) + own[max(start, end) :]


def _with_numbers(text: str, own: str) -> str | None:
    """Return the text with its numbers replaced by those of `own`; `None` where a long number of `own` would get lost."""
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
