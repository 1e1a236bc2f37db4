"""The amounts of a receipt, each with its label and position: the input of every rule for money fields."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Final

from extractor.ocr.transcript import Box, Line, Transcript
from extractor.parsing.amounts import DecimalMark, PrintedAmount, decimal_mark, find_amounts
from extractor.parsing.keywords import Role, roles_of
from extractor.readers.base import Evidence
from extractor.readers.rules.field_values import box_of, confidence_of

# A count with its unit in the last column, as in `TOTAL   4 items`.
_TRAILING_COUNT = re.compile(r"\t\s*\d{1,3} ?[^\W\d][^\d\t]{0,15}$")
# Separates fragments that stand apart, so that a quantity and a price are never parsed as one number with a space for thousands.
GAP = "\t"


@dataclass(frozen=True)
class LabelledAmount:
    """One amount on a receipt.

    Attributes:
        index: Its position among all amounts, in reading order.
        row: Index of its row in `AmountRows.rows`.
        value: Its value under the receipt's decimal mark.
        label: The text that names it: left of it on its row, else right of it, else on a row without amounts directly above or below.
        roles: The roles of that label.
        is_adjacent: True where the label comes from a neighbouring row.
        is_last: True where no further amount stands to its right.
        seen: The text that OCR returned, where a misread digit was repaired; empty otherwise.
    """

    index: int
    row: int
    page: int
    printed: PrintedAmount
    value: Decimal
    box: Box
    label: str
    roles: frozenset[Role]
    is_adjacent: bool
    is_last: bool
    confidence: float
    seen: str = ""

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.seen or self.printed.text, self.page, self.box, round(self.confidence, 3))


@dataclass(frozen=True)
class AmountRow:
    """One printed row: its text, the text without amounts (`label`), and its amounts from left to right."""

    index: int
    page: int
    line: Line
    text: str
    label: str
    roles: frozenset[Role]
    entries: tuple[LabelledAmount, ...]

    @property
    def box(self) -> Box:
        return self.line.box

    @property
    def last(self) -> LabelledAmount | None:
        """The rightmost amount."""
        return self.entries[-1] if self.entries else None


@dataclass(frozen=True)
class AmountRows:
    """All rows of a receipt, over all pages in print order."""

    rows: tuple[AmountRow, ...]
    mark: DecimalMark | None
    transcripts: Sequence[Transcript]

    @cached_property
    def entries(self) -> tuple[LabelledAmount, ...]:
        return tuple(entry for row in self.rows for entry in row.entries)

    @cached_property
    def text_height(self) -> float:
        """Median height of a row in pixels."""
        return median([row.box.height for row in self.rows]) if self.rows else 1.0

    def __iter__(self) -> Iterator[AmountRow]:
        return iter(self.rows)


def read_rows(transcripts: Sequence[Transcript], mark: DecimalMark | None = None) -> AmountRows:
    """Return every row of the pages with its amounts and their labels.

    Args:
        mark: The decimal mark; inferred from all amounts of the receipt where it is not given.
    """
    lines = [(page, line) for page, transcript in enumerate(transcripts) for line in transcript.lines]
    texts = [_row_text(line) for _, line in lines]
    mark = mark or decimal_mark(texts)
    found = _amounts_of_rows(texts, mark)
    labels = [_text_without(text, amounts) for text, amounts in zip(texts, found, strict=True)]
    rows, count = [], 0
    for index, (page, line) in enumerate(lines):
        entries = []
        for place, printed in enumerate(found[index]):
            label, is_adjacent = _label_of(index, place, texts, found, labels, lines)
            entries.append(
                LabelledAmount(
                    index=count,
                    row=index,
                    page=page,
                    printed=printed,
                    value=printed.value(mark),
                    box=box_of(line, printed.start, printed.end),
                    label=label,
                    roles=roles_of(label),
                    is_adjacent=is_adjacent,
                    is_last=place == len(found[index]) - 1,
                    confidence=confidence_of(line, printed.start, printed.end),
                )
            )
            count += 1
        rows.append(AmountRow(index, page, line, texts[index], labels[index], roles_of(labels[index]), tuple(entries)))
    return AmountRows(tuple(rows), mark, transcripts)


def _row_text(line: Line) -> str:
    """Join the fragments of a line, with `GAP` between those that stand apart."""
    text = line.fragments[0].text
    for left, right in pairwise(line.fragments):
        character = max(1.0, left.box.height * 0.5)
        text += (GAP if right.box.left - left.box.right > character else " ") + right.text
    return text


def _amounts_of_rows(texts: Sequence[str], mark: DecimalMark | None) -> list[tuple[PrintedAmount, ...]]:
    """Return the amounts of every row.

    Where the receipt prints decimals, only amounts that look like money count. A whole number that is labelled as a sum counts only where
    no other amount is labelled as the total, since points and postal codes have such labels, too.
    """
    amounts = [find_amounts(text) for text in texts]
    if mark is None:
        return [tuple(each for each in row if each.is_money_like or each.decimals == 0) for row in amounts]
    money = [tuple(each for each in row if each.is_money_like and not _is_menu_code(each)) for row in amounts]
    if any(row and _is_sum(text[: row[-1].start], {Role.GRAND, Role.TOTAL}) for text, row in zip(texts, money, strict=True)):
        return money
    return [row or _whole_sum(text, every) for text, row, every in zip(texts, money, amounts, strict=True)]


def _whole_sum(text: str, amounts: tuple[PrintedAmount, ...]) -> tuple[PrintedAmount, ...]:
    """Return the last amount as a tuple, where it ends the row and is labelled as a sum; else an empty one."""
    sums = {Role.GRAND, Role.TOTAL, Role.SUBTOTAL}
    is_sum = amounts and _ends_row(text, amounts[-1]) and _is_sum(text[: amounts[-1].start], sums)
    return amounts[-1:] if is_sum else ()


def _is_sum(label: str, sums: Collection[Role]) -> bool:
    roles = roles_of(label)
    return bool(roles & set(sums)) and not roles & {Role.COUNT, Role.NOISE, Role.TAX}


def _is_menu_code(amount: PrintedAmount) -> bool:
    """Return whether an amount is a menu code such as `R11`: a single letter before a whole number is no currency mark."""
    return amount.decimals == 0 and len(amount.mark) == 1 and amount.mark.isalpha()


def _ends_row(text: str, amount: PrintedAmount) -> bool:
    """Return whether a number of two digits or more, with at most one decimal, ends the row."""
    return len(amount.text) >= 2 and amount.decimals < 2 and not text[amount.end :].strip(" .*")


def _text_without(text: str, amounts: Sequence[PrintedAmount]) -> str:
    for amount in reversed(amounts):
        text = f"{text[: amount.start]} {text[amount.end :]}"
    return " ".join(text.split())


def _label_of(
    row: int,
    place: int,
    texts: Sequence[str],
    found: Sequence[tuple[PrintedAmount, ...]],
    labels: Sequence[str],
    lines: Sequence[tuple[int, Line]],
) -> tuple[str, bool]:
    """Return the label of one amount, and whether it comes from a neighbouring row."""
    amounts, text = found[row], texts[row]
    start = amounts[place - 1].end if place else 0
    left = _nearest(text[start : amounts[place].start].strip())
    if roles_of(left):
        return left, False
    if roles_of(labels[row]):
        return labels[row], False
    if _is_bare(labels[row]) and len(amounts) == 1:
        for other in (row - 1, row + 1):
            if (
                0 <= other < len(lines)
                and not found[other]
                and _can_label_neighbour(labels[other])
                and _are_close(lines[row], lines[other])
            ):
                return labels[other], True
    return labels[row], False


def _nearest(label: str) -> str:
    """Return the label without a count beside it, as in `Items: 4  TOTAL` and `TOTAL  4 items`."""
    label = _TRAILING_COUNT.sub("", label) if _is_sum(_TRAILING_COUNT.sub("", label), {Role.GRAND, Role.TOTAL, Role.SUBTOTAL}) else label
    near = label.rpartition(GAP)[2]
    return near if roles_of(near) & {Role.TOTAL, Role.GRAND} and Role.COUNT in roles_of(label) - roles_of(near) else label


def _can_label_neighbour(label: str) -> bool:
    """Return whether a row without amounts can label the amount beside it: it is no heading of columns and holds no misread amount."""
    if re.search(r"\d\s?[.,]", label):
        return False  # its own amount was misread
    return bool(roles_of(label) - {Role.HEADING, Role.UNIT, Role.COUNT, Role.NOISE}) and Role.HEADING not in roles_of(label)


def _is_bare(label: str) -> bool:
    """Return whether a row prints nothing besides its amounts but a tax letter or a currency mark."""
    return sum(character.isalpha() for character in label) <= 3


def _are_close(one: tuple[int, Line], other: tuple[int, Line]) -> bool:
    a, b = one[1].box, other[1].box
    return one[0] == other[0] and abs(a.middle - b.middle) <= 1.8 * max(a.height, b.height)


# A price at the end of a row whose decimal mark or digits were misread.
_LOOSE_PRICE: Final = re.compile(
    r"""(?P<sign>-\s?)?(?P<whole>[\dOolISB€]{1,4})\s?(?P<mark>[.,:;·'*\s\t]{1,2})?\s?(?P<cents>[\dOoClISBE€]{2})
        (?P<tax>[\s\t]*(?:[A-Za-z*#]{0,2}|[А-ЯЂЈЉЊЋЏΑ-Ω])\d?[\s\t.*]*)$""",
    re.VERBOSE,
)
# Letters that OCR returns for digits inside a price.
_AS_DIGITS: Final = str.maketrans("OoClISBE€", "000115866")
# Distance of a price's right edge from the column's, in heights of the row.
_COLUMN_TOLERANCE: Final = 0.8


def loose_price(row: AmountRow, right: float, mark: DecimalMark, most: Decimal) -> LabelledAmount | None:
    """Return the price at the end of a row without a readable amount, where it stands in the column of prices; else `None`.

    Args:
        right: Right edge of the receipt's column of prices, in pixels.
        most: The largest sum that the items may add up to; 0 where none is known.
    """
    match = _LOOSE_PRICE.search(row.text)
    if match is None or not _stands_apart(row.text, match.start()) or sum(c.isdigit() for c in match["whole"] + match["cents"]) < 2:
        return None
    end = match.end("cents")
    box = box_of(row.line, match.start(), end)
    if abs(box.right - right) > _COLUMN_TOLERANCE * max(box.height, 1.0) + (box.width / 3 if match["tax"].strip() else 0):
        return None
    whole = re.sub(r"^S(?=\d)", "", match["whole"]).translate(_AS_DIGITS)  # a dollar sign more often than a five
    text = f"{'-' if match['sign'] else ''}{whole}{mark}{match['cents'].translate(_AS_DIGITS)}"
    found = find_amounts(text)
    if len(found) != 1 or (len(whole) > 1 and whole.startswith("0")) or (most and found[0].value(mark) > most):
        return None
    printed = replace(found[0], start=match.start(), end=end, is_money_like=False)
    return LabelledAmount(
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


def _stands_apart(text: str, start: int) -> bool:
    """Return whether a position is at the beginning of a row or behind a gap."""
    return start == 0 or text[:start].endswith((GAP, "$", "£", f"{GAP} "))


# Lev and kuna for one euro. Where dual display was required by law, the currency of the sale was printed first.
# Source: Council of the European Union, conversion rates of 12 July 2022 (kuna) and 8 July 2025 (lev).
_EURO_RATES: Final = (Decimal("1.95583"), Decimal("7.53450"))
# What a converted sum may differ by.
_RATE_TOLERANCE: Final = Decimal("0.02")
# Rows below a sum within which its conversion is printed.
_CONVERSION_REACH: Final = 4
# Roles of sums that are printed again in another currency.
_SUMS: Final = frozenset({Role.GRAND, Role.TOTAL, Role.SUBTOTAL})


def without_conversions(rows: AmountRows) -> AmountRows:
    """Return the rows with converted sums marked as `Role.EXCHANGE`.

    A sum is a conversion where it equals an earlier one at a fixed euro rate (dual display).
    """
    sums = [entry for entry in rows.entries if entry.roles & _SUMS and entry.value > 0]
    converted = {entry.index for entry in sums if any(_converts(other, entry) for other in sums)}
    return replace(rows, rows=tuple(_with_conversions(row, converted) for row in rows)) if converted else rows


def _converts(earlier: LabelledAmount, later: LabelledAmount) -> bool:
    if not 0 < later.row - earlier.row <= _CONVERSION_REACH:
        return False
    pairs = ((earlier.value, later.value), (later.value, earlier.value))
    return any(abs(euros * rate - other) <= _RATE_TOLERANCE for euros, other in pairs for rate in _EURO_RATES)


def _with_conversions(row: AmountRow, converted: set[int]) -> AmountRow:
    if not any(entry.index in converted for entry in row.entries):
        return row
    entries = tuple(_as_conversion(entry) if entry.index in converted else entry for entry in row.entries)
    return replace(row, entries=entries, roles=row.roles - _SUMS | {Role.EXCHANGE})


def _as_conversion(entry: LabelledAmount) -> LabelledAmount:
    return replace(entry, roles=entry.roles - _SUMS | {Role.EXCHANGE})
