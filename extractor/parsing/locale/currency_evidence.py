"""Clues to a receipt's currency in its amounts: currency marks, and amounts with and without decimals."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from extractor.parsing.amounts import find_amounts
from extractor.parsing.currencies import CurrencyMark, candidates_of, find_marks, has_decimals
from extractor.parsing.locale.evidence import Finding

# Marks that are more often a tax code and a service charge where a reader found them at the total.
_OTHER_CODES = frozenset({"SR", "SVC"})
_IN_BRACKETS = re.compile(r"[(\[]\s?([^()\[\]\d\s]{1,4})\s?[)\]]")
# Further marks of one kind that add to its weight.
_MAX_MORE = 4


def _is_no_currency(text: str, mark: CurrencyMark) -> bool:
    """Whether a mark is more likely something else.

    `SR` behind an amount is a tax code of Malaysia, `SVC` the service charge, `TL` at the beginning of a row the total of a simple till.
    """
    name, before = mark.text.upper(), text[: mark.start].rstrip()
    return name == "SVC" or (name == "SR" and before[-1:].isdigit()) or (name == "TL" and not before)


@dataclass(frozen=True)
class CurrencyMarks:
    """Counts of what a receipt's amounts show of its currency.

    Attributes:
        marks: Marks by the currencies that each can mean.
        at_total: Currencies that the mark at the total can mean.
        whole: Amounts of a thousand and more without decimals.
        broken: Amounts with decimals.
    """

    marks: Mapping[tuple[str, ...], int]
    at_total: tuple[str, ...]
    whole: int
    broken: int

    @staticmethod
    def of(texts: Sequence[str], mark: str | None) -> "CurrencyMarks":
        """The counts in these rows; `mark` is the currency mark at the total, where a reader found one."""
        marks: Counter[tuple[str, ...]] = Counter()
        names: dict[bool, set[str]] = {True: set(), False: set()}
        whole = broken = 0
        for text in texts:
            for found in find_marks(text):
                is_other = _is_no_currency(text, found)  # the same letters may be a mark elsewhere on the receipt
                names[is_other].add(found.text.upper())
                marks[found.candidates] += not is_other
            marks.update(filter(None, (candidates_of(heading) for heading in _IN_BRACKETS.findall(text))))
            for amount in find_amounts(text):
                broken += amount.decimals in (1, 2)
                whole += bool(re.search(r"\d{2}[.,]\d00\b", amount.text))
        is_mark = mark is not None and mark.strip().upper() not in _OTHER_CODES | (names[True] - names[False])
        return CurrencyMarks(+marks, candidates_of(mark) if mark and is_mark else (), whole, broken)

    def clues(self, currency: str) -> Iterable[Finding]:
        """The clues to, and against, one currency."""
        total = sum(self.marks.values())
        for candidates, count in self.marks.items():
            if currency in candidates and count * 3 >= total:
                yield from _mark_clues(currency, candidates, count)
        if self.at_total:
            if currency not in self.at_total:
                yield Finding("other_mark_at_total", 1, "another currency mark at the total")
            else:
                yield Finding("mark_at_total" if len(self.at_total) == 1 else "shared_mark_at_total", 1, "currency mark at the total")
        is_marked = any(currency in candidates for candidates in self.marks)
        if total >= 2 and not is_marked:
            yield Finding("other_marks", 1, "other currency marks")
        if self.whole >= 2 and self.whole > self.broken:
            if not has_decimals(currency):
                yield Finding("whole_amounts", 1, "amounts without decimals")
            elif not is_marked:
                yield Finding("no_decimals", 1, "amounts without decimals")
        elif self.broken >= 3 and not has_decimals(currency):
            yield Finding("decimals", 1, "amounts with decimals")


def _mark_clues(currency: str, candidates: tuple[str, ...], count: int) -> Iterable[Finding]:
    """The clues of a mark that can mean these currencies, printed so many times."""
    reason = f"currency mark for {'/'.join(candidates[:3])}"
    more = min(_MAX_MORE, count - 1)
    if len(candidates) == 1:
        yield Finding("mark", 1, reason)
        yield Finding("more_marks", more, reason)
        return
    if candidates[0] == "GBP":  # the other pounds are those of small territories, or print letters
        yield Finding("pound" if currency == "GBP" else "rare_pound", 1, reason)
    else:
        yield Finding("shared_mark", 1, reason)
        if currency == candidates[0]:
            yield Finding("commonest_mark", 1, reason)
    yield Finding("more_shared_marks", more, reason)
