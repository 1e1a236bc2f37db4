"""What kind of document the pages show; a picture without a sale on it is no receipt."""

import re
from collections.abc import Sequence

from extractor.ocr.interface import Transcript
from extractor.printed.amounts import find_amounts
from extractor.printed.dates import find_dates
from extractor.printed.months import fold
from extractor.readers.ocr.header_rows import HeaderRow
from extractor.readers.ocr.words import patterns
from schemas.answer import DocumentType

_GIVEN_BACK = re.compile(r"(?:total|amount|summe)\D{0,12}-\s?\d|refund(?:ed)? (?:total|amount)\W{0,4}\d|^\W*refund\W*$", re.MULTILINE)


def kind_of(transcripts: Sequence[Transcript], rows: Sequence[HeaderRow]) -> tuple[DocumentType, float]:
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


def _is_receipt(transcripts: Sequence[Transcript], rows: Sequence[HeaderRow], text: str) -> bool:
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
