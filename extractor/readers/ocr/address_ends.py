"""The ends of an address that was found: without a name before its street, and with the street or the postal code that it lacks."""

import re
from collections.abc import Sequence, Set
from difflib import SequenceMatcher

from extractor.printed.months import fold
from extractor.readers.ocr.brands import find_brand
from extractor.readers.ocr.header_rows import HeaderRow

_NAMES, _STREET, _PHONES = 2, 3, 2
"""How many pieces before a street may be names, letters from which a piece above a town may be its street, and how many telephone
numbers may stand between a street and its town."""
_LONG_NAME, _SAME = 8, 0.8
"""Letters from which a piece that is said again is one too many, and how alike the two have to be."""
# A postal code with its town; five digits in a row that begins with LOT or NO are a plot.
_TOWN = re.compile(r"\b(?:\d{5},? [^\W\d_]{3}|\d{2}-\d{3} [^\W\d_]|\d{4} [a-z]{2} [a-z]{3}|\d{3} \d{2} [^\W\d_]{3})")
_PLOT = re.compile(r"^\W*(?:lot|no|unit|blk|pt|p\.t|ptd)\b")
# Codes of Canada and Britain, of the United States beside their state, and one of five digits alone.
_LETTERED = re.compile(r"\b(?:[a-z]\d[a-z] ?\d[a-z]\d|[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|[a-z]{2} \d{5}(?:-\d{4})?\W*$)(?!\w)")
_COARSE_CODE = re.compile(r"\b[\doil]{5}\W*$")
"""A code at the end of a row, its digits misread or not."""
_FIVE = re.compile(r"^\W*\d{5}(?:-\d{4})?\W*$")
_GREEK_CODE = re.compile(r"^\W*τ\W{0,2}κ\W{0,3}\d{3} ?\d{2}\W*$")
_WORD = re.compile(r"[^\W\d_]{4,}")
_STREET_NEXT = re.compile(r"\s*(?:[^\W\d_][^\d,]{2,} \d{1,4}\b|\d{1,4} [^\W\d_]{3})")
"""Matches what begins with a street and its number."""
_HOUSE = re.compile(r"\d{1,4}\b")
_NUMBERED = re.compile(r"#\s?\d{3,}\W*$")
_TRADE = re.compile(r"\b(?:restaurant|cafe|bistro|grill|gas|gasoline|pizzeria|bakery|pharmacy|kitchen)\b")


def whole(run: tuple[int, ...], usable: Sequence[int], rows: Sequence[HeaderRow], named: Set[int]) -> tuple[int, ...]:
    """The pieces of an address, less names before its street, with the street above it and the code below that belong to it.

    Args:
        run: Indices of the pieces that were found.
        usable: Those of pieces that may be of an address.
        rows: All pieces.
        named: Indices of those that name the merchant.
    """
    run = _with_street(_without_name(_without_end(run, rows, named), rows, named), usable, rows)
    return _with_code(_with_town(run, rows), rows)


def without_name(text: str, merchant: Sequence[HeaderRow]) -> str:
    """A stretch of an address without the merchant's name before its street: of `Linde Store Köln, Hauptstr. 5` the street."""
    name, _, rest = text.partition(",")
    is_name = not any(character.isdigit() for character in name) and _shares_word(fold(name), merchant)
    return rest.strip() if is_name and _STREET_NEXT.match(rest) else text


def names_town(row: HeaderRow) -> bool:
    """Whether a piece has a town with its postal code or its state."""
    return "region" in row.classes or ("street" not in row.classes and bool(_TOWN.search(row.folded)) and not _PLOT.search(row.folded))


def _without_name(run: tuple[int, ...], rows: Sequence[HeaderRow], named: Set[int]) -> tuple[int, ...]:
    """The run without a first piece that the next ones say again, and without the shop's name before a street."""
    pieces, merchant = [rows[index] for index in run], [rows[index] for index in named]
    for start in range(min(len(run) - 1, _NAMES), 0, -1):
        last, before = pieces[start - 1], pieces[:start]
        if any(piece.classes & {"postal", "region"} or _has_street(piece) for piece in before):
            continue
        is_said_again = len(last.squashed) >= _LONG_NAME and any(_says(piece.squashed, last.squashed) for piece in pieces[start:])
        is_trade = _has_street(pieces[start]) and bool(_TRADE.search(last.folded))
        is_street = "street" in pieces[start].classes or {"house", "postal"} & pieces[start].classes == {"house"}
        is_name = bool(pieces[start].digits) and is_street and _is_of(last, merchant)
        if is_trade or _is_stray(last, pieces[start]) or (not last.digits and (is_said_again or is_name)):
            return run[start:]
    return run


def _is_stray(row: HeaderRow, street: HeaderRow) -> bool:
    """Whether a piece above a street that begins with its number is none of an address: a slogan, a branch's number, stains."""
    if not _HOUSE.match(street.folded) or not {"street", "house"} <= street.classes:
        return False
    is_plain = not row.digits and not row.classes & {"street", "postal", "place", "region", "house"}
    return not row.is_print or is_plain or bool(_NUMBERED.search(row.folded) and "street" not in row.classes)


def _without_end(run: tuple[int, ...], rows: Sequence[HeaderRow], named: Set[int]) -> tuple[int, ...]:
    """The run without the shop's name after its town."""
    last, before = rows[run[-1]], [rows[index] for index in run[:-1]]
    is_plain = not last.digits and not last.classes & {"street", "postal", "region", "house"}
    is_name = run[-1] in named or _is_of(last, [rows[index] for index in named]) or find_brand([last]) is not None
    return run[:-1] if is_plain and is_name and any("postal" in row.classes for row in before) else run


def _says(text: str, name: str) -> bool:
    """Whether a piece has the whole of another one, a letter misread or not."""
    return name in text or SequenceMatcher(None, text, name, autojunk=False).ratio() >= _SAME


def _has_street(row: HeaderRow) -> bool:
    """Whether a piece has a street with its number."""
    is_house = row.folded[:1].isdigit() and "house" in row.classes
    return bool(row.digits) and (is_house or bool(row.classes & {"street", "postal"}))


def _is_of(row: HeaderRow, merchant: Sequence[HeaderRow]) -> bool:
    """Whether a piece has a word of the merchant's name."""
    return _shares_word(row.folded, merchant)


def _shares_word(folded: str, merchant: Sequence[HeaderRow]) -> bool:
    words = set(_WORD.findall(folded))
    return any(words & set(_WORD.findall(other.folded)) for other in merchant)


def _with_street(run: tuple[int, ...], usable: Sequence[int], rows: Sequence[HeaderRow]) -> tuple[int, ...]:
    """The run, and before a town or a unit that it begins with the street above."""
    first, above = rows[run[0]], run[0] - 1
    is_headless = first.text.startswith("#") or (bool(first.classes & {"postal", "region"}) and "street" not in first.classes)
    if not is_headless or above not in usable:
        return run
    is_street = "house" in rows[above].classes and not rows[above].classes & {"till", "trade", "postal"}
    return (above, *run) if is_street and rows[above].letters >= _STREET else run


def _with_town(run: tuple[int, ...], rows: Sequence[HeaderRow]) -> tuple[int, ...]:
    """The run of a street alone, and the town with its state or code that is printed below its telephone numbers."""
    own = [rows[index] for index in run]
    if not any(_has_street(row) for row in own) or any(row.classes & {"postal", "region", "place"} or names_town(row) for row in own):
        return run
    below = next((row for row in rows[run[-1] + 1 : run[-1] + 2 + _PHONES] if "phone" not in row.classes), None)
    if below is None or below.index == run[-1] + 1 or below.classes & {"amount", "date", "time", "web"}:
        return run
    is_town = names_town(below) or ("place" in below.classes and bool(_COARSE_CODE.search(below.folded)))
    return (*run, below.index) if is_town else run


def _with_code(run: tuple[int, ...], rows: Sequence[HeaderRow]) -> tuple[int, ...]:
    """The run, and after it the piece that is or begins with its postal code."""
    below = run[-1] + 1
    if below >= len(rows) or rows[below].classes & {"amount", "date", "time"}:
        return run
    if any(_LETTERED.search(rows[index].folded) or _TOWN.search(rows[index].folded) for index in run):
        return run
    is_code = _LETTERED.match(rows[below].folded) or ("region" in rows[run[-1]].classes and _FIVE.search(rows[below].folded))
    has_code = bool(re.search(r"\d{5}", rows[run[-1]].folded))
    is_greek = _GREEK_CODE.search(rows[below].folded) is not None
    return (*run, below) if (is_code or is_greek) and not has_code else run
