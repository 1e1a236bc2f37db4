"""Addresses without what is printed around them, with what is printed apart from them."""

from collections.abc import Sequence

import pytest

from extractor.readers.rules.header import read_header
from tests.transcripts import transcript

FOOT = ("05/03/2018 14:05", "Tea 2.00", "Coffee 3.50", "Subtotal 5.50", "Total 5.50", "Cash 10.00", "Change 4.50", "THANK YOU")


def address(*rows: str | Sequence[tuple[float, str]]) -> str | None:
    return read_header([transcript(*rows, *FOOT)]).values.get("merchant_address")


@pytest.mark.parametrize(
    "below",
    [
        "koeln.hauptstrasse@lindner-blumen.example",
        "Montag - Samstag: 16:00 - 02:00 Uhr",
        "Öffnungszeiten Mo-Sa 08:00-22:00 Uhr",
        "Ust-IdNr. DE 288 270 772",
        "Steuernummer:DE 322/195/09801",
    ],
)
def test_an_address_ends_before_mail_hours_and_tax_numbers(below: str) -> None:
    """What follows the town is none of the address, though it has streets, numbers and places in it."""
    assert address("Blumenhaus Lindner", "Hauptstrasse 12", "04199 Leipzig", below) == "Hauptstrasse 12, 04199 Leipzig"
    if "Uhr" not in below:
        assert address("Blumenhaus Lindner", "Hauptstrasse 12", f"04199 Leipzig, {below}") == "Hauptstrasse 12, 04199 Leipzig"


@pytest.mark.parametrize(
    "row",
    ["Hotel Linde Berlin-Mitte · Invalidenstrasse 54 · 10557 Berlin", "Hotel Linde Berlin-Mitte | Invalidenstrasse 54| 10557 Berlin"],
)
def test_dots_and_bars_divide_name_street_and_town(row: str) -> None:
    """A row that holds all of a letterhead is its name, its street and its town."""
    values = read_header([transcript(row, "Rechnung", *FOOT)]).values
    assert values["merchant_name"] == "Hotel Linde Berlin-Mitte"
    assert values["merchant_address"] == "Invalidenstrasse 54, 10557 Berlin"


def test_a_dot_within_a_name_divides_nothing() -> None:
    """Only a dot with space beside it and a number behind it sets off parts: OCR makes one of a stain between two words too."""
    assert read_header([transcript("HARBOUR FISH | SEAFOOD", "14 QUAY STREET", *FOOT)]).values["merchant_name"] == "HARBOUR FISH"
    assert read_header([transcript("HARBOUR FISH·SDN BHD", "18, JALAN KENARI 5/3", *FOOT)]).values["merchant_name"].endswith("SDN BHD")


@pytest.mark.parametrize(
    ("rows", "whole"),
    [
        (("lindner", "Lindner Store Leipzig, Neumarkt 29, 04198 Leipzig"), "Neumarkt 29, 04198 Leipzig"),
        (("lindner", "Lindner Store Leipzig", "Neumarkt 29", "04198 Leipzig"), "Neumarkt 29, 04198 Leipzig"),
        (("Kino Spatz", "Neumarkt 29", "04198 Leipzig", "Kino Spatz"), "Neumarkt 29, 04198 Leipzig"),
        (("HARBOR GAS", "HARBOR GAS #68228", "772 CANYON RD", "SPRING HOLLOW, CA 91999"), "772 CANYON RD, SPRING HOLLOW, CA 91999"),
    ],
)
def test_the_merchants_name_is_no_part_of_its_address(rows: tuple[str, ...], whole: str) -> None:
    """Neither above the street, nor in its row, nor below the town."""
    assert address(*rows) == whole


def test_a_town_below_the_telephone_belongs_to_its_street() -> None:
    """Street, telephone, town: the address is street and town with its code."""
    assert address("Harbor Gas", "5120 CHESTNUT ST", "617-555-0141", "ASHBY PLAIN, MA", "02130") == (
        "5120 CHESTNUT ST, ASHBY PLAIN, MA, 02130"
    )
    assert address("Golden Lotus NY", "381 WILLOW STREET", "P 212 555 0199", "NEW YORK NEW YORK 10O12") == (
        "381 WILLOW STREET, NEW YORK NEW YORK 10O12"
    )


def test_a_slogan_in_the_towns_row_stands_aside() -> None:
    """Of two pieces of a row the one below the street with the code is the town."""
    heading = ([(40, "Drogerie Lindner")], [(40, "Grimmaische Strasse 14")], [(40, "04198 Leipzig"), (420, "IMMER GUT")])
    mirrored = ([(300, "Drogerie Lindner")], [(300, "Grimmaische Strasse 14")], [(20, "IMMER GUT"), (300, "04198 Leipzig")])
    assert address(*heading) == address(*mirrored) == "Grimmaische Strasse 14, 04198 Leipzig"


def test_a_bar_that_is_read_as_a_letter_is_a_comma() -> None:
    """`29-31 I 20099 Hamburg` is a street and a town, and ones within a word are its letters."""
    assert address("Haus Lindner", "Kirchenallee 49-51 I 20099 Hamburg") == "Kirchenallee 49-51, 20099 Hamburg"
    assert address("Golden Car Wash", "2468 Juniper Hwy", "Gre11vi11e, GA 30099") == "2468 Juniper Hwy, Grellville, GA 30099"


def test_words_of_orders_are_no_address() -> None:
    """Neither how something is shipped nor a customer's number is where the shop is."""
    for row in ("Shipping Method European Delivery", "Customer Name: C*** S**** P*13"):
        assert address("Lindner Ltd", row, "Invoice 4711") is None
