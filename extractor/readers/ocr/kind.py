"""What kind of document the pages show; a picture without a sale on it is no receipt."""

import re
from collections.abc import Sequence

from extractor.ocr.interface import Transcript
from extractor.printed.amounts import find_amounts
from extractor.printed.dates import find_dates
from extractor.printed.months import fold
from extractor.readers.ocr.header_rows import HeaderRow
from schemas.answer import DocumentType

_TOTAL = re.compile(
    r"total|summe|gesamt|\bsuma\b|celkem|ukupno|yhteensa|summa|\btoplam|összesen|osszesen|amount|montant|importe|betrag|zu zahlen|\bdue\b|balance|\bcash\b|change|\bbar\b|\bvisa\b|master|\bcard\b|\btax\b|\bvat\b|\bgst\b"
    r"|\bmwst|\bmoms|\btva\b|\biva\b|\bpdv\b|\bdph\b|\bptu\b|\bkdv\b|合计|合計|总计|小计|金额|σύνολο|συνολο|сума|итог|subtotal|invoice|receipt|rechnung|ticket|\brm\b|tunai|kembali"
)
_REFUND = re.compile(r"\brefund\b|credit note|\bstorno\b|gutschrift|retoure|rimborso|remboursement|devoluci|zwrot\b|\bretur(?:kvitto)?\b")
_SLIP = re.compile(
    r"\baid\b ?:|merchant (?:id|copy)|cardholder|\btvr\b|\bauth(?:orisation|orization)? ?(?:code|no)|terminal id|approv|kundenbeleg|\bpan\b|card ?no"
)
_FUEL = re.compile(
    r"\bpump\b|\bgallons?\b|price ?/ ?g|\bunleaded|\bdiesel\b|\blit(?:re|er)s?\b.*\d|zapfs|saule|super (?:e10|e5|plus)|\bfuel\b|benzin|\bron ?9[57]\b|petronas|tankstelle"
)
_HOTEL = re.compile(
    r"\broom (?:no|number|rate|charge)|\bfolio\b|\barrival\b|\bdeparture\b|anreise|abreise|\bnights?\b|ubernacht|check.?(?:in|out)\b|\bzimmer"
)
_PARKING = re.compile(
    r"\bparking (?:fee|ticket|time|duration)|parkschein|parkhaus|parkgebuhr|\bcar ?park\b|\bparkdauer|stationnement|parkering"
)
_INVOICE = re.compile(
    r"\bbill to\b|\bship to\b|due date|payment terms|\bpo number\b|rechnungsnummer.*|zahlbar (?:bis|innerhalb)|invoice date|remit|\biban\b.*\bbic\b"
)


def kind_of(transcripts: Sequence[Transcript], rows: Sequence[HeaderRow]) -> tuple[DocumentType, float]:
    """The kind of document with the probability that it is right."""
    text = fold("\n".join(transcript.text for transcript in transcripts))
    if not _is_receipt(transcripts, rows, text):
        return DocumentType.NOT_A_RECEIPT, 0.8
    kinds = (
        (
            DocumentType.REFUND,
            bool(_REFUND.search(text))
            and bool(re.search(r"(?:total|amount|summe)\D{0,12}-\s?\d|refund(?:ed)? (?:total|amount)|^\W*refund\W*$", text, re.MULTILINE)),
        ),
        (DocumentType.HOTEL, len(set(_HOTEL.findall(text))) >= 3),
        (DocumentType.FUEL, len(set(_FUEL.findall(text))) >= 2),
        (DocumentType.PARKING, bool(_PARKING.search(text)) and len(rows) < 40),
        (DocumentType.INVOICE, len(set(_INVOICE.findall(text))) >= 2),
        (DocumentType.CARD_SLIP, len(set(_SLIP.findall(text))) >= 3 and _prices(transcripts) <= 3),
    )
    return next(((kind, 0.8) for kind, applies in kinds if applies), (DocumentType.RECEIPT, 0.9))


def _prices(transcripts: Sequence[Transcript]) -> int:
    return sum(any(amount.decimals == 2 for amount in find_amounts(line.text)) for transcript in transcripts for line in transcript.lines)


def _is_receipt(transcripts: Sequence[Transcript], rows: Sequence[HeaderRow], text: str) -> bool:
    """Whether money, and either a word of tills or a date, is printed; prose with an odd number is no receipt."""
    amounts = sum(
        any(amount.is_money_like for amount in find_amounts(line.text)) for transcript in transcripts for line in transcript.lines
    )
    words = len(set(_TOTAL.findall(text)))
    has_date = any(find_dates(row.text) for row in rows)
    score = min(amounts, 4) + 2 * min(words, 3) + 2 * has_date
    long_rows = sum(row.letters > 45 for row in rows)
    return score >= 4 and (amounts > 0 or words >= 3) and not (long_rows > len(rows) / 2 and words <= 2)
