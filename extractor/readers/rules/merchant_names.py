"""Merchants' names as text: cleaned of what is printed beside them, distinguished from words that name nobody, and respelled."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache, lru_cache

from extractor.parsing.dates.months import fold
from extractor.parsing.vocabulary import company_form_words, telephone, top_level_domains
from extractor.readers.rules.segments import HeaderSegment, mend_words, squash, words

# A register number at the end of a Malaysian company name, with or without brackets.
_REGISTER_NUMBER = re.compile(
    r"[\s,.:]*(?:[(\[（{]\s?\d{4,7}\s?[-–=·.\s]{0,3}[A-Za-zò]?\s?[)\]）}]?|\b\d{5,7}\s?[-–=·]\s?[A-Za-z]\b\)?|\b\d{5,7}\s?[A-Z]?\))[,.\s]*(?:\(\w+\))?$"
)
# A label of a register or tax number and everything behind it.
_REGISTRATION = re.compile(
    r"\s*[\[(（]?\s?(?:[o0][i1l]b|co(?:mpany)?\.?\s?(?:reg|no)|reg(?:istration)?\.?\s?no|roc|gst|sst|vat|abn|nip|oib)\b.*$", re.IGNORECASE
)
# A greeting before the name.
_GREETING = re.compile(
    r"^\W*(?:welcome to|thank you for (?:shopping|dining|visiting) (?:at|with)|bienvenue (?:a|à|chez)|willkommen (?:bei|im|in))"
    r"\s+(?:the\s+)?",
    re.IGNORECASE,
)
# A telephone number behind the name.
_PHONE = re.compile(
    r"[\s,;]+(?:\(?(?:tele?(?:phone|fono|fon)?|phone|ph|fax)\b[.:]?[\s\d()+./-]{6,}|" + "|".join(telephone("behind_name")) + ")$",
    re.IGNORECASE,
)
# Digits behind the legal form.
_BEHIND_FORM = re.compile(r"(?<=SDN BHD)\W+\d[\d\W]*$")
# Marks around the name that do not belong to it.
_EDGE = re.compile("^[^\\w(（\"'“«]+|[^\\w.)）!?\"'”»%+&\u0e31-\u0e4e]+$")
# Misread legal forms and the forms that are meant.
_MISREAD_FORMS = (
    (re.compile(r"\b[S5][DO0BE][NH]\.? ?[BE83][HI]?[DO0]\b\.?"), "SDN BHD"),
    (re.compile(r"\b[S5]/[B8D9]$"), "S/B"),
    (re.compile(r"\bC0\."), "CO."),
    (re.compile(r"\s?d\.\s?0\.\s?0\b\.?", re.IGNORECASE), " d.o.o."),
    (re.compile(r"\bs\W{0,3}r\W{0,2}0\b\.?", re.IGNORECASE), "s.r.o."),
)
# Digits that OCR returns for letters, in folded text.
_AS_LETTER = str.maketrans("013458", "oieasb")


@lru_cache(maxsize=4096)
def clean_name(text: str) -> str:
    """Return the name without greetings, register and telephone numbers and marks around it, misread legal forms and words repaired."""
    name = _first_part(_GREETING.sub("", text))
    name = _PHONE.sub("", _REGISTER_NUMBER.sub("", _REGISTRATION.sub("", name)) or name) or name
    for _ in range(2):
        name = _EDGE.sub("", name.strip())
    for pattern, form in _MISREAD_FORMS:
        if form not in name.replace(".", ""):
            name = pattern.sub(form, name)
    name = _BEHIND_FORM.sub("", name)
    return mend_words(" ".join(name.split()))


def _first_part(text: str) -> str:
    """Return the first part of a row that stars or bars divide, if it could name somebody."""
    parts = [part for part in re.split(r"\s[*|]+\s|\*{2,}", text.strip(" *|")) if part.strip()]
    return parts[0] if len(parts) > 1 and could_name(fold(parts[0])) else text


def is_registration(text: str) -> bool:
    """Return whether a text is a registration and nothing else: `(Company No. 224917-W)`."""
    return not _REGISTRATION.sub("", text).strip()


@lru_cache(maxsize=4096)
def could_name(text: str) -> bool:
    """Return whether a folded text has a word that could name somebody: not only greetings, titles and words of tills, misread or not."""
    found = [word for word in re.findall(r"[^\W_]+", text) if any(character.isalpha() for character in word)]
    found = [word.translate(_AS_LETTER) for word in found]
    if len(found) == 2 and found[0] == "the" and found[1] in words("names", "after_article"):
        return True
    found = [word for word in found if sum(character.isalpha() for character in word) >= 2]
    return any(word not in words("names", "nobody") and not _is_misread_nobody(word) for word in found)


@cache
def _is_misread_nobody(word: str) -> bool:
    """Return whether a word of six letters or more differs from one that names nobody by a single character."""
    return len(word) >= 6 and any(is_misreading_of(word, known) for known in words("names", "nobody"))


def is_misreading_of(word: str, known: str) -> bool:
    """Return whether a folded word equals another one, or differs from it by a single character in six or more."""
    return word == known or (len(word) >= 6 and len(known) >= 6 and abs(len(word) - len(known)) <= 1 and _differ_by_one(word, known))


def _differ_by_one(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    start = next((index for index, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    if len(shorter) == len(longer):
        return shorter[start + 1 :] == longer[start + 1 :]
    return shorter[start:] == longer[start + 1 :]


# A word that is long enough to be respelled.
_WORD = re.compile(r"[^\W\d_]{4,}")
# A word with its apostrophes.
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Letters of a name that is searched in longer words at least, and missing first letters at most.
_MIN_COMPLETED, _MAX_HIDDEN = 5, 2
# Similarity, without legal forms, of two segments that print one name.
_SAME_NAME = 0.75
# A legal form as a word in folded text.
COMPANY_FORM = re.compile(rf"\b(?:{'|'.join(company_form_words())})\b")


def respelled(name: str, own: Sequence[HeaderSegment], segments: Sequence[HeaderSegment]) -> str:
    """Return the name with single letters repaired after a surer segment: `Marsh & Cone` above `Marsh Cope Ltd` becomes `Marsh & Cope`.

    Args:
        own: The segments that the name was read from.
        segments: All segments.
    """
    sure = min(segment.confidence for segment in own)
    twins = [segment for segment in segments if segment not in own and segment.confidence > sure and _is_same_name(name, segment.text)]
    return _WORD.sub(lambda match: _respelled_word(match.group(), twins), name) if twins else name


def _is_same_name(one: str, other: str) -> bool:
    a, b = (squash(COMPANY_FORM.sub(" ", fold(text))) for text in (one, other))
    return bool(a and b) and abs(len(a) - len(b)) * 4 <= len(a) and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _SAME_NAME


def _respelled_word(word: str, twins: Sequence[HeaderSegment]) -> str:
    """Return the word, or with one letter replaced the only word that the twins print in its place."""
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
    """Return a name of one word with its missing first letters: `ineStar` above `Leipzig CineStar` becomes `CineStar`.

    Args:
        own: The segments that the name was read from.
        segments: All segments.
    """
    squashed = squash(name)
    if len(squashed) < _MIN_COMPLETED or " " in name:
        return name
    printed = (word for segment in segments if segment not in own and "web" not in segment.classes for word in _TOKEN.findall(segment.text))
    whole = (word for word in printed if 0 < len(squash(word)) - len(squashed) <= _MAX_HIDDEN and squash(word).endswith(squashed))
    return next((word for word in whole if word[0].isupper()), name)  # a stain before the same name is no capital


# The name in a web or mail address.
_HOST = re.compile(rf"(?:www[., ]|@|https?:/*)?\s?([a-z0-9-]{{3,}})[.,](?:{'|'.join(top_level_domains())})\b")


def hosts_of(folded: str) -> Iterator[str]:
    """Return the names before the top-level domain in all addresses of a folded text."""
    return (match[1] for match in _HOST.finditer(folded))
