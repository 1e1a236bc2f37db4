"""Text from strangers becomes harmless to a terminal, and errors become one line on stderr."""

import sys
import unicodedata

_STEERING = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def safe(text: object) -> str:
    """The text on one line, without characters that steer a terminal or turn the order of what follows."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _STEERING or character in _BIDI_CONTROLS else character
        for character in str(text)
    )


def tell(error: object) -> None:
    """Writes an error as one line to stderr, above a progress bar if there is one."""
    sys.stderr.write(f"receipts: {safe(error)}\n")
