"""Who sold: merchant, address, phone, tax number, receipt number, and the kind of document."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from extractor.ocr.transcript import Box, Transcript
from extractor.parsing.amounts import find_amounts
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.months import fold
from extractor.readers.base import Evidence
from extractor.readers.rules.address import address_features, find_address, part_chances, start_chances
from extractor.readers.rules.field_values import FieldValues, confidence_of, evidence_of
from extractor.readers.rules.header_features import features
from extractor.readers.rules.lexicon import alternatives, patterns
from extractor.readers.rules.merchant import find_merchant, merchant_features
from extractor.readers.rules.segments import HeaderSegment, header_rows
from extractor.schemas.answer import DocumentType


def read_header(transcripts: Sequence[Transcript]) -> FieldValues:
    """Merchant, address, phone, tax number, receipt number and document type, as printed; fields that are not found are left out.

    Args:
        transcripts: One a page, in print order.
    Returns:
        `document_type` always; nothing else where the pages show no receipt.
    """
    rows = header_rows(transcripts)
    kind, confidence = kind_of(transcripts, rows)
    values: dict[str, Any] = {"document_type": kind.value}
    evidence = {"document_type": Evidence(kind.value, confidence=confidence)}
    if kind is DocumentType.NOT_A_RECEIPT:
        return FieldValues(values, evidence)
    matrix = features(rows)
    seen = address_features(matrix, part_chances(rows, matrix))
    starts = start_chances(rows, seen)
    merchant = find_merchant(rows, merchant_features(matrix, starts))
    if merchant is not None:
        values["merchant_name"] = merchant.name
        printed = " ".join(row.text for row in merchant.rows) if merchant.is_alias else merchant.name
        seen_merchant = _evidence_of(merchant.rows, printed, merchant.confidence)
        evidence["merchant_name"] = replace(seen_merchant, is_alias=merchant.is_alias)
    address = find_address(rows, seen, starts, merchant.rows if merchant else ())
    if address is not None:
        values["merchant_address"] = address.text
        evidence["merchant_address"] = _evidence_of(address.rows, address.text, address.confidence)
    finders = (("merchant_phone", find_phone), ("merchant_tax_id", find_tax_id), ("receipt_number", find_receipt_number))
    for name, find in finders:
        found = find(rows)
        if found is not None:
            values[name] = found.text
            evidence[name] = evidence_of(found.row.line, found.start, found.end, page=found.row.page, confidence=found.confidence)
    return FieldValues(values, evidence)


def _evidence_of(pieces: Sequence[HeaderSegment], text: str, confidence: float) -> Evidence:
    """Evidence for pieces that follow each other on the page of the first; how surely they are the field, and how surely they were read."""
    page = pieces[0].page
    boxes = [piece.box for piece in pieces if piece.page == page]
    legible = sum(confidence_of(piece.line, piece.start, piece.end) for piece in pieces) / len(pieces)
    return Evidence(text, page, Box.around(boxes), round(confidence * legible, 4))


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

    row: HeaderSegment
    start: int
    end: int
    confidence: float

    @property
    def text(self) -> str:
        return self.row.line.text[self.start : self.end]


def find_phone(rows: Sequence[HeaderSegment]) -> Identifier | None:
    """The first labelled telephone number, else the first that is shaped like one in the upper half; a fax number is not one."""
    for row in rows:
        if (match := _PHONE.search(row.folded)) and _digits(match["value"]) in range(6, 16):
            return _identifier(row, match, 0.9)
    for row in rows[: max(12, len(rows) // 2)]:
        if "date" not in row.classes and (match := _BARE_PHONE.search(row.folded)) and "fax" not in row.folded[: match.start()]:
            return _identifier(row, match, 0.75)
    return None


def find_tax_id(rows: Sequence[HeaderSegment]) -> Identifier | None:
    """The first number with a label of a tax or company register."""
    for row in rows:
        for match in _TAX.finditer(row.folded):
            if _digits(match["value"]) in range(7, 17) and not find_dates(match["value"]):
                return _identifier(row, match, 0.85)
    return None


def find_receipt_number(rows: Sequence[HeaderSegment]) -> Identifier | None:
    """The number of this receipt, bill or invoice: the surest label first, then the order of print."""
    found = list(_receipt_numbers(rows))
    return max(found, key=lambda entry: entry[0])[1] if found else None


def _receipt_numbers(rows: Sequence[HeaderSegment]) -> Iterator[tuple[float, Identifier]]:
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


def _identifier(row: HeaderSegment, match: re.Match[str], confidence: float) -> Identifier:
    value = match["value"].rstrip(" -./(")
    start = row.start + match.start("value")
    lead = len(value) - len(value.lstrip(" "))
    return Identifier(row, start + lead, start + len(value), confidence)


_GIVEN_BACK = re.compile(r"(?:total|amount|summe)\D{0,12}-\s?\d|refund(?:ed)? (?:total|amount)\W{0,4}\d|^\W*refund\W*$", re.MULTILINE)


def kind_of(transcripts: Sequence[Transcript], rows: Sequence[HeaderSegment]) -> tuple[DocumentType, float]:
    """The kind of document with the probability that it is right."""
    text = fold("\n".join(transcript.text for transcript in transcripts))
    if not _is_receipt(transcripts, rows, text):
        return DocumentType.NOT_A_RECEIPT, 0.8
    words = {name: len(set(pattern.findall(text))) for name, pattern in patterns("kinds").items()}
    kinds = (
        (DocumentType.REFUND, words["refund"] > 0 and bool(_GIVEN_BACK.search(text))),
        (DocumentType.HOTEL, words["hotel"] >= 3),
        (DocumentType.FUEL, words["fuel"] >= 2),
        (DocumentType.PARKING, words["parking"] > 0 and len(rows) < 40),
        (DocumentType.INVOICE, words["invoice"] >= 2),
        (DocumentType.CARD_SLIP, words["slip"] >= 3 and _prices(transcripts) <= 3),
    )
    return next(((kind, 0.8) for kind, applies in kinds if applies), (DocumentType.RECEIPT, 0.9))


def _prices(transcripts: Sequence[Transcript]) -> int:
    return sum(any(amount.decimals == 2 for amount in find_amounts(line.text)) for transcript in transcripts for line in transcript.lines)


def _is_receipt(transcripts: Sequence[Transcript], rows: Sequence[HeaderSegment], text: str) -> bool:
    """Whether money, and either a word of tills or a date, is printed; prose with an odd number is no receipt."""
    amounts = sum(
        any(amount.is_money_like for amount in find_amounts(line.text)) for transcript in transcripts for line in transcript.lines
    )
    words = len(set(patterns("kinds")["sale"].findall(text)))
    has_date = any(find_dates(row.text) for row in rows)
    score = min(amounts, 4) + 2 * min(words, 3) + 2 * has_date
    long_rows = sum(row.letters > 45 for row in rows)
    needed = 4 if len(rows) < 10 else 3  # a long list with a price and a till's word is a receipt that lost its foot
    return score >= needed and (amounts > 0 or words >= 3) and not (long_rows > len(rows) / 2 and words <= 2)
