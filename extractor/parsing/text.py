"""Text reduced to what two spellings of it share."""

import unicodedata


def squash(text: str) -> str:
    """Return the letters and digits of a text, without case and width."""
    return letters_and_digits(unicodedata.normalize("NFKC", text).casefold())


def letters_and_digits(text: str) -> str:
    """Return the text without anything but letters and digits."""
    return "".join(character for character in text if character.isalnum())
