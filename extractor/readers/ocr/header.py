"""Who sold: merchant, address, phone, tax number, receipt number, and the kind of document."""

from collections.abc import Sequence
from typing import Any

from extractor.ocr.interface import Box, Transcript
from extractor.readers.interface import Evidence
from extractor.readers.ocr.address import address_features, find_address, part_chances, start_chances
from extractor.readers.ocr.header_features import features
from extractor.readers.ocr.header_rows import HeaderRow, header_rows
from extractor.readers.ocr.identifiers import find_phone, find_receipt_number, find_tax_id
from extractor.readers.ocr.kind import kind_of
from extractor.readers.ocr.merchant import find_merchant, merchant_features
from extractor.readers.ocr.part import Part
from extractor.readers.ocr.spans import confidence_of, evidence_of
from schemas.answer import DocumentType


def read_header(transcripts: Sequence[Transcript]) -> Part:
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
        return Part(values, evidence)
    matrix = features(rows)
    seen = address_features(matrix, part_chances(rows, matrix))
    starts = start_chances(rows, seen)
    merchant = find_merchant(rows, merchant_features(matrix, starts))
    if merchant is not None:
        values["merchant_name"] = merchant.name
        evidence["merchant_name"] = _evidence_of(merchant.rows, merchant.name, merchant.confidence)
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
    return Part(values, evidence)


def _evidence_of(pieces: Sequence[HeaderRow], text: str, confidence: float) -> Evidence:
    """Evidence for pieces that follow each other on the page of the first; how surely they are the field, and how surely they were read."""
    page = pieces[0].page
    boxes = [piece.box for piece in pieces if piece.page == page]
    legible = sum(confidence_of(piece.line, piece.start, piece.end) for piece in pieces) / len(pieces)
    return Evidence(text, page, Box.around(boxes), round(confidence * legible, 4))
