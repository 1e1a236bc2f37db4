"""Numbers that identify: the merchant's phone and tax number, the receipt's own number."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extractor.printed.dates import find_dates
from extractor.readers.ocr.header_rows import HeaderRow
from extractor.readers.ocr.words import alternatives

_TAX = re.compile(
    rf"(?:{alternatives('labels', 'tax_id')})[\s.:#()n°o-]{{0,8}}(?P<value>(?=[a-z ]{{0,4}}[\d])[a-z]{{0,4}} ?\d[\d ./a-z-]{{5,20}})"
)
_PHONE = re.compile(rf"(?:{alternatives('labels', 'phone')})[\s.:#no()]{{0,6}}(?P<value>\+?\(?\d[\d ()./-]{{5,18}}\d)")
_BARE_PHONE = re.compile(
    r"(?<![\d#-])(?P<value>\(?[2-9]\d{2}\)?\s?[-. ]\s?\d{3}\s?[-. ]\s?\d{4}|\(0\d{1,4}\)\s?\d{5,8}|0\d{1,3}[-/ ]\d{6,8}"
    r"|\+\d{1,3}[ ()-]?[\d ()-]{7,14}\d)(?![\d-])"
)
_RECEIPT = re.compile(
    rf"\b(?:{alternatives('labels', 'receipt')})[-. ]?(?:(?:no|nr|num(?:ber|mer)?|id|n[°ºo]|c)\b[\s.:#]{{0,5}}|\s?[#:№][\s:#]{{0,4}})"
    r"(?P<value>[a-z]{0,6}[-/ ]?[\da-z]*\d[\da-z/-]*)"
)
_SURE = re.compile(r"(?:tax )?inv|rec|bill|rechn|beleg|bon|fact|fatt|fatu|paragon|racun|kvitt|doc|slip|check|chk")


@dataclass(frozen=True)
class Identifier:
    """A number as printed, and where: characters `start` to `end` of its piece's row."""

    row: HeaderRow
    start: int
    end: int
    confidence: float

    @property
    def text(self) -> str:
        return self.row.line.text[self.start : self.end]


def find_phone(rows: Sequence[HeaderRow]) -> Identifier | None:
    """The first labelled telephone number, else the first that is shaped like one in the upper half; a fax number is not one."""
    for row in rows:
        if (match := _PHONE.search(row.folded)) and _digits(match["value"]) in range(6, 16):
            return _identifier(row, match, 0.9)
    for row in rows[: max(12, len(rows) // 2)]:
        if "date" not in row.classes and (match := _BARE_PHONE.search(row.folded)) and "fax" not in row.folded[: match.start()]:
            return _identifier(row, match, 0.75)
    return None


def find_tax_id(rows: Sequence[HeaderRow]) -> Identifier | None:
    """The first number with a label of a tax or company register."""
    for row in rows:
        for match in _TAX.finditer(row.folded):
            if _digits(match["value"]) in range(7, 17) and not find_dates(match["value"]):
                return _identifier(row, match, 0.85)
    return None


def find_receipt_number(rows: Sequence[HeaderRow]) -> Identifier | None:
    """The number of this receipt, bill or invoice: the surest label first, then the order of print."""
    found = list(_receipt_numbers(rows))
    return max(found, key=lambda entry: entry[0])[1] if found else None


def _receipt_numbers(rows: Sequence[HeaderRow]) -> Iterator[tuple[float, Identifier]]:
    for row in rows:
        for match in _RECEIPT.finditer(row.folded):
            label = match.group()[: match.start("value") - match.start()]
            if find_dates(match["value"]) or _digits(match["value"]) < 2:
                continue
            sure = (
                2.0
                if re.match(r"(?:tax )?inv|rec|bill|rechn|beleg|bon|fact|fatt|fatu|paragon|racun|kvitt|doc|slip|check|chk", label)
                else 1.0
            )
            yield sure - 0.01 * row.index, _identifier(row, match, 0.8 if sure > 1 else 0.6)


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _identifier(row: HeaderRow, match: re.Match[str], confidence: float) -> Identifier:
    value = match["value"].rstrip(" -./(")
    start = row.start + match.start("value")
    lead = len(value) - len(value.lstrip(" "))
    return Identifier(row, start + lead, start + len(value), confidence)
