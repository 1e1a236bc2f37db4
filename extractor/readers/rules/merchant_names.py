"""Merchants' names as text: without what is printed beside them, distinguished from words that name nobody, spelled as printed twice."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache, lru_cache

from extractor.parsing.dates.months import fold
from extractor.readers.rules.segments import HeaderSegment, mend_words, squash, words

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
_AS_LETTER = str.maketrans("013458", "oieasb")


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


def _first_part(text: str) -> str:
    """The first part of a row whose parts are set off by stars or bars, if it could name somebody."""
    parts = [part for part in re.split(r"\s[*|]+\s|\*{2,}", text.strip(" *|")) if part.strip()]
    return parts[0] if len(parts) > 1 and could_name(fold(parts[0])) else text


def is_note(text: str) -> bool:
    """Whether a text is a registration and nothing else: `(Company No. 113825-W)`."""
    return not _NOTE.sub("", text).strip()


@lru_cache(maxsize=4096)
def could_name(text: str) -> bool:
    """Whether a folded text has a word that could name somebody: not only greetings, titles and words of tills, also when misread."""
    found = [word for word in re.findall(r"[^\W_]+", text) if any(character.isalpha() for character in word)]
    found = [word.translate(_AS_LETTER) for word in found]
    found = [word for word in found if sum(character.isalpha() for character in word) >= 2]
    return any(word not in words("names", "nobody") and not _is_slip(word) for word in found)


@cache
def _is_slip(word: str) -> bool:
    """Whether a word of six letters or more differs from one of those words by a single character."""
    return len(word) >= 6 and any(is_slip_of(word, known) for known in words("names", "nobody"))


def is_slip_of(word: str, known: str) -> bool:
    """Whether a folded word is another one, or differs from it by a single character in six or more."""
    return word == known or (len(word) >= 6 and len(known) >= 6 and abs(len(word) - len(known)) <= 1 and _is_near(word, known))


def _is_near(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    start = next((index for index, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    if len(shorter) == len(longer):
        return shorter[start + 1 :] == longer[start + 1 :]
    return shorter[start:] == longer[start + 1 :]


_WORD = re.compile(r"[^\W\d_]{4,}")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Letters of a name that is looked for in other words, at least, and letters in front of it, at most.
_LONG, _HIDDEN = 5, 2
# How alike, legal forms aside, two pieces are that print one name.
_SAME = 0.75
_FORM = re.compile(r"\b(?:sdn|bhd|berhad|co|company|ltd|limited|llc|inc|corp|plc|pte|pvt|pty|gmbh|kg|ag|srl|sa|sas)\b")


def respelled(name: str, own: Sequence[HeaderSegment], segments: Sequence[HeaderSegment]) -> str:
    """The name with single letters put right: `Marsh & Cone` above `Marsh Cope Ltd` is `Marsh & Cope`, if the lower row is the surer one.

    Args:
        own: The pieces that the name was read from.
        rows: All pieces.
    """
    sure = min(segment.confidence for segment in own)
    twins = [segment for segment in segments if segment not in own and segment.confidence > sure and _is_same_name(name, segment.text)]
    return _WORD.sub(lambda match: _word(match.group(), twins), name) if twins else name


def _is_same_name(one: str, other: str) -> bool:
    a, b = (squash(_FORM.sub(" ", fold(text))) for text in (one, other))
    return bool(a and b) and abs(len(a) - len(b)) * 4 <= len(a) and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _SAME


def _word(word: str, twins: Sequence[HeaderSegment]) -> str:
    """The word, or with one other letter the one word that the twins print in its place."""
    printed = {found for segment in twins for found in _WORD.findall(segment.text)}
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


def completed(name: str, own: Sequence[HeaderSegment], segments: Sequence[HeaderSegment]) -> str:
    """The name with its first letters where a logo hid them: `ineStar` above `Leipzig CineStar` is `CineStar`; one word only.

    Args:
        own: The pieces that the name was read from.
        rows: All pieces.
    """
    squashed = squash(name)
    if len(squashed) < _LONG or " " in name:
        return name
    printed = (word for segment in segments if segment not in own and "web" not in segment.classes for word in _TOKEN.findall(segment.text))
    whole = (word for word in printed if 0 < len(squash(word)) - len(squashed) <= _HIDDEN and squash(word).endswith(squashed))
    return next((word for word in whole if word[0].isupper()), name)  # a stain in front of the same name is no capital


_HOST = re.compile(
    r"(?:www[., ]|@|https?:/*)?\s?([a-z0-9-]{3,})[.,](?:com|net|org|de|my|co|eu|at|ch|fr|es|it|nl|pl|cz|se|uk|au|ca|ie|hr|gr|bg|pt)\b"
)


def hosts_of(folded: str) -> Iterator[str]:
    """The names before the dot in all addresses of a folded text."""
    return (match[1] for match in _HOST.finditer(folded))
