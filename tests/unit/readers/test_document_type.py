"""What kind of document a page shows, and that a picture of something else is no receipt."""

import pytest

from extractor.readers.rules.header import document_type_of, read_header
from extractor.readers.rules.segments import find_segments
from extractor.schemas.answer import DocumentType
from tests.transcripts import transcript

BOOK = (
    "It was a bright cold day in the north and all the bells were",
    "striking at once when the old ferryman put down his oars and",
    "looked back at the village which had been his home for more",
    "than forty years. In 1984 he had bought the boat for 12 crowns",
    "from a widow who wanted nothing more to do with the water and",
    "had never once regretted it, not even in the winter of 1999.",
)


@pytest.mark.parametrize("rows", [(), ("NO ENTRY",), ("Welcome to the Blue Lake", "1,234 m"), BOOK])
def test_other_pictures_are_no_receipts(rows: tuple[str, ...]) -> None:
    """A landscape, a sign and a page of a book are not receipts, and nothing is invented for them."""
    assert read_header([transcript(*rows)]).values == {"document_type": "not_a_receipt"}


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (DocumentType.RECEIPT, ("CORNER SHOP", "05/03/2018", "Tea 2.00", "Total 2.00", "Cash 5.00", "Change 3.00")),
        (
            DocumentType.CARD_SLIP,
            (
                "CORNER SHOP",
                "TERMINAL ID: 6992",
                "MERCHANT ID: 88809",
                "AID: A0000000031010",
                "SALE 32.00",
                "AUTH CODE: 020570",
                "CUSTOMER COPY",
            ),
        ),
        (DocumentType.FUEL, ("FUEL STOP", "Pump 06", "Gallons 11.402", "Price/Gal 2.699", "Fuel sale 30.77", "Total 30.77")),
        (DocumentType.REFUND, ("CORNER SHOP", "05/03/2018", "*** REFUND ***", "Fries -3.19", "Total -3.19", "Visa -3.19")),
        (
            DocumentType.INVOICE,
            ("CORNER SHOP", "Invoice 17", "Bill to: A. Miller", "Due date 01/04/2018", "Payment terms 30 days", "Total 320.00"),
        ),
        (
            DocumentType.HOTEL,
            ("HILL HOTEL", "Folio 17", "Room No 12", "Arrival 01/03/2018", "Departure 03/03/2018", "2 nights 240.00", "Total 240.00"),
        ),
        (DocumentType.PARKING, ("CITY CAR PARK", "Parking fee 4.00", "05/03/2018 14:05", "Total 4.00")),
    ],
)
def test_document_types_are_recognised(kind: DocumentType, rows: tuple[str, ...]) -> None:
    """The words of a document determine its type."""
    page = [transcript(*rows)]
    assert document_type_of(page, find_segments(page))[0] is kind


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (DocumentType.INVOICE, ("Linde Design", "Rechnung Nr. 2024-17", "Leistungszeitraum: Mai 2024", "Zahlungsziel 14 Tage")),
        (DocumentType.INVOICE, ("Brightway Studio", "INVOICE 2024-017", "Payable within 30 days", "Sort code 00-00-00")),
        (DocumentType.RECEIPT, ("Alpine Cars", "RENTAL AGREEMENT 55123", "Fuel: full, Diesel", "Refuelling 2.10 per litre")),
    ],
)
def test_transfers_make_an_invoice_and_rented_cars_no_fuel(kind: DocumentType, rows: tuple[str, ...]) -> None:
    """A document that is paid by transfer is an invoice; one of a rented car that mentions fuel is no fuel receipt."""
    page = [transcript(*rows, "Total 535.50", "02/03/2024")]
    assert document_type_of(page, find_segments(page))[0] is kind


def test_a_faint_receipt_is_still_one() -> None:
    """A total and a date are enough."""
    page = [transcript("05/03/2018", "Total 2.00")]
    assert document_type_of(page, find_segments(page))[0] is DocumentType.RECEIPT


def test_a_refund_policy_is_no_refund() -> None:
    """A refund policy at the foot does not make a sale a refund."""
    page = [
        transcript(
            "CORNER SHOP", "05/03/2018", "Tea 2.00", "Total 2.00", "Refund amount is based on price", "after all coupons and discounts"
        )
    ]
    assert document_type_of(page, find_segments(page))[0] is DocumentType.RECEIPT
