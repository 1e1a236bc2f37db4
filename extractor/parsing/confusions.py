"""Characters that OCR takes for one another. One table for each direction; callers decide where a character may be replaced."""

from typing import Final

# Letters and signs read for a digit, inside numbers.
LETTERS_AS_DIGITS: Final = str.maketrans("OoQqDCIil|ZSGE€B", "0000001111256668")

# Digits read for a letter, inside words: in capitals, in lower case, and in folded text, where `1` is more often an i than an l.
DIGITS_AS_CAPITALS: Final = str.maketrans("0158", "OISB")
DIGITS_AS_SMALL_LETTERS: Final = str.maketrans("0158", "olsb")
DIGITS_AS_FOLDED_LETTERS: Final = str.maketrans("013458", "oieasb")

# Characters read for one letter of a known word, itself included, in folded text.
SLIPS: Final = {
    "n": "nm",
    "o": "o0",
    "i": "il1|!",
    "l": "li1|",
    "s": "s5",
    "b": "b8",
    "g": "g96",
    "z": "z2",
    "t": "t7",
    "e": "ec",
    "c": "ce(",
    "v": "vu",
    "u": "uv",
}

# Characters, case and accents aside, with the Latin letter of the same shape: equal for a comparison that must survive OCR. Letters of
# other scripts have the shape that an engine without that script gives them.
SHAPES: Final = str.maketrans(
    {
        pair[0]: pair[1]
        for pair in (
            "$s 0o 1l 5s 8b !l |l ıl íl il "
            "аa бb вb гr дa еe жx з3 иn йn кk лn мm нh оo пn рp сc тt уy хx цu ч4 шw щw ъb ьb юo яr іl "
            "∑σ αa βb γf δa εe ζz ηh θo ιl κk λa μm νn ξe οo πn ρp τt υy χx ψy ωo"
        ).split()
    }
)

# Letters of one script that look the same in another.
CYRILLIC_AS_LATIN: Final = str.maketrans("АВЕКМНОРСТУХІЈЅаеорсухіјѕ", "ABEKMHOPCTYXIJSaeopcyxijs")
LATIN_AS_CYRILLIC: Final = str.maketrans("ABEKMHOPCTYXIJSaeopcyxijskmth", "АВЕКМНОРСТУХІЈЅаеорсухіјѕкмтн")
GREEK_AS_LATIN: Final = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo")
LATIN_AS_GREEK: Final = str.maketrans("ABEZHIKMNOPTYXVvou∑", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧΝνουΣ")
DIGITS_AS_CYRILLIC: Final = str.maketrans("03", "ОЗ")
DIGITS_AS_GREEK: Final = str.maketrans("0", "Ο")
OTHER_LETTERS_AS_ZERO: Final = str.maketrans("ОоΟο", "0000")

_THAI_HALVES, _THAI_WHOLE = "\u0e4d\u0e32", "\u0e33"


def join_thai_vowels(text: str) -> str:
    """The text with the two halves of the vowel sara am, which OCR returns as two characters, joined to the one that is printed."""
    return text.replace(_THAI_HALVES, _THAI_WHOLE)
