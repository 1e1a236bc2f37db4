"""Merchants' names as text: without what is printed beside them, and told from words that name nobody."""

import re
from functools import cache

from extractor.readers.ocr.words import words

_NUMBER = re.compile(
    r"[\s,.:]*(?:[(\[（{]\s?\d{4,7}\s?[-–=·.\s]{0,3}[A-Za-zò]?\s?[)\]）}]?|\b\d{5,7}\s?[-–=·]\s?[A-Za-z]\b\)?|\b\d{5,7}\s?[A-Z]?\))[,.\s]*(?:\(\w+\))?$"
)
_NOTE = re.compile(
    r"\s*[\[(（]?\s?(?:co(?:mpany)?\.?\s?(?:reg|no)|reg(?:istration)?\.?\s?no|roc|gst|sst|vat|abn|nip|oib)\b.*$", re.IGNORECASE
)
_GREETING = re.compile(
    r"^\W*(?:welcome to|thank you for (?:shopping|dining|visiting) (?:at|with)|bienvenue (?:a|à|chez)|willkommen (?:bei|im|in))"
    r"\s+(?:the\s+)?",
    re.IGNORECASE,
)
_EDGE = re.compile(r"^[^\w(（\"'“«]+|[^\w.)）!?\"'”»%+&]+$")

# Legal forms as OCR slips print them, by the form that is meant.
_LEGAL_SLIPS = (
    (re.compile(r"\b[S5][DO0][NH]\.? ?[BE8][HI]?[DO0]\b\.?"), "SDN BHD"),
    (re.compile(r"\b[S5]/[B8D9]$"), "S/B"),
    (re.compile(r"\bC0\."), "CO."),
)


def clean_name(text: str) -> str:
    """The name alone: without greetings, registration numbers and rules around it, legal forms put right."""
    name = _GREETING.sub("", text)
    name = _NUMBER.sub("", _NOTE.sub("", name)) or name
    for _ in range(2):
        name = _EDGE.sub("", name.strip())
    for pattern, form in _LEGAL_SLIPS:
        if form not in name.replace(".", ""):
            name = pattern.sub(form, name)
    return " ".join(name.split())


_AS_LETTER = str.maketrans("013458", "oieasb")


def could_name(text: str) -> bool:
    """Whether a folded text has a word that could name somebody: not only greetings, titles and words of tills, also when misread."""
    found = [word.translate(_AS_LETTER) for word in re.findall(r"[^\W_]+", text)]
    found = [word for word in found if sum(character.isalpha() for character in word) >= 2]
    return any(word not in words("names", "nobody") and not _is_slip(word) for word in found)


@cache
def _is_slip(word: str) -> bool:
    """Whether a word of six letters or more differs from one of those words by a single character."""
    return len(word) >= 6 and any(
        abs(len(word) - len(known)) <= 1 and len(known) >= 6 and _is_near(word, known) for known in words("names", "nobody")
    )


def _is_near(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    start = next((index for index, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    if len(shorter) == len(longer):
        return shorter[start + 1 :] == longer[start + 1 :]
    return shorter[start:] == longer[start + 1 :]
