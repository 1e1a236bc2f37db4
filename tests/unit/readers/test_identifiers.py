"""Phone, tax number and receipt number, distinguished from other numbers."""

import pytest

from extractor.readers.rules.header import find_phone, find_receipt_number, find_tax_id
from extractor.readers.rules.segments import find_segments
from tests.transcripts import transcript


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("TEL: 03-42601064", "03-42601064"),
        ("Tel.:089-55501234", "089-55501234"),
        ("(217) 555-0123", "(217) 555-0123"),
        ("Phone: 217-698-6438", "217-698-6438"),
        ("+31 20 4058632", "+31 20 4058632"),
        ("FAX: 03-42601065 TEL: 03-42601064", "03-42601064"),
    ],
)
def test_phones_are_found(row: str, wanted: str) -> None:
    """Labelled and plain telephone numbers are copied as printed; a fax number is not one."""
    found = find_phone(find_segments([transcript("SHOP", row, "Total 2.00")]))
    assert found is not None
    assert found.text == wanted


@pytest.mark.parametrize("row", ["05/03/2018 14:05", "1234 5678 9012 3456", "FAX: 03-42601065", "Total 1,234.50"])
def test_other_numbers_are_no_phones(row: str) -> None:
    """Dates, card numbers, fax numbers and amounts are not telephone numbers."""
    assert find_phone(find_segments([transcript("SHOP", row)])) is None


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("GST ID: 000181747712", "000181747712"),
        ("(GST Reg No. 001555666000)", "001555666000"),
        ("NIP 525-24-03-742", "525-24-03-742"),
        ("USt-IdNr. DE123456789", "DE123456789"),
        ("ABN 53 004 085 616", "53 004 085 616"),
        ("VAT Registration No. 123 4567 89", "123 4567 89"),
        ("OIB 83938812619", "83938812619"),
    ],
)
def test_tax_numbers_are_found(row: str, wanted: str) -> None:
    """Numbers with the label of a tax register are copied as printed."""
    found = find_tax_id(find_segments([transcript("SHOP", row, "Total 2.00")]))
    assert found is not None
    assert found.text == wanted


def test_a_tax_amount_is_no_tax_number() -> None:
    """A rate or an amount of tax is not the number of a register."""
    assert find_tax_id(find_segments([transcript("SHOP", "GST 6% 1.20", "VAT 20% 3.00")])) is None


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("VAT No GB12157897 VAT Rates A", "GB12157897"),
        ("VAT Reg No GB 121 5789 70 Table 4", "GB 121 5789 70"),
        ("UID ATU12345678", "ATU12345678"),
        ("GST Re8 No. 001555666000", "Re8 No. 001555666000"),
        ("Org.nr 987 654 321 MVA", "987 654 321 MVA"),
        ("USt-IdNr. DE123456789 Tel 0221 4710", "DE123456789"),
    ],
)
def test_a_tax_number_ends_before_the_next_word(row: str, wanted: str | None) -> None:
    """What is printed behind a tax number on its row is no part of it."""
    found = find_tax_id(find_segments([transcript("SHOP", row)]))
    assert (found.text if found else None) == wanted


def test_a_label_without_its_number_is_followed_by_no_number() -> None:
    """`Bill No: Table 20` leaves the number of the bill blank."""
    assert find_receipt_number(find_segments([transcript("SHOP", "Bill No: Table 20", "Total 2.00")])) is None


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("Invoice No.: CS0027418", "CS0027418"),
        ("Receipt #: 113355", "113355"),
        ("Rechnung Nr. 517", "517"),
        ("Bill No: V001-536988", "V001-536988"),
        ("Check: #23", "23"),
    ],
)
def test_receipt_numbers_are_found(row: str, wanted: str) -> None:
    """The number behind a label of the receipt is copied as printed."""
    found = find_receipt_number(find_segments([transcript("SHOP", row, "Total 2.00")]))
    assert found is not None
    assert found.text == wanted


def test_an_invoice_number_comes_before_an_order_number() -> None:
    """Where several numbers are printed, the receipt's own wins."""
    found = find_receipt_number(find_segments([transcript("SHOP", "Order #: 868604", "Invoice No: 77001")]))
    assert found is not None
    assert found.text == "77001"
