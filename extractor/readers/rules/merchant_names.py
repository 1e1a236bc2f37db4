"""Merchants' names as text: without what is printed beside them, and told from words that name nobody."""

import re
from functools import cache, lru_cache

from extractor.parsing.confusions import DIGITS_AS_CAPITALS, DIGITS_AS_FOLDED_LETTERS, DIGITS_AS_SMALL_LETTERS
from extractor.parsing.dates.months import fold
from extractor.readers.rules.lexicon import words

_NUMBER = re.compile(
    r"[\s,.:]*(?:[(\[（{]\s?\d{4,7}\s?[-–=·.\s]{0,3}[A-Za-zò]?\s?[)\]）}]?|\b\d{5,7}\s?[-–=·]\s?[A-Za-z]\b\)?|\b\d{5,7}\s?[A-Z]?\))[,.\s]*(?:\(\w+\))?$"
)
_NOTE = re.compile(
    r"\s*[\[(（]?\s?(?:[o0][i1l]b|co(?:mpany)?\.?\s?(?:reg|no)|reg(?:istration)?\.?\s?no|roc|gst|sst|vat|abn|nip|oib)\b.*$", re.IGNORECASE
)
_GREETING = re.compile(
    r"^\W*(?:welcome to|thank you for (?:shopping|dining|visiting) (?:at|with)|bienvenue (?:a|à|chez)|willkommen (?:bei|im|in))"
    r"\s+(?:the\s+)?",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"[\s,;]+(?:\(?(?:tele?(?:phone|fono|fon)?|phone|ph|fax)\b[.:]?[\s\d()+./-]{6,}|\(?0?\d{3,5}\)?[ -]\d{3}[ -]?\d{3,4})$", re.IGNORECASE
)
_BEHIND_FORM = re.compile(r"(?<=SDN BHD)\W+\d[\d\W]*$")
_EDGE = re.compile("^[^\\w(（\"'“«]+|[^\\w.)）!?\"'”»%+&\u0e31-\u0e4e]+$")

# Legal forms as OCR slips print them, by the form that is meant.
_LEGAL_SLIPS = (
    (re.compile(r"\b[S5][DO0BE][NH]\.? ?[BE83][HI]?[DO0]\b\.?"), "SDN BHD"),
    (re.compile(r"\b[S5]/[B8D9]$"), "S/B"),
    (re.compile(r"\bC0\."), "CO."),
    (re.compile(r"\s?d\.\s?0\.\s?0\b\.?", re.IGNORECASE), " d.o.o."),
    (re.compile(r"\bs\W{0,3}r\W{0,2}0\b\.?", re.IGNORECASE), "s.r.o."),
)
_SLIPPED_WORD = re.compile(r"(?<![\w])(?=\w*[^\W\d_]\w*[^\W\d_]\w*[^\W\d_])(?=\w*[0158])[^\W_]{4,}(?![\w])")
_DOUBLE_L = re.compile(r"(?<=[^\W\d_])11(?=[a-zäöü])")
"""`Sne11vi11e`."""
_LEADING_NOUGHT = re.compile(r"\b0(?=['’][A-Z]|[a-z]{2,}\b)")
"""`0'Briens`, `0ld`."""
_NUMBERED = frozenset("level lvl hotel terminal mall hall portal canal".split())
"""Words on l that numbers follow: `Level1` stays, `Mal1` does not."""


def mend_words(text: str) -> str:
    """The text with digits turned back into the letters that OCR took them for: `Gril1`, `0xnard`, `R1JEKA`.

    Only in words of at least three letters with one or two such digits that do not stand as a number at the end.
    """
    return _LEADING_NOUGHT.sub("O", _SLIPPED_WORD.sub(lambda match: _mended(match.group()), _DOUBLE_L.sub("ll", text)))


def _mended(word: str) -> str:
    digits = [index for index, character in enumerate(word) if character.isdigit()]
    stem = word[: digits[0]]
    is_number = word[digits[0] :].isdigit() and not (
        word[digits[0] :] in {"0", "11"} or (word.endswith("l1") and len(digits) == 1 and stem.lower() not in _NUMBERED)
    )
    if len(digits) > 2 or len(word) - len(digits) < 3 or is_number or not {word[index] for index in digits} <= set("0158"):
        return word
    rest = word[1:].translate(DIGITS_AS_CAPITALS if word[1:].upper() == word[1:] else DIGITS_AS_SMALL_LETTERS)
    return word[0].translate(DIGITS_AS_CAPITALS) + rest


def _first_part(text: str) -> str:
    """The first part of a row whose parts are set off by stars or bars, if it could name somebody."""
    parts = [part for part in re.split(r"\s[*|]+\s|\*{2,}", text.strip(" *|")) if part.strip()]
    return parts[0] if len(parts) > 1 and could_name(fold(parts[0])) else text


@lru_cache(maxsize=4096)
def clean_name(text: str) -> str:
    """The name alone: without greetings, registration numbers and rules around it, legal forms put right."""
    name = _first_part(_GREETING.sub("", text))
    name = _PHONE.sub("", _NUMBER.sub("", _NOTE.sub("", name)) or name) or name
    for _ in range(2):
        name = _EDGE.sub("", name.strip())
    for pattern, form in _LEGAL_SLIPS:
        if form not in name.replace(".", ""):
            name = pattern.sub(form, name)
    name = _BEHIND_FORM.sub("", name)
    return mend_words(" ".join(name.split()))


def is_note(text: str) -> bool:
    """Whether a text is a registration and nothing else: `(Company No. 113825-W)`."""
    return not _NOTE.sub("", text).strip()


def is_slip_of(word: str, known: str) -> bool:
    """Whether a folded word is another one, or differs from it by a single character in six or more."""
    return word == known or (len(word) >= 6 and len(known) >= 6 and abs(len(word) - len(known)) <= 1 and _is_near(word, known))


@lru_cache(maxsize=4096)
def could_name(text: str) -> bool:
    """Whether a folded text has a word that could name somebody: not only greetings, titles and words of tills, also when misread."""
    found = [word for word in re.findall(r"[^\W_]+", text) if any(character.isalpha() for character in word)]
    found = [word.translate(DIGITS_AS_FOLDED_LETTERS) for word in found]
    found = [word for word in found if sum(character.isalpha() for character in word) >= 2]
    return any(word not in words("names", "nobody") and not _is_slip(word) for word in found)


@cache
def _is_slip(word: str) -> bool:
    """Whether a word of six letters or more differs from one of those words by a single character."""
    return len(word) >= 6 and any(is_slip_of(word, known) for known in words("names", "nobody"))


def _is_near(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    start = next((index for index, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    if len(shorter) == len(longer):
        return shorter[start + 1 :] == longer[start + 1 :]
    return shorter[start:] == longer[start + 1 :]
