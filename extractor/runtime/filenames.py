"""Converts file names to printable text, and to names that are safe on every file system."""

import os
import unicodedata
from pathlib import Path

# Longest stem of a filed name: leaves room for the id, a suffix and `.error.json` in the 255 bytes that file systems allow.
MAX_STEM_BYTES = 80

_FORBIDDEN = frozenset('<>:"/\\|?*')
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


def printable(name: str | Path) -> str:
    """The name as valid Unicode; bytes that are not UTF-8 become a backslash escape with their hexadecimal value."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:  # a lone surrogate, which is in no file's name but may be in an argument
        raw = str(name).encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def safe_stem(name: str) -> str:
    """The name's stem, safe on every file system: printable, not hidden, no separators, at most 80 bytes of UTF-8, never empty."""
    stem = Path(name.lstrip(".")).stem
    kept = "".join("_" if _is_unsafe(character) else character for character in unicodedata.normalize("NFC", stem))
    short = " ".join(kept.split()).encode()[:MAX_STEM_BYTES].decode("utf-8", "ignore").strip(" .-~")
    return f"_{short}" if short.lower() in _RESERVED else short or "receipt"


def safe_suffix(name: str) -> str | None:
    """The name's suffix, such as `.jpg`; `None` if it is long or not alphanumeric."""
    suffix = Path(name).suffix
    return suffix if 1 < len(suffix) <= 11 and suffix.isascii() and suffix[1:].isalnum() else None


def _is_unsafe(character: str) -> bool:
    # Categories C*: control, format (which could reverse the text), surrogate, private use, unassigned; Zl and Zp: line ends.
    category = unicodedata.category(character)
    return character in _FORBIDDEN or category[0] == "C" or category in {"Zl", "Zp"}
