"""Merchant and address from the head of a receipt, in the ways of different countries."""

import pytest

from extractor.readers.ocr.header import read_header
from tests.transcripts import transcript

FOOT = ("Tea 2.00", "Coffee 3.50", "Subtotal 5.50", "Total 5.50", "Cash 10.00", "Change 4.50", "THANK YOU")


def read(*rows: str) -> tuple[str | None, str | None]:
    values = read_header([transcript(*rows, *FOOT)]).values
    return values.get("merchant_name"), values.get("merchant_address")


@pytest.mark.parametrize(
    ("rows", "name", "address"),
    [
        (
            (
                "MAJU JAYA HARDWARE SDN BHD",
                "(867388-U)",
                "12, JALAN TAMPOI 7/4",
                "81200 JOHOR BAHRU, JOHOR",
                "TEL: 07-386 7524",
                "GST ID: 000181747712",
                "TAX INVOICE",
                "05/03/2018 14:05",
            ),
            "MAJU JAYA HARDWARE SDN BHD",
            "12, JALAN TAMPOI 7/4, 81200 JOHOR BAHRU, JOHOR",
        ),
        (
            ("Golden Lotus Grill", "1805 Linden Dr", "Madison, WI 53706", "(608) 555-0142", "Server: Anna", "03/05/2018 2:05 PM"),
            "Golden Lotus Grill",
            "1805 Linden Dr, Madison, WI 53706",
        ),
        (
            ("Blumenhaus Lindner", "Hauptstr. 12", "04103 Leipzig", "Tel.: 0341/224670", "St.-Nr. 231/123/04576", "05.03.2018 14:05"),
            "Blumenhaus Lindner",
            "Hauptstr. 12, 04103 Leipzig",
        ),
        (
            (
                "WELCOME TO",
                "OCEAN PEARL SEAFOOD",
                "100 Bulla Rd",
                "STRATHMORE VIC 3041",
                "Ph: 03 9374 3640",
                "ABN 53 004 085 616",
                "TAX INVOICE",
                "05/03/2018 14:05",
            ),
            "OCEAN PEARL SEAFOOD",
            "100 Bulla Rd, STRATHMORE VIC 3041",
        ),
    ],
)
def test_headings_of_different_countries(rows: tuple[str, ...], name: str, address: str) -> None:
    """The merchant is named without its registration number, the address ends where phone and numbers begin."""
    assert read(*rows) == (name, address)


def test_a_name_in_two_lines_is_joined() -> None:
    """A second line that only names the trade belongs to the name."""
    assert read("ILONA'S", "Restaurant", "1805 Linden Dr", "Madison, WI 53706", "(608) 555-0142")[0] == "ILONA'S Restaurant"


@pytest.mark.parametrize(
    "noise",
    ["THANK YOU FOR VISITING", "YOUR GUEST NUMBER IS", "Customer Copy", "TAX INVOICE", "GENERAL MANAGER: NORMAN", "本*水*木**本本**水"],
)
def test_rows_that_name_nobody_are_passed_over(noise: str) -> None:
    """Greetings, titles, staff and what OCR makes of rules above the name are not the merchant."""
    assert read(noise, "GOLDEN LOTUS GRILL", "1805 Linden Dr", "Madison, WI 53706", "(608) 555-0142")[0] == "GOLDEN LOTUS GRILL"


def test_a_logo_is_known_by_what_is_printed_elsewhere() -> None:
    """Where the name is a picture, a chain's slogan or host gives it, with less confidence."""
    part = read_header([transcript("12", "1890 N DAVIS ROAD", "SALINAS, CA 93907", *FOOT, "Visit www.homedepot.com/survey")])
    assert part.values["merchant_name"] == "The Home Depot"
    confidence = part.evidence["merchant_name"].confidence
    assert confidence is not None
    assert confidence < 0.8


def test_the_foot_names_whom_it_thanks_for() -> None:
    """Where the head is illegible, the name after the thanks at the foot is taken."""
    assert read("42", "1890 N DAVIS ROAD", "05/03/2018 14:05", *FOOT, "THANK YOU FOR SHOPPING AT", "LINDNER & SONS")[0] == "LINDNER & SONS"


def test_evidence_points_at_the_rows() -> None:
    """Merchant and address come with the box around their rows, on their page, and a confidence."""
    part = read_header([transcript("GOLDEN LOTUS GRILL", "1805 Linden Dr", "Madison, WI 53706", "(608) 555-0142", *FOOT)])
    name, address = part.evidence["merchant_name"], part.evidence["merchant_address"]
    assert name.box is not None
    assert address.box is not None
    assert name.box.bottom <= address.box.top
    assert address.box.height > name.box.height
    assert all(seen.confidence is not None and 0 <= seen.confidence <= 1 for seen in (name, address))


def test_nothing_is_invented_without_a_heading() -> None:
    """A receipt that is cut off above its items has no merchant and no address."""
    assert read("Bread 2.00", "Milk 1.20") == (None, None)
