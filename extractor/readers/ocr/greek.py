"""Greek print that OCR gave partly in Latin look-alikes, put back into Greek."""

import re
from typing import Final

_LATIN: Final = "ABEZHIKMNOPTYXVvou0∑"
_GREEK: Final = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧΝνουΟΣ"
_LOOKS = str.maketrans(_LATIN, _GREEK)
_OWN = re.compile(r"[ΓΔΘΛΞΠΣΦΨΩ∑α-ωά-ώ]")
"""Letters that no Latin one looks like, or that OCR gives for Greek print only."""
_WORD = re.compile(r"[^\W_]{2,}|[^\W_∑]*∑[^\W_]*")
_FEW = 2
"""Greek letters from which a text is taken as Greek; rules and bullets give single ones."""


def mend_greek(text: str) -> str:
    """The text with the Latin look-alikes in its Greek words as Greek letters; a text that is not Greek stays as it is."""
    if len(_OWN.findall(text)) < _FEW:
        return text
    return _WORD.sub(lambda match: _mended(match.group()), text)


def _mended(word: str) -> str:
    """The word in Greek, where each of its letters may be; numbers and Latin words stay."""
    is_number = sum(character.isdigit() for character in word) * 2 >= len(word)
    greek = word.translate(_LOOKS)
    return word if is_number or re.search(r"[A-Za-z0-9]", greek) else greek
