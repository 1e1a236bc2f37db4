"""The amounts of a receipt, each with the label that belongs to it and where it stands: what all money fields are found in."""

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
from extractor.parsing.confusions import LETTERS_AS_DIGITS
from extractor.parsing.keywords import Role, roles_of
from extractor.readers.base import Evidence
from extractor.readers.rules.field_values import box_of, confidence_of

_COUNTED = re.compile(r"\t\s*\d{1,3} ?[^\W\d][^\d\t]{0,15}$")
GAP = "\t"
"""Stands between two fragments that lie apart, so that a quantity and a price never read as one number with a space for thousands."""


@dataclass(frozen=True)
class LabelledAmount:
    """One amount on a receipt.

    Attributes:
        index: Its place among all entries, in reading order.
        row: Index of its row in `AmountRows.rows`.
        value: What it means under the receipt's decimal mark.
        label: The text that names it: left of it on its row, else right of it, else a row of text alone just above or below.
        roles: What the label says.
        is_last: True where no further amount stands to its right.
        seen: What OCR saw, where a misread digit was put right; empty otherwise.
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
    """One printed row: its text, what is left of the text without amounts, and its amounts from left to right."""

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
    """All rows of a receipt, over all its pages in print order."""

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
    """Every row of the pages with its amounts and labels; the decimal mark is taken from all amounts unless it is given."""
    lines = [(page, line) for page, transcript in enumerate(transcripts) for line in transcript.lines]
    texts = [_text(line) for _, line in lines]
    mark = mark or decimal_mark(texts)
    found = _money(texts, mark)
    labels = [_without(text, amounts) for text, amounts in zip(texts, found, strict=True)]
    rows, count = [], 0
    for index, (page, line) in enumerate(lines):
        entries = []
        for place, printed in enumerate(found[index]):
            label, is_adjacent = _label(index, place, texts, found, labels, lines)
            box, confidence = _box(line, printed)
            entries.append(
                LabelledAmount(
                    index=count,
                    row=index,
                    page=page,
                    printed=printed,
                    value=printed.value(mark),
                    box=box,
                    label=label,
                    roles=roles_of(label),
                    is_adjacent=is_adjacent,
                    is_last=place == len(found[index]) - 1,
                    confidence=confidence,
                )
            )
            count += 1
        rows.append(AmountRow(index, page, line, texts[index], labels[index], roles_of(labels[index]), tuple(entries)))
    return AmountRows(tuple(rows), mark, transcripts)


def _text(line: Line) -> str:
    text = line.fragments[0].text
    for left, right in pairwise(line.fragments):
        character = max(1.0, left.box.height * 0.5)
        text += (GAP if right.box.left - left.box.right > character else " ") + right.text
    return text


def _money(texts: Sequence[str], mark: DecimalMark | None) -> list[tuple[PrintedAmount, ...]]:
    """The amounts of every row.

    Where the receipt prints decimals, only what looks like money; a whole number that is labelled as a sum counts where no other amount is
    labelled as the total: points and postal codes have such labels, too.
    """
    amounts = [find_amounts(text) for text in texts]
    if mark is None:
        return [tuple(each for each in row if each.is_money_like or each.decimals == 0) for row in amounts]
    money = [tuple(each for each in row if each.is_money_like and not _is_code(each)) for row in amounts]
    if any(row and _is_sum(text[: row[-1].start], {Role.GRAND, Role.TOTAL}) for text, row in zip(texts, money, strict=True)):
        return money
    return [row or _whole_sum(text, every) for text, row, every in zip(texts, money, amounts, strict=True)]


def _whole_sum(text: str, amounts: tuple[PrintedAmount, ...]) -> tuple[PrintedAmount, ...]:
    """The last amount, where it ends the row and its label is that of a sum."""
    sums = {Role.GRAND, Role.TOTAL, Role.SUBTOTAL}
    is_sum = amounts and _ends_with(text, amounts[-1]) and _is_sum(text[: amounts[-1].start], sums)
    return amounts[-1:] if is_sum else ()


def _is_sum(label: str, sums: Collection[Role]) -> bool:
    roles = roles_of(label)
    return bool(roles & set(sums)) and not roles & {Role.COUNT, Role.NOISE, Role.TAX}


def _is_code(amount: PrintedAmount) -> bool:
    """True for `R11` on a menu: one letter is no currency mark in front of a whole number."""
    return amount.decimals == 0 and len(amount.mark) == 1 and amount.mark.isalpha()


def _ends_with(text: str, amount: PrintedAmount) -> bool:
    """True where a whole number of two digits or more, or one with one decimal, ends the row."""
    return len(amount.text) >= 2 and amount.decimals < 2 and not text[amount.end :].strip(" .*")


def _without(text: str, amounts: Sequence[PrintedAmount]) -> str:
    for amount in reversed(amounts):
        text = f"{text[: amount.start]} {text[amount.end :]}"
    return " ".join(text.split())


def _label(
    row: int,
    place: int,
    texts: Sequence[str],
    found: Sequence[tuple[PrintedAmount, ...]],
    labels: Sequence[str],
    lines: Sequence[tuple[int, Line]],
) -> tuple[str, bool]:
    """The label of one amount, and whether it comes from a neighbouring row."""
    amounts, text = found[row], texts[row]
    start = amounts[place - 1].end if place else 0
    left = _nearest(text[start : amounts[place].start].strip())
    if roles_of(left):
        return left, False
    if roles_of(labels[row]):
        return labels[row], False
    if _is_bare(labels[row]) and len(amounts) == 1:
        for other in (row - 1, row + 1):
            if 0 <= other < len(lines) and not found[other] and _names_one_amount(labels[other]) and _are_close(lines[row], lines[other]):
                return labels[other], True
    return labels[row], False


def _nearest(label: str) -> str:
    """The label without a count beside it, as in `Items: 4  TOTAL` and `TOTAL  4 items`."""
    label = _COUNTED.sub("", label) if _is_sum(_COUNTED.sub("", label), {Role.GRAND, Role.TOTAL, Role.SUBTOTAL}) else label
    near = label.rpartition(GAP)[2]
    return near if roles_of(near) & {Role.TOTAL, Role.GRAND} and Role.COUNT in roles_of(label) - roles_of(near) else label


def _names_one_amount(label: str) -> bool:
    """True where a row of text can be the label of the amount beside it, and is no heading of columns."""
    if re.search(r"\d\s?[.,]", label):
        return False  # its own amount was misread
    return bool(roles_of(label) - {Role.HEADING, Role.UNIT, Role.COUNT, Role.NOISE}) and Role.HEADING not in roles_of(label)


def _is_bare(label: str) -> bool:
    """True where a row says nothing beside its amounts: at most a tax letter or a currency mark."""
    return sum(character.isalpha() for character in label) <= 3


def _are_close(one: tuple[int, Line], other: tuple[int, Line]) -> bool:
    a, b = one[1].box, other[1].box
    return one[0] == other[0] and abs(a.middle - b.middle) <= 1.8 * max(a.height, b.height)


def _box(line: Line, printed: PrintedAmount) -> tuple[Box, float]:
    """Where an amount stands on its row, cut from its fragments in proportion to the characters, and the OCR's confidence there."""
    boxes, confidences, position = [], [], 0
    for fragment in line.fragments:
        start, end = max(printed.start - position, 0), min(printed.end - position, len(fragment.text))
        if start < end:
            width = fragment.box.width / max(1, len(fragment.text))
            left, right = fragment.box.left + start * width, fragment.box.left + end * width
            boxes.append(Box(left, fragment.box.top, right, fragment.box.bottom))
            confidences.append(fragment.confidence)
        position += len(fragment.text) + 1
    return (Box.around(boxes), min(confidences)) if boxes else (line.box, line.confidence)


_SHAPE: Final = re.compile(
    r"""(?P<sign>-\s?)?(?P<whole>[\dOolISB€]{1,4})\s?(?P<mark>[.,:;·'*\s\t]{1,2})?\s?(?P<cents>[\dOoClISBE€]{2})
        (?P<tax>[\s\t]*(?:[A-Za-z*#]{0,2}|[А-ЯЂЈЉЊЋЏΑ-Ω])\d?[\s\t.*]*)$""",
    re.VERBOSE,
)
_COLUMN: Final = 0.8
"""Heights of print by which the right edge of a price may miss the column's."""


def loose_price(row: AmountRow, right: float, mark: DecimalMark, most: Decimal) -> LabelledAmount | None:
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
    whole = re.sub(r"^S(?=\d)", "", match["whole"]).translate(LETTERS_AS_DIGITS)  # a dollar sign more often than a five
    text = f"{'-' if match['sign'] else ''}{whole}{mark}{match['cents'].translate(LETTERS_AS_DIGITS)}"
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


def _is_apart(text: str, start: int) -> bool:
    """True where a gap or the row's beginning is in front of a place."""
    return start == 0 or text[:start].endswith((GAP, "$", "£", f"{GAP} "))


_RATES: Final = (Decimal("1.95583"), Decimal("7.53450"))
"""Lev and kuna for a euro: where both were printed by law, the currency of the sale came first. Source: Council of the European Union."""
_NEAR: Final = Decimal("0.02")
_REACH: Final = 4
"""Rows below a sum within which it is converted."""
_SUMS: Final = frozenset({Role.GRAND, Role.TOTAL, Role.SUBTOTAL})


def without_conversions(rows: AmountRows) -> AmountRows:
    """The rows, where a sum that is an earlier one in the other currency says only that it is converted."""
    sums = [entry for entry in rows.entries if entry.roles & _SUMS and entry.value > 0]
    converted = {entry.index for entry in sums if any(_converts(other, entry) for other in sums)}
    return replace(rows, rows=tuple(_marked(row, converted) for row in rows)) if converted else rows


def _converts(earlier: LabelledAmount, later: LabelledAmount) -> bool:
    if not 0 < later.row - earlier.row <= _REACH:
        return False
    pairs = ((earlier.value, later.value), (later.value, earlier.value))
    return any(abs(euros * rate - other) <= _NEAR for euros, other in pairs for rate in _RATES)


def _marked(row: AmountRow, converted: set[int]) -> AmountRow:
    if not any(entry.index in converted for entry in row.entries):
        return row
    entries = tuple(_as_exchange(entry) if entry.index in converted else entry for entry in row.entries)
    return replace(row, entries=entries, roles=row.roles - _SUMS | {Role.EXCHANGE})


def _as_exchange(entry: LabelledAmount) -> LabelledAmount:
    return replace(entry, roles=entry.roles - _SUMS | {Role.EXCHANGE})
