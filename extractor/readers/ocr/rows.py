"""The amounts of a receipt, each with the label that belongs to it and where it stands: what all money fields are found in."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from statistics import median

from extractor.ocr.interface import Box, Line, Transcript
from extractor.printed.amounts import DecimalMark, PrintedAmount, decimal_mark, find_amounts
from extractor.printed.keywords import Role, roles_of
from extractor.readers.interface import Evidence

_COUNTED = re.compile(r"\t\s*\d{1,3} ?[^\W\d][^\d\t]{0,15}$")
GAP = "\t"
"""Stands between two fragments that lie apart, so that a quantity and a price never read as one number with a space for thousands."""


@dataclass(frozen=True)
class Entry:
    """One amount on a receipt.

    Attributes:
        index: Its place among all entries, in reading order.
        row: Index of its row in `Rows.rows`.
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
class Row:
    """One printed row: its text, what is left of the text without amounts, and its amounts from left to right."""

    index: int
    page: int
    line: Line
    text: str
    label: str
    roles: frozenset[Role]
    entries: tuple[Entry, ...]

    @property
    def box(self) -> Box:
        return self.line.box

    @property
    def last(self) -> Entry | None:
        """The rightmost amount."""
        return self.entries[-1] if self.entries else None


@dataclass(frozen=True)
class Rows:
    """All rows of a receipt, over all its pages in print order."""

    rows: tuple[Row, ...]
    mark: DecimalMark | None
    transcripts: Sequence[Transcript]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for row in self.rows for entry in row.entries)

    @cached_property
    def text_height(self) -> float:
        """Median height of a row in pixels."""
        return median([row.box.height for row in self.rows]) if self.rows else 1.0

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


def read_rows(transcripts: Sequence[Transcript], mark: DecimalMark | None = None) -> Rows:
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
                Entry(
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
        rows.append(Row(index, page, line, texts[index], labels[index], roles_of(labels[index]), tuple(entries)))
    return Rows(tuple(rows), mark, transcripts)


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
