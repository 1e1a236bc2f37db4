"""Text for terminals: control characters of foreign text are replaced, and errors are one line on stderr."""

import shlex
import sys
import unicodedata

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def safe(text: object) -> str:
    """The text on one line, with characters replaced that control a terminal or reverse the order of what follows."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _CONTROLS or character in _BIDI_CONTROLS else character
        for character in str(text)
    )


def quoted(path: object) -> str:
    """A path as a POSIX shell takes it: in quotation marks where it has spaces or other characters that a shell interprets."""
    return shlex.quote(safe(path))


def tell(error: object) -> None:
    """Write an error as one line to stderr, above a progress bar if there is one."""
    sys.stderr.write(f"receipts: {safe(error)}\n")
