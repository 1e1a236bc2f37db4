"""Which of a receipt's rows are the merchant's address, and the address without what is printed beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from extractor.readers.ocr.greek import mend_greek
from extractor.readers.ocr.header_rows import HeaderRow, is_candidate
from extractor.readers.ocr.names import mend_words
from extractor.readers.ocr.trees import trees

WEIGHTS: Final = "header.json"
_LIKELY, _STARTS, _LONGEST = 0.02, 8, 8
"""Probability from which a piece is tried as an address's first, how many are tried, and how many pieces an address may have."""
_NAMED = 0.6
"""Probability from which an address may begin with the piece that names the merchant."""
_LEAST = 0.05
"""Probability below which no address is worth telling."""
_DOUBTFUL = 0.5
"""Probability from which an address that already has a town goes on to a second one, and so began too early."""
_DISTANCE = 0.95
"""Of two addresses the one nearer to the merchant's name counts: what each piece between them takes off."""
_MOST_DIGITS, _SKIPPED, _REACH = 16, 2, 3
_CODE = re.compile(r"^\W*(?:\d{1,6}|\d{5}\W\d{4}|\d{2,3}\W\d{2,3})\W*$")
# A postal code with its town; five digits in a row that begins with LOT or NO are a plot.
_TOWN = re.compile(r"\b(?:\d{5},? [^\W\d_]{3}|\d{2}-\d{3} [^\W\d_]|\d{4} [a-z]{2} [a-z]{3}|\d{3} \d{2} [^\W\d_]{3})")
_PLOT = re.compile(r"^\W*(?:lot|no|unit|blk|pt|p\.t|ptd)\b")
_PLACES = frozenset({"street", "postal", "place", "region", "house"})
_OTHER = re.compile(
    r"\b(?:manager|cashier|server|waiter|operator|inv(?:oice|olce)?\.? ?no|order no|bill no|terminal ?(?:id|no\b|[:#])|table ?(?:no|\W))"
    r"|^\W*(?:store|cafe|branch|filiale|outlet) ?(?:number|no|nr|#)?\W{0,3}\d+\W*$|^\w+\W{1,3}\d{3}-\d{4}\b"
    r"|\d ?kg\b|\beur\b|[€$£]|\b(?:vat|gst|sst|abn|tin|nip)\w{0,3}\b.*\d{3}|\(#\d|^\W*outlet\W|: ?1[38]00\b"
)
_TAIL = re.compile(
    r"[\s,;.|/(-]*\(?\b(?:t[e3]?[l1](?:efon|ephone|no)?|ph(?:one)?|fax|fon|h/?p|mob(?:ile|il)?|hotline|contact|gst|sst|vat|reg|tin|nip|www|e-?mail"
    r"|\bnif|\bcif|st\.?nr)\b\s?(?:no\b)?[\s.:：#()+]*\(?\+?\s?[\dw@(].*$",
    re.IGNORECASE,
)
_PHONE = re.compile(r"[\s,;.|/]*(?:\(\d{3}\)\s?\d{3}\s?[-. ]?\s?\d{4}|(?<!\d)\d{3}[-.]\d{3}[-.]\d{4}|(?<!\d)0\d{1,2}-\d{7,8})\W*$")
_LABEL = re.compile(r"^\W*[^\W\d_]{3,} ?[:：]")
_HEAD = re.compile(r"^\W*(?:add(?:ress)?|adresse|alamat|adresa|地址|店铺地址|hq add|h\.q\.?)\s?[:：.]\s*", re.IGNORECASE)
_EDGE = re.compile(r"^[\s,;:.*_=~|-]+|[\s,;:*_=~|-]+$")


# What small print and dot matrices make of words and codes: V looks like U, and a town on O follows its code without a space.
_SLIPS = (
    (re.compile(r"\bA[UV]E(NUE)?\b"), r"AVE\1"),
    (re.compile(r"\bBOULEUARD\b"), "BOULEVARD"),
    (re.compile(r"\bB[LI1][UV]D\b"), "BLVD"),
    (re.compile(r"\b(\d{5})0(?=[a-zäöüß]{3})"), r"\1 O"),
)


def clean_piece(text: str) -> str:
    """A stretch of an address alone: without its label, and without phone and tax numbers that follow on the same row."""
    piece = _HEAD.sub("", text)
    piece = _PHONE.sub("", _TAIL.sub("", piece))
    for pattern, meant in _SLIPS:
        piece = pattern.sub(meant, piece)
    return mend_greek(mend_words(" ".join(_EDGE.sub("", piece).split())))


@dataclass(frozen=True)
class Address:
    """The pieces of the address in print order, its text on one line, and the probability that it is all of it and nothing else."""

    rows: tuple[HeaderRow, ...]
    text: str
    confidence: float


def address_features(matrix: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """What the models of an address's begin and end look at: the pieces' features, and how likely each and its neighbours are a part.

    Args:
        matrix: From `header_features.features`.
        inside: From `part_chances`.
    """
    count = len(inside)
    padded = np.concatenate([np.zeros(_REACH), inside, np.zeros(_REACH)])
    return np.column_stack([matrix, *(padded[_REACH + step : _REACH + step + count] for step in range(-_REACH, _REACH + 1))])


def part_chances(rows: Sequence[HeaderRow], matrix: np.ndarray) -> np.ndarray:
    """For each piece the probability that it is a part of an address; `matrix` holds their `header_features.features`."""
    return _chances("address", rows, matrix)


def start_chances(rows: Sequence[HeaderRow], seen: np.ndarray) -> np.ndarray:
    """For each piece the probability that an address begins with it; `seen` holds their `address_features`."""
    return _chances("address_start", rows, seen)


def _chances(model: str, rows: Sequence[HeaderRow], seen: np.ndarray) -> np.ndarray:
    chances = np.zeros(len(rows))
    usable = usable_pieces(rows)
    if usable:
        chances[usable] = trees(WEIGHTS, model).probabilities(seen[usable])
    return chances


def usable_pieces(rows: Sequence[HeaderRow]) -> list[int]:
    """The pieces that can be part of an address."""
    return [index for index in range(len(rows)) if is_candidate(index, len(rows)) and _is_possible(rows[index])]


def find_address(rows: Sequence[HeaderRow], matrix: np.ndarray, chances: np.ndarray, merchant: Sequence[HeaderRow]) -> Address | None:
    """The merchant's address; `None` where none is printed.

    One model tells where an address begins, another one whether it goes on with the next piece. The likeliest run of pieces wins.

    Args:
        rows: All pieces of the receipt.
        matrix: Their `address_features`.
        chances: What `start_chances` says of them.
        merchant: The pieces that name the merchant; of two addresses the one nearer to them counts.
    """
    usable, named = usable_pieces(rows), {row.index for row in merchant}
    starts = [index for index in usable if chances[index] >= (_NAMED if index in named else _LIKELY)]
    starts = sorted(starts, key=lambda index: -chances[index])[:_STARTS]
    runs = [_grown(index, float(chances[index]), usable, rows, matrix) for index in starts]
    runs = [(chance, run) for chance, run in runs if chance >= _LEAST]
    if not runs:
        return None
    chance, best = max(runs, key=lambda found: (found[0] * _DISTANCE ** _distance(found[1], merchant), found[1]))
    return Address(tuple(rows[index] for index in best), ", ".join(clean_piece(rows[index].text) for index in best), chance)


def _grown(
    start: int, chance: float, usable: Sequence[int], rows: Sequence[HeaderRow], matrix: np.ndarray
) -> tuple[float, tuple[int, ...]]:
    """The likeliest run of pieces that begins there, and its probability, from that of its beginning."""
    run: tuple[int, ...] = (start,)
    best = (0.0, run)
    while len(run) < _LONGEST:
        following = next_piece(run, usable)
        if following is None:
            break
        goes_on = float(trees(WEIGHTS, "address_next").probabilities(step_features(run, following, rows, matrix)[None])[0])
        if goes_on > _DOUBTFUL and len(run) > 1 and _is_town_alone(rows[start]) and "region" in rows[following].classes:
            run = run[1:]
        best = max(best, (chance * (1 - goes_on), run))
        chance, run = chance * goes_on, (*run, following)
        if chance < best[0]:
            return best
    return max(best, (chance, run))


def next_piece(run: Sequence[int], usable: Sequence[int]) -> int | None:
    """The piece that may continue a run: the next that can be of an address, where at most a few others stand between."""
    following = next((index for index in usable if index > run[-1]), None)
    return following if following is not None and following - run[-1] <= 1 + _SKIPPED else None


def step_features(run: Sequence[int], following: int, rows: Sequence[HeaderRow], matrix: np.ndarray) -> np.ndarray:
    """What tells whether an address goes on: the next piece's features, what the run holds already, and how the two stand together."""
    last, piece = rows[run[-1]], rows[following]
    height = max(1.0, last.box.height)
    skipped = rows[run[-1] + 1 : following]
    together = [
        float(len(run)),
        float(any(_names_town(rows[index]) for index in run)),
        float(any("street" in rows[index].classes for index in run)),
        float(any("house" in rows[index].classes for index in run)),
        float(any(row.digits for row in (rows[index] for index in run))),
        float(len(skipped)),
        float(any(row.letters + row.digits >= 3 for row in skipped)),
        float(np.clip((piece.box.top - last.box.bottom) / height, -2, 4)),
        float(np.clip((piece.box.left - last.box.left) / height, -9, 9)),
        float(np.clip((piece.box.left + piece.box.right - last.box.left - last.box.right) / 2 / height, -9, 9)),
        float(piece.box.height / height),
        float(piece.row == last.row),
        float(any(piece.squashed == rows[index].squashed for index in run)),
    ]
    return np.concatenate([matrix[following], together])


def _is_town_alone(row: HeaderRow) -> bool:
    """Whether a piece is a town with its state and nothing else, as branches are named."""
    return "region" in row.classes and not row.classes & {"street", "house"}


def _names_town(row: HeaderRow) -> bool:
    """Whether a piece has a town with its postal code or its state."""
    return "region" in row.classes or ("street" not in row.classes and bool(_TOWN.search(row.folded)) and not _PLOT.search(row.folded))


def _is_possible(row: HeaderRow) -> bool:
    """Whether the piece can be part of an address at all: no web address, number of a register or shop, company, time, or till's label."""
    is_when = bool(row.classes & {"date", "time"}) and not row.classes & {"street", "house"}
    if not clean_piece(row.text) or row.digits > _MOST_DIGITS or "amount" in row.classes or is_when or _OTHER.search(row.folded):
        return False
    if "legal" in row.classes and not row.classes & {"street", "house", "postal"}:
        return False
    if not row.letters and not _CODE.search(row.folded):
        return False
    if _LABEL.search(row.folded) and not _HEAD.search(row.text) and not row.classes & _PLACES:
        return False
    return bool(row.classes & _PLACES) or not row.classes & {"web", "registration", "title", "phone", "greeting"}


def _distance(run: Sequence[int], merchant: Sequence[HeaderRow]) -> int:
    return min((abs(index - row.index) for index in run for row in merchant), default=0)
