"""Merchant and address from the head of a receipt, in the ways of different countries."""

from dataclasses import replace

import pytest

from extractor.ocr.transcript import Line, Transcript
from extractor.readers.rules.header import read_header
from extractor.readers.rules.merchant import find_host
from extractor.readers.rules.segments import find_segments
from extractor.validation.decision import TRUST
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
                "18, JALAN KENARI 5/3",
                "81290 JOHOR BAHRU, JOHOR",
                "TEL: 07-386 7524",
                "GST ID: 000181747712",
                "TAX INVOICE",
                "05/03/2018 14:05",
            ),
            "MAJU JAYA HARDWARE SDN BHD",
            "18, JALAN KENARI 5/3, 81290 JOHOR BAHRU, JOHOR",
        ),
        (
            ("Golden Lotus Grill", "2416 Harvest Dr", "Ashford, WI 53099", "(608) 555-0142", "Server: Anna", "03/05/2018 2:05 PM"),
            "Golden Lotus Grill",
            "2416 Harvest Dr, Ashford, WI 53099",
        ),
        (
            ("Blumenhaus Lindner", "Hauptstr. 12", "04199 Leipzig", "Tel.: 0341/224670", "St.-Nr. 231/123/04576", "05.03.2018 14:05"),
            "Blumenhaus Lindner",
            "Hauptstr. 12, 04199 Leipzig",
        ),
        (
            (
                "WELCOME TO",
                "OCEAN PEARL SEAFOOD",
                "210 Wattle Rd",
                "KILBRIDE VIC 3099",
                "Ph: 03 5550 1234",
                "ABN 53 004 085 616",
                "TAX INVOICE",
                "05/03/2018 14:05",
            ),
            "OCEAN PEARL SEAFOOD",
            "210 Wattle Rd, KILBRIDE VIC 3099",
        ),
    ],
)
def test_headings_of_different_countries(rows: tuple[str, ...], name: str, address: str) -> None:
    """The merchant is named without its registration number, the address ends where phone and numbers begin."""
    assert read(*rows) == (name, address)


def test_a_name_in_two_lines_is_joined() -> None:
    """A second line that only names the trade belongs to the name."""
    assert read("ILONA'S", "Restaurant", "2416 Harvest Dr", "Ashford, WI 53099", "(608) 555-0142")[0] == "ILONA'S Restaurant"


@pytest.mark.parametrize(
    "noise",
    ["THANK YOU FOR VISITING", "YOUR GUEST NUMBER IS", "Customer Copy", "TAX INVOICE", "GENERAL MANAGER: NORMAN", "本*水*木**本本**水"],
)
def test_rows_that_name_nobody_are_passed_over(noise: str) -> None:
    """Greetings, titles, staff and what OCR makes of rules above the name are not the merchant."""
    assert read(noise, "GOLDEN LOTUS GRILL", "2416 Harvest Dr", "Ashford, WI 53099", "(608) 555-0142")[0] == "GOLDEN LOTUS GRILL"


def test_a_slogan_or_host_identifies_a_chain_whose_logo_is_a_picture() -> None:
    """The chain is named with a confidence that needs a second reading to be accepted."""
    part = read_header([transcript("12", "2750 N HOLLY ROAD", "FRESNO, CA 93999", *FOOT, "Visit www.homedepot.com/survey")])
    assert part.values["merchant_name"] == "The Home Depot"
    confidence = part.evidence["merchant_name"].confidence
    assert confidence is not None
    assert TRUST["merchant_name"].backed < confidence < TRUST["merchant_name"].alone


def test_the_foot_names_whom_it_thanks_for() -> None:
    """Where the head is illegible, the name behind the thanks at the foot is the merchant."""
    assert read("42", "2750 N HOLLY ROAD", "05/03/2018 14:05", *FOOT, "THANK YOU FOR SHOPPING AT", "LINDNER & SONS")[0] == "LINDNER & SONS"


def test_evidence_points_at_the_rows() -> None:
    """Merchant and address come with the box around their rows, on their page, and a confidence."""
    part = read_header([transcript("GOLDEN LOTUS GRILL", "2416 Harvest Dr", "Ashford, WI 53099", "(608) 555-0142", *FOOT)])
    name, address = part.evidence["merchant_name"], part.evidence["merchant_address"]
    assert name.box is not None
    assert address.box is not None
    assert name.box.bottom <= address.box.top
    assert address.box.height > name.box.height
    assert all(seen.confidence is not None and 0 <= seen.confidence <= 1 for seen in (name, address))


def test_nothing_is_invented_without_a_heading() -> None:
    """A receipt that is cut off above its items has no merchant and no address."""
    assert read("Bread 2.00", "Milk 1.20") == (None, None)


def test_a_chain_misread_by_a_letter_has_its_own_name() -> None:
    """A chain's printed name with one misread letter is corrected to the chain's spelling."""
    assert read("RSSMANN", "Mein Drogeriemarkt", "05.03.2018 14:05 Kasse 02")[0] == "ROSSMANN"


def test_a_sentence_about_a_chain_is_not_its_name() -> None:
    """A sentence that identifies a chain is replaced by its name."""
    assert read("THANK YOU", "FOR CHOOSINGARCO", "05/03/2018 14:05")[0] == "ARCO"


@pytest.mark.parametrize("name", ["The Counter", "THE EXCHANGE", "The Bakery"])
def test_an_article_makes_a_name_of_a_word_of_tills(name: str) -> None:
    """A word that names nobody alone is a merchant's name behind an article."""
    assert read(name, "14 Linden Road", "Leeds LS1 4AB", "Flat white 3.80", "TOTAL 3.80", "02/03/2024 10:15")[0] == name


def test_labels_of_a_form_name_nobody() -> None:
    """A label without its value is not the name."""
    assert read("NAZIV LOKALA", "Adresa lokala", "Konoba Galeb", "Datum: 31.8.2021", "Vrijeme: 20:23")[0] == "Konoba Galeb"


@pytest.mark.parametrize(
    ("rows", "address"),
    [
        (("20500 Quarry Ave S", "Fairdale, MN 55499"), "20500 Quarry Ave S, Fairdale, MN 55499"),
        (("ul. Polna 12", "60-535 Warszawa"), "ul. Polna 12, 60-535 Warszawa"),
        (("14 rue de la Paix", "75002 Paris"), "14 rue de la Paix, 75002 Paris"),
        (("4222 W MEADOW AUE", "FRESNO, CA"), "4222 W MEADOW AVE, FRESNO, CA"),
        (("915 West 83rd Street", "New Y0rk，NY 10099"), "915 West 83rd Street, New York，NY 10099"),
        (("355 Kenanga Road #B2-17", "Meridian S'pore 238999"), "355 Kenanga Road #B2-17, Meridian S'pore 238999"),
        (("1240, rue Drummond", "Montreal, Quebec", "H3G1V7", "(514)286-6171"), "1240, rue Drummond, Montreal, Quebec, H3G1V7"),
        (("8 Kenanga Bouleuard", "#B2-155/156 Meridian City Tower 2"), "8 Kenanga Bouleuard, #B2-155/156 Meridian City Tower 2"),
    ],
)
def test_an_address_is_whole(rows: tuple[str, ...], address: str) -> None:
    """Street and town belong together, whatever the form of the house number and whichever letter is misread."""
    assert read("Golden Lotus Grill", *rows, "Tel: 608 555 0142", "03/05/2018 2:05 PM")[1] == address


def test_a_number_below_an_address_is_not_its_end() -> None:
    """A telephone without a label that follows the address is left out."""
    found = read("Golden Lotus Grill", "415 Willow St.", "New York, NY 10098", "727-2879", "03/05/2018 2:05 PM")
    assert found[1] == "415 Willow St., New York, NY 10098"


@pytest.mark.parametrize(
    ("rows", "address"),
    [
        (("LOT 9, JALAN PELANGI 31/2,", "28", "40390 SHAH ALAM, SELANGOR"), "LOT 9, JALAN PELANGI 31/2, 40390 SHAH ALAM, SELANGOR"),
        (("Regional Airport", "Denver, CO", "2071 Amber", "Tbl 36/2"), "Regional Airport, Denver, CO"),
        (("730 Orchard Ave East Haven CT", "04/15/17 19:38 No.42"), "730 Orchard Ave East Haven CT"),
        (("5129 West Ninth Street Aug 15, 2017", "Los Angeles, CA 90099"), "5129 West Ninth Street, Los Angeles, CA 90099"),
    ],
)
def test_an_address_is_free_of_what_stands_beside_it(rows: tuple[str, ...], address: str) -> None:
    """Stray marks between its rows, the name of who served, and dates are left out, and what follows a stray mark is not lost."""
    assert read("Golden Lotus", *rows, "03/05/2018 2:05 PM")[1] == address


def test_an_address_begins_with_its_street() -> None:
    """Neither the name of the restaurant nor a row that is repeated below it stands before the street."""
    jim = read("JIM BLOCK", "Jim Block Restaurant", "Dammtorstraße 29-32| 20354 Hamburg", "Tel.040 32 08 83 60")
    assert jim[1] == "Dammtorstraße 29-32, 20354 Hamburg"
    baru = read("Guardian Health Sdn Bhd", "Bandar Baru Cempaka", "No 27 Jalan Bandar Cempaka 8", "Bandar Baru Cempaka", "Tel:03-60952052")
    assert baru[1] == "No 27 Jalan Bandar Cempaka 8, Bandar Baru Cempaka"


def test_a_web_address_names_the_merchant_where_nothing_else_does() -> None:
    """Where no row can be a name, the host of the merchant's own web address is one; those of mail and networks are not."""
    rows = find_segments([transcript("www.facebook.com/x", "info@gmail.com", "www.block-house.de")])
    found = find_host(rows)
    assert found is not None
    assert found[1] == "Block House"


def test_a_misread_logo_beside_its_slogan_is_the_chain() -> None:
    """What OCR makes of a logo does not stand against the chain's slogan below it."""
    assert read("izOSS", "DRESS FOR LESS", "REDDING, CA", "Phone:707-555-1036", "05/03/2018 14:05")[0] == "ROSS"


def test_a_slogan_is_its_own_chains() -> None:
    """A correctly read slogan identifies its chain, even where it resembles another chain's."""
    assert read("Mein Drogeriemarkt", "05.03.2018 14:05 Kasse 02")[0] == "ROSSMANN"


def test_thanks_are_no_part_of_an_address() -> None:
    """An address ends where the greeting begins."""
    assert read("Golden Lotus Grill", "34 MEADOW STREET", "THANK YOU", "03/05/2018 2:05 PM")[1] == "34 MEADOW STREET"


def test_a_name_without_a_rival_is_surer_than_the_same_name_beside_another() -> None:
    """Confidence is the probability of a segment against that of all others."""
    below = ("14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    alone = read_header([transcript("Luna", *below)]).evidence["merchant_name"].confidence
    rivalled = read_header([transcript("Luna", "EAT STREET", *below)]).evidence["merchant_name"].confidence
    assert alone is not None
    assert rivalled is not None
    assert rivalled < alone
    assert alone >= TRUST["merchant_name"].backed


@pytest.mark.parametrize("noise", ["(Company No. 224917-W)", "Cashjer [K.SARAVANI]", "LINCOLN, NE #2043"])
def test_registrations_waiters_and_branches_name_nobody(noise: str) -> None:
    """Neither a company's number alone, nor who served, also misread, nor the town of a branch is the merchant."""
    assert read(noise, "PYT", "14 QUAY STREET", "05/03/2018 14:05", *FOOT)[0] == "PYT"


def test_a_place_above_its_trade_is_a_name() -> None:
    """A town alone names nobody; above `Restaurant` it is what the restaurant is called."""
    below = ("14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    assert read("Milano", *below)[0] != "Milano"
    assert read("Milano", "Restaurant", *below)[0] in {"Milano", "Milano Restaurant"}


def test_a_stain_beside_a_name_is_ignored() -> None:
    """How well a name was read counts by itself, not by what stands far off in the same row."""
    whole = transcript([(20, "x%"), (300, "HARBOUR FISH LTD")], "14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    stain, name = whole.lines[0].fragments
    stained = replace(whole, lines=(Line((replace(stain, confidence=0.2), name)), *whole.lines[1:]))
    assert read_header([stained]).values["merchant_name"] == "HARBOUR FISH LTD"


def with_confidence(rows: tuple[str, ...], *confidences: float) -> Transcript:
    """Return a page of these rows with the confidences of the first ones."""
    whole = transcript(*rows)
    lines = [
        Line(tuple(replace(fragment, confidence=confidence) for fragment in line.fragments))
        for line, confidence in zip(whole.lines, (*confidences, *[0.98] * len(rows)), strict=False)
    ]
    return replace(whole, lines=tuple(lines))


def test_a_misread_letter_is_repaired_by_the_same_name_in_surer_print() -> None:
    """`Marsh & Cone` above `Marsh Cope Ltd` becomes `Marsh & Cope` where the lower row has the higher confidence."""
    rows = ("Marsh & Cone", "Marsh Cope Ltd", "14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    assert "Cope" in str(read_header([with_confidence(rows, 0.91, 0.99)]).values["merchant_name"])
    assert "Cone" in str(read_header([with_confidence(rows, 0.99, 0.91)]).values["merchant_name"])
    other = ("Marsh & Cone", "March Copy Shop", *rows[2:])
    assert "Marsh" in str(read_header([with_confidence(other, 0.91, 0.99)]).values["merchant_name"])


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (("PIZZA E PASTA", "LA CANTINA", "Portlandweg 4", "53227 Bonn"), "PIZZA E PASTA LA CANTINA"),
        (("Cafe", "LA GROTTA", "Muenzgasse 5", "04107 Leipzig"), "Cafe LA GROTTA"),
    ],
)
def test_a_trade_alone_is_named_with_its_owner(rows: tuple[str, ...], name: str) -> None:
    """A trade names nobody; the segment beside it does."""
    assert read(*rows, "Total 12,00")[0] == name


def test_a_trade_without_an_owner_and_a_slogan_have_low_confidence() -> None:
    """Two readings would agree on `HOUSE` or a slogan as they are printed, and neither is a merchant."""
    for heading in ("STEAK & GRILL", "FRISCHE UND VIELFALT."):
        part = read_header([transcript(heading, "12 Main Street", "04107 Leipzig", *FOOT)])
        assert (part.evidence["merchant_name"].confidence or 0) < TRUST["merchant_name"].backed, heading


def test_letters_that_a_logo_hides_are_found_where_the_name_is_printed_again() -> None:
    """A picture for a C leaves `ineStar`; a stain before the same name in small print is no letter."""
    assert read("ineStar", "Leipzig CineStar", "Lindenstr. 17", "04198 Leipzig")[0] == "CineStar"
    assert read("Sturmvogel", "Lindenstr. 17", "04198 Leipzig", "oasturmvogel dankt")[0] == "Sturmvogel"


def test_a_numbered_branch_is_no_part_of_an_address() -> None:
    """`ΚΑΤΑΣΤΗΜΑ 147` and `Продавница 676` name a shop of the company, and no street."""
    greek = read("ΑΦΟΙ ΒΛΑΧΑΚΗΣ ΟΕ", "ΚΑΤΑΣΤΗΜΑ 147", "ΕΡΜΟΥ 62", "596 58 ΝΕΑ ΑΚΤΗ", "ΑΦΜ 099887766", "19/04/2022 11:27")
    assert greek[1] == "ΕΡΜΟΥ 62, 596 58 ΝΕΑ ΑΚΤΗ"
    serbian = read("ЛИПА ДОО", "Продавница 676", "Његошева 68, 21000 Нови Сад", "ПИБ 101228374", "02.04.2022. 20:18")
    assert serbian[1] == "Његошева 68, 21000 Нови Сад"


def test_a_greek_postal_code_ends_the_address() -> None:
    """`Τ.Κ. 584 60` on a row of its own belongs to the street above."""
    assert read("ΑΦΟΙ ΒΛΑΧΑΚΗΣ ΟΕ", "ΑΓΙΟΥ ΝΙΚΟΛΑΟΥ 43 - ΑΝΩ ΧΩΡΙΟ", "Τ.Κ. 602 97", "ΑΦΜ 099887766", "19/04/2022 11:27")[1] == (
        "ΑΓΙΟΥ ΝΙΚΟΛΑΟΥ 43 - ΑΝΩ ΧΩΡΙΟ, Τ.Κ. 602 97"
    )


@pytest.mark.parametrize(
    "row", ["КАСИЕР: МАРИЯ", "Продавец: Гузель", "ΤΑΜΕΙΟ: ΕΛΕΝΗ", "พนักงาน: นก", "БРОЈ РАЧУНА", "Пазете бележката", "ООО"]
)
def test_staff_forms_and_labels_of_other_scripts_name_nobody(row: str) -> None:
    """Who served, a label or a legal form alone is not the merchant, in whatever script."""
    merchant = read(row, "Млечен Рай", "ул. Роза 7, 4000 Пловдив", "14.03.2023 18:42")[0]
    assert merchant == "Млечен Рай"
