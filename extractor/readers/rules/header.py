"""The header: merchant, address, phone, tax number and receipt number, and the type of document."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from extractor.ocr.transcript import Box, Transcript
from extractor.parsing.amounts import find_amounts
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.months import fold
from extractor.parsing.vocabulary import telephone
from extractor.readers.base import Evidence
from extractor.readers.rules.address import address_features, find_address, part_chances, start_chances
from extractor.readers.rules.field_values import FieldValues, confidence_of, evidence_of
from extractor.readers.rules.header_features import segment_features
from extractor.readers.rules.merchant import find_merchant, merchant_features
from extractor.readers.rules.segments import HeaderSegment, alternatives, find_segments, patterns, words
from extractor.schemas.answer import DocumentType


def read_header(transcripts: Sequence[Transcript]) -> FieldValues:
    """Return merchant, address, phone, tax number, receipt number and document type as printed; fields that are not found are left out.

    Args:
        transcripts: One per page, in print order.
    Returns:
        Always `document_type`, and nothing else where the pages show no receipt.
    """
    segments = find_segments(transcripts)
    kind, confidence = document_type_of(transcripts, segments)
    values: dict[str, Any] = {"document_type": kind.value}
    evidence = {"document_type": Evidence(kind.value, confidence=confidence)}
    if kind is DocumentType.NOT_A_RECEIPT:
        return FieldValues(values, evidence)
    matrix = segment_features(segments)
    matrix_with_parts = address_features(matrix, part_chances(segments, matrix))
    starts = start_chances(segments, matrix_with_parts)
    merchant = find_merchant(segments, merchant_features(matrix, starts))
    if merchant is not None:
        values["merchant_name"] = merchant.name
        evidence["merchant_name"] = _evidence_of(merchant.segments, merchant.name, merchant.confidence)
    address = find_address(segments, matrix_with_parts, starts, merchant.segments if merchant else ())
    if address is not None:
        values["merchant_address"] = address.text
        evidence["merchant_address"] = _evidence_of(address.segments, address.text, address.confidence)
    finders = (("merchant_phone", find_phone), ("merchant_tax_id", find_tax_id), ("receipt_number", find_receipt_number))
    for name, find in finders:
        found = find(segments)
        if found is not None:
            values[name] = found.text
            evidence[name] = evidence_of(found.segment.line, found.start, found.end, page=found.segment.page, confidence=found.confidence)
    return FieldValues(values, evidence)


def _evidence_of(parts: Sequence[HeaderSegment], text: str, confidence: float) -> Evidence:
    """Return evidence on the page of the first segment; its confidence combines the choice of segments and their legibility."""
    page = parts[0].page
    boxes = [segment.box for segment in parts if segment.page == page]
    legible = sum(confidence_of(segment.line, segment.start, segment.end) for segment in parts) / len(parts)
    return Evidence(text, page, Box.around(boxes), round(confidence * legible, 4))


# A label of a tax or company register with its number.
_TAX_ID = re.compile(
    rf"(?:{alternatives('labels', 'tax_id')})[\s.:#()n°o-]{{0,8}}(?P<value>(?=[a-z ]{{0,4}}[\d])[a-z]{{0,4}} ?\d[\d ./a-z-]{{5,20}})"
)
# A label with its telephone number.
# Digits from which a number may be complete: a misread label has fewer.
_MIN_TAX_DIGITS = 5
# Words that belong to a tax number: Norway prints `123 456 789 MVA`, Switzerland `CHE-123.456.789 MWST`.
_TAX_ID_SUFFIXES = frozenset({"mva", "mwst", "tva", "iva"})
_PHONE = re.compile(rf"(?:{'|'.join(telephone('labels'))})[\s.:#no()]{{0,6}}(?P<value>\+?\(?\d[\d ()./-]{{5,18}}\d)")
# A telephone number without a label.
_BARE_PHONE = re.compile(rf"(?<![\d#-])(?P<value>{'|'.join(telephone('bare'))})(?![\d-])")
# A label of a receipt, a word for number, and the number.
_RECEIPT = re.compile(
    rf"\b(?:{alternatives('labels', 'receipt')})[-. ]?(?:(?:no|nr|num(?:ber|mer)?|id|n[°ºo]|c)\b[\s.:#]{{0,5}}|\s?[#:№][\s:#]{{0,4}})"
    r"(?P<value>[a-z]{0,6}[-/ ]?[\da-z]*\d[\da-z/-]*)"
)
# Labels that belong to this receipt rather than to an order or a transaction.
_SURE_LABEL = re.compile(r"(?:tax )?inv|rec|bill|rechn|beleg|bon|fact|fatt|fatu|paragon|racun|kvitt|doc|slip|check|chk")


@dataclass(frozen=True)
class Identifier:
    """A number as printed: characters `start` to `end` of the row of its segment."""

    segment: HeaderSegment
    start: int
    end: int
    confidence: float

    @property
    def text(self) -> str:
        return self.segment.line.text[self.start : self.end]


def find_phone(segments: Sequence[HeaderSegment]) -> Identifier | None:
    """Return the first labelled telephone number, else the first that is shaped like one in the upper half; a fax number is none."""
    for segment in segments:
        if (match := _PHONE.search(segment.folded)) and _count_digits(match["value"]) in range(6, 16):
            return _identifier(segment, match, 0.9)
    for segment in segments[: max(12, len(segments) // 2)]:
        if "date" not in segment.classes and (match := _BARE_PHONE.search(segment.folded)) and "fax" not in segment.folded[: match.start()]:
            return _identifier(segment, match, 0.75)
    return None


def find_tax_id(segments: Sequence[HeaderSegment]) -> Identifier | None:
    """Return the first number with a label of a tax or company register."""
    for segment in segments:
        for match in _TAX_ID.finditer(segment.folded):
            if _count_digits(match["value"]) in range(7, 17) and not find_dates(match["value"]):
                return _identifier(segment, match, 0.85, length=_tax_id_length(match["value"]))
    return None


def _tax_id_length(value: str) -> int:
    """Return the length of the number at the start of a text: behind its digits, a word without digits belongs to something else."""
    length = digits = 0
    for word in re.finditer(r"\S+", value):
        own = _count_digits(word.group())
        if digits >= _MIN_TAX_DIGITS and not own and word.group() not in _TAX_ID_SUFFIXES:
            break
        digits, length = digits + own, word.end()
    return length


def find_receipt_number(segments: Sequence[HeaderSegment]) -> Identifier | None:
    """Return the number of this receipt, bill or invoice: by the surest label, then by print order."""
    found = list(_receipt_numbers(segments))
    return max(found, key=lambda entry: entry[0])[1] if found else None


def _receipt_numbers(segments: Sequence[HeaderSegment]) -> Iterator[tuple[float, Identifier]]:
    for segment in segments:
        for match in _RECEIPT.finditer(segment.folded):
            label = match.group()[: match.start("value") - match.start()]
            # `Bill No: Table 20` leaves the number blank, and another label follows.
            lead = re.match(r"[a-z]+(?= )", match["value"])
            if find_dates(match["value"]) or _count_digits(match["value"]) < 2 or (lead and lead.group() in words("names", "nobody")):
                continue
            sure = 2.0 if _SURE_LABEL.match(label) else 1.0
            yield sure - 0.01 * segment.index, _identifier(segment, match, 0.8 if sure > 1 else 0.6)


def _count_digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _identifier(segment: HeaderSegment, match: re.Match[str], confidence: float, *, length: int | None = None) -> Identifier:
    value = match["value"][:length].rstrip(" -./(")
    start = segment.start + match.start("value")
    lead = len(value) - len(value.lstrip(" "))
    return Identifier(segment, start + lead, start + len(value), confidence)


# A total below zero, or a row that calls the amount a refund.
_NEGATIVE_TOTAL = re.compile(r"(?:total|amount|summe)\D{0,12}-\s?\d|refund(?:ed)? (?:total|amount)\W{0,4}\d|^\W*refund\W*$", re.MULTILINE)


def document_type_of(transcripts: Sequence[Transcript], segments: Sequence[HeaderSegment]) -> tuple[DocumentType, float]:
    """Return the type of document and the probability that it is right."""
    text = fold("\n".join(transcript.text for transcript in transcripts))
    if not _is_receipt(transcripts, segments, text):
        return DocumentType.NOT_A_RECEIPT, 0.8
    counts = {name: len(set(pattern.findall(text))) for name, pattern in patterns("kinds").items()}
    kinds = (
        (DocumentType.REFUND, counts["refund"] > 0 and bool(_NEGATIVE_TOTAL.search(text))),
        (DocumentType.HOTEL, counts["hotel"] >= 3),
        (DocumentType.FUEL, counts["fuel"] >= 2 and not counts["rental"]),
        (DocumentType.PARKING, counts["parking"] > 0 and len(segments) < 40),
        (DocumentType.INVOICE, counts["invoice"] >= 2),
        (DocumentType.CARD_SLIP, counts["slip"] >= 3 and _prices(transcripts) <= 3),
    )
    return next(((kind, 0.8) for kind, applies in kinds if applies), (DocumentType.RECEIPT, 0.9))


def _prices(transcripts: Sequence[Transcript]) -> int:
    return sum(any(amount.decimals == 2 for amount in find_amounts(line.text)) for transcript in transcripts for line in transcript.lines)


def _is_receipt(transcripts: Sequence[Transcript], segments: Sequence[HeaderSegment], text: str) -> bool:
    """Return whether money and either a word of tills or a date is printed; prose with a number in it is no receipt."""
    amounts = sum(
        any(amount.is_money_like for amount in find_amounts(line.text)) for transcript in transcripts for line in transcript.lines
    )
    till_words = len(set(patterns("kinds")["sale"].findall(text)))
    has_date = any(find_dates(segment.text) for segment in segments)
    score = min(amounts, 4) + 2 * min(till_words, 3) + 2 * has_date
    long_rows = sum(segment.letters > 45 for segment in segments)
    needed = 4 if len(segments) < 10 else 3  # a long list with a price and a word of tills is a receipt without its foot
    return score >= needed and (amounts > 0 or till_words >= 3) and not (long_rows > len(segments) / 2 and till_words <= 2)
