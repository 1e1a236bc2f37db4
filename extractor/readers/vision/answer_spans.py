"""Finds the characters of each field in an answer, and computes the model's confidence in it. Pure."""

import json
import math
from collections.abc import Iterator, Sequence

from extractor.readers.base import Evidence

# Characters of JSON numbers, booleans and nulls.
NUMBERS_AND_WORDS = frozenset("+-.0123456789aeflnrstuE")


def evidence_of(pieces: Sequence[bytes], logprobs: Sequence[float | None], *, page: int) -> dict[str, Evidence]:
    """Return every value of a JSON answer, by field path: its text, the page, and the geometric mean of its tokens' probabilities.

    The model's probability is a weak signal of a wrong value; it ranks values, and is not calibrated. Nulls have no evidence, nor have
    values at which an answer was cut off.

    Args:
        pieces: Bytes of each token; joined, they are the answer.
        logprobs: Natural logarithm of each token's probability; `None` for a token that was not a choice, which is ignored.
    """
    text = b"".join(pieces)
    ends = _ends(pieces)
    found: dict[str, Evidence] = {}
    for path, start, end in _values(text):
        value = _decoded(text[start:end])
        if value is not None:
            own = [logprob for logprob, (first, last) in zip(logprobs, ends, strict=True) if first < end and last > start]
            chosen = [logprob for logprob in own if logprob is not None]
            found[path] = Evidence(value, page=page, confidence=math.exp(sum(chosen) / len(chosen)) if chosen else None)
    return found


def _ends(pieces: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return start and end of each piece."""
    ends, position = [], 0
    for piece in pieces:
        ends.append((position, position + len(piece)))
        position += len(piece)
    return ends


def _decoded(value: bytes) -> str | None:
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return None if decoded is None else str(decoded)


def _values(text: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield path, start and end of each value that is not a list or object, up to where the text ends or is not compact JSON."""
    path: list[str | int] = []
    position = 0
    while position < len(text):
        symbol = chr(text[position])
        if symbol == '"' or symbol in NUMBERS_AND_WORDS:
            end = _string_end(text, position) if symbol == '"' else _word_end(text, position)
            if end is None or end == len(text):  # incomplete, or possibly a key
                return
            if text[end : end + 1] == b":" and path:
                path[-1] = _decoded(text[position:end]) or ""
            else:
                yield _dotted(path), position, end
            position = end
            continue
        if symbol in "{[":
            path.append("" if symbol == "{" else 0)
        elif symbol in "}]":
            if not path:
                return
            path.pop()
        elif symbol == "," and path and isinstance(path[-1], int):
            path[-1] += 1
        position += 1


def _string_end(text: bytes, start: int) -> int | None:
    position = start + 1
    while position < len(text):
        if text[position] == ord("\\"):
            position += 2
        elif text[position] == ord('"'):
            return position + 1
        else:
            position += 1
    return None


def _word_end(text: bytes, start: int) -> int:
    position = start
    while position < len(text) and chr(text[position]) in NUMBERS_AND_WORDS:
        position += 1
    return position


def _dotted(path: Sequence[str | int]) -> str:
    """Return `items[2].total_price` for `("items", 2, "total_price")`."""
    dotted = ""
    for part in path:
        dotted += f"[{part}]" if isinstance(part, int) else f".{part}"
    return dotted.removeprefix(".")
