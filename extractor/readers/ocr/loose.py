"""Prices that lost their decimal mark or a digit's shape: `179`, `0 59`, `10:50`, `10.EO` in the column of prices."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Final

from extractor.printed.amounts import DecimalMark, find_amounts
from extractor.readers.ocr.rows import GAP, Entry, Row
from extractor.readers.ocr.spans import box_of, confidence_of

_SHAPE: Final = re.compile(
    r"""(?P<sign>-\s?)?(?P<whole>[\dOolISB€]{1,4})\s?(?P<mark>[.,:;·'*\s\t]{1,2})?\s?(?P<cents>[\dOoClISBE€]{2})
        (?P<tax>[\s\t]*(?:[A-Za-z*#]{0,2}|[А-ЯЂЈЉЊЋЏΑ-Ω])\d?[\s\t.*]*)$""",
    re.VERBOSE,
)
_DIGITS: Final = str.maketrans("OoClISBE€", "000115866")
_COLUMN: Final = 0.8
"""Heights of print by which the right edge of a price may miss the column's."""


def loose_price(row: Row, right: float, mark: DecimalMark, most: Decimal) -> Entry | None:
    """The price that a row without a readable amount ends with, where something like one stands in the column; else `None`.

    Args:
        right: Where the prices of the receipt end, in pixels.
        most: The largest sum that the items may add up to; 0 where none is known.
    """
    match = _SHAPE.search(row.text)
    if match is None or not _is_apart(row.text, match.start()) or sum(c.isdigit() for c in match["whole"] + match["cents"]) < 2:
        return None
    end = match.end("cents")
    box = box_of(row.line, match.start(), end)
    if abs(box.right - right) > _COLUMN * max(box.height, 1.0) + (box.width / 3 if match["tax"].strip() else 0):
        return None
    whole = re.sub(r"^S(?=\d)", "", match["whole"]).translate(_DIGITS)  # a dollar sign more often than a five
    text = f"{'-' if match['sign'] else ''}{whole}{mark}{match['cents'].translate(_DIGITS)}"
    found = find_amounts(text)
    if len(found) != 1 or (len(whole) > 1 and whole.startswith("0")) or (most and found[0].value(mark) > most):
        return None
    printed = replace(found[0], start=match.start(), end=end, is_money_like=False)
    return Entry(
        index=-1,
        row=row.index,
        page=row.page,
        printed=printed,
        value=printed.value(mark),
        box=box,
        label=row.label,
        roles=row.roles,
        is_adjacent=False,
        is_last=True,
        confidence=confidence_of(row.line, match.start(), end),
        seen=row.text[match.start() : end],
    )


def _is_apart(text: str, start: int) -> bool:
    """True where a gap or the row's beginning is in front of a place."""
    return start == 0 or text[:start].endswith((GAP, "$", "£", f"{GAP} "))
