"""Merchant and address from the head of a receipt, in the ways of different countries."""

from dataclasses import replace

import pytest

from extractor.ocr.transcript import Line, Transcript
from extractor.readers.rules.header import read_header
from extractor.readers.rules.merchant_marks import find_host
from extractor.readers.rules.segments import header_rows
from extractor.validation.confidence import THRESHOLDS
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
    """Where the name is a picture, a chain's slogan or host gives it, which needs a second look to be believed."""
    part = read_header([transcript("12", "1890 N DAVIS ROAD", "SALINAS, CA 93907", *FOOT, "Visit www.homedepot.com/survey")])
    assert part.values["merchant_name"] == "The Home Depot"
    confidence = part.evidence["merchant_name"].confidence
    assert confidence is not None
    assert THRESHOLDS["merchant_name"].backed < confidence < THRESHOLDS["merchant_name"].alone


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


def test_a_chain_misread_by_a_letter_has_its_own_name() -> None:
    """A chain's name in print with one letter wrong is filed as the chain writes it."""
    assert read("RSSMANN", "Mein Drogeriemarkt", "05.03.2018 14:05 Kasse 02")[0] == "ROSSMANN"


def test_a_sentence_about_a_chain_is_not_its_name() -> None:
    """Of a sentence that gives a chain away only the chain's name is filed."""
    assert read("THANK YOU", "FOR CHOOSINGARCO", "05/03/2018 14:05")[0] == "ARCO"


def test_labels_of_a_form_name_nobody() -> None:
    """A row that only says what should stand there is not taken for the name."""
    assert read("NAZIV LOKALA", "Adresa lokala", "Konoba Galeb", "Datum: 31.8.2021", "Vrijeme: 20:23")[0] == "Konoba Galeb"


@pytest.mark.parametrize(
    ("rows", "address"),
    [
        (("10700 France Ave S", "Bloomington, MN 55431"), "10700 France Ave S, Bloomington, MN 55431"),
        (("ul. Polna 12", "60-535 Warszawa"), "ul. Polna 12, 60-535 Warszawa"),
        (("14 rue de la Paix", "75002 Paris"), "14 rue de la Paix, 75002 Paris"),
        (("3111 W TEMPLE AUE", "POMONA, CA"), "3111 W TEMPLE AVE, POMONA, CA"),
        (("536 West 46th Street", "New Y0rk，NY 10036"), "536 West 46th Street, New York，NY 10036"),
        (("290 Orchard Road #B1-41", "Paragon S'pore 238859"), "290 Orchard Road #B1-41, Paragon S'pore 238859"),
        (("1240, rue Drummond", "Montreal, Quebec", "H3G1V7", "(514)286-6171"), "1240, rue Drummond, Montreal, Quebec, H3G1V7"),
        (("3 Tenasek Bouleuard", "#B1-173/174 Suntec City Tower 3"), "3 Tenasek Bouleuard, #B1-173/174 Suntec City Tower 3"),
    ],
)
def test_an_address_is_whole(rows: tuple[str, ...], address: str) -> None:
    """Street and town belong together, whatever the house number looks like and whichever letter small print spoils."""
    assert read("Golden Lotus Grill", *rows, "Tel: 608 555 0142", "03/05/2018 2:05 PM")[1] == address


def test_a_number_below_an_address_is_not_its_end() -> None:
    """A telephone without a label that follows the address is left out."""
    found = read("Golden Lotus Grill", "280 Bleecker St.", "New York, NY 10014", "727-2879", "03/05/2018 2:05 PM")
    assert found[1] == "280 Bleecker St., New York, NY 10014"


@pytest.mark.parametrize(
    ("rows", "address"),
    [
        (("LOT 3, JALAN PELABUR 23/1,", "28", "40300 SHAH ALAM, SELANGOR"), "LOT 3, JALAN PELABUR 23/1, 40300 SHAH ALAM, SELANGOR"),
        (("International Airport", "Atlanta, GA", "1062 Crystal", "Tbl 48/1"), "International Airport, Atlanta, GA"),
        (("400 Derby Ave West Haven CT", "04/15/17 19:38 No.42"), "400 Derby Ave West Haven CT"),
        (("8718 West Third Street Aug 15, 2017", "Los Angeles, CA 90048"), "8718 West Third Street, Los Angeles, CA 90048"),
    ],
)
def test_an_address_is_free_of_what_stands_beside_it(rows: tuple[str, ...], address: str) -> None:
    """Stray marks between its rows, the name of who served, and dates are left out, and what follows a stray mark is not lost."""
    assert read("Golden Lotus", *rows, "03/05/2018 2:05 PM")[1] == address


def test_an_address_begins_with_its_street() -> None:
    """Neither the name of the restaurant nor a row that is said again below it stands before the street."""
    jim = read("JIM BLOCK", "Jim Block Restaurant", "Dammtorstraße 29-32| 20354 Hamburg", "Tel.040 32 08 83 60")
    assert jim[1] == "Dammtorstraße 29-32, 20354 Hamburg"
    baru = read("Guardian Health Sdn Bhd", "Bandar Baru Rawang", "No 15 Jalan Bandar Rawang 10", "Bandar Baru Rawang", "Tel:03-60952052")
    assert baru[1] == "No 15 Jalan Bandar Rawang 10, Bandar Baru Rawang"


def test_a_web_address_names_the_merchant_where_nothing_else_does() -> None:
    """Where no row can be a name, the host of the merchant's own web address is one; those of mail and networks are not."""
    rows = header_rows([transcript("www.facebook.com/x", "info@gmail.com", "www.block-house.de")])
    found = find_host(rows)
    assert found is not None
    assert found[1] == "Block House"


def test_a_misread_logo_beside_its_slogan_is_the_chain() -> None:
    """What OCR makes of a logo does not stand against the chain's slogan below it."""
    assert read("izOSS", "DRESS FOR LESS", "EUREKA, CA", "Phone:707-555-1036", "05/03/2018 14:05")[0] == "ROSS"


def test_a_slogan_is_its_own_chains() -> None:
    """A slogan that is spelled right gives its chain away, also where it is like another chain's."""
    assert read("Mein Drogeriemarkt", "05.03.2018 14:05 Kasse 02")[0] == "ROSSMANN"


def test_thanks_are_no_part_of_an_address() -> None:
    """An address ends where the greeting begins."""
    assert read("Golden Lotus Grill", "21 PARKFIELD STREET", "THANK YOU", "03/05/2018 2:05 PM")[1] == "21 PARKFIELD STREET"


def test_a_name_without_a_rival_is_surer_than_the_same_name_beside_another() -> None:
    """One piece of a receipt names its merchant: how likely it is a name counts against the likelihood of all others."""
    below = ("14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    alone = read_header([transcript("Luna", *below)]).evidence["merchant_name"].confidence
    rivalled = read_header([transcript("Luna", "EAT STREET", *below)]).evidence["merchant_name"].confidence
    assert alone is not None
    assert rivalled is not None
    assert rivalled < alone
    assert alone >= THRESHOLDS["merchant_name"].backed


@pytest.mark.parametrize("noise", ["(Company No. 113825-W)", "Cashjer [P.NISANTHI]", "OMAHA, NE #1012"])
def test_registrations_waiters_and_branches_name_nobody(noise: str) -> None:
    """Neither a company's number alone, nor who served, also misread, nor the town of a branch is the merchant."""
    assert read(noise, "PYT", "14 QUAY STREET", "05/03/2018 14:05", *FOOT)[0] == "PYT"


def test_a_place_above_its_trade_is_a_name() -> None:
    """A town alone names nobody; above `Restaurant` it is what the restaurant is called."""
    below = ("14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    assert read("Milano", *below)[0] != "Milano"
    assert read("Milano", "Restaurant", *below)[0] in {"Milano", "Milano Restaurant"}


def test_a_stain_beside_a_name_does_not_take_it_away() -> None:
    """How well a name was read counts by itself, not by what stands far off in the same row."""
    whole = transcript([(20, "x%"), (300, "HARBOUR FISH LTD")], "14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    stain, name = whole.lines[0].fragments
    stained = replace(whole, lines=(Line((replace(stain, confidence=0.2), name)), *whole.lines[1:]))
    assert read_header([stained]).values["merchant_name"] == "HARBOUR FISH LTD"


def surely(rows: tuple[str, ...], *confidences: float) -> Transcript:
    """A page of these rows, the first ones read as surely as this."""
    whole = transcript(*rows)
    lines = [
        Line(tuple(replace(fragment, confidence=confidence) for fragment in line.fragments))
        for line, confidence in zip(whole.lines, (*confidences, *[0.98] * len(rows)), strict=False)
    ]
    return replace(whole, lines=tuple(lines))


def test_a_letter_is_put_right_by_the_same_name_in_surer_print() -> None:
    """`Marsh & Cone` above `Marsh Cope Ltd` is `Marsh & Cope` if the lower row was read more surely, and stays if not."""
    rows = ("Marsh & Cone", "Marsh Cope Ltd", "14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", *FOOT)
    assert "Cope" in str(read_header([surely(rows, 0.91, 0.99)]).values["merchant_name"])
    assert "Cone" in str(read_header([surely(rows, 0.99, 0.91)]).values["merchant_name"])
    other = ("Marsh & Cone", "March Copy Shop", *rows[2:])
    assert "Marsh" in str(read_header([surely(other, 0.91, 0.99)]).values["merchant_name"])


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (("PIZZA E PASTA", "LA CANTINA", "Portlandweg 4", "53227 Bonn"), "PIZZA E PASTA LA CANTINA"),
        (("Cafe", "LA GROTTA", "Muenzgasse 5", "04107 Leipzig"), "Cafe LA GROTTA"),
    ],
)
def test_a_trade_alone_is_named_with_its_owner(rows: tuple[str, ...], name: str) -> None:
    """What is sold names nobody; the piece beside it does."""
    assert read(*rows, "Total 12,00")[0] == name


def test_a_trade_without_an_owner_and_a_slogan_are_not_believed() -> None:
    """Two looks would agree on `HOUSE` or `VIELFALT.` as they are printed; neither is a merchant."""
    for heading in ("STEAK & GRILL", "FRISCHE UND VIELFALT."):
        part = read_header([transcript(heading, "12 Main Street", "04107 Leipzig", *FOOT)])
        assert (part.evidence["merchant_name"].confidence or 0) < THRESHOLDS["merchant_name"].backed, heading


def test_letters_that_a_logo_hides_are_found_where_the_name_is_printed_again() -> None:
    """A picture for a C leaves `ineStar`; a stain before the same name in small print is no letter."""
    assert read("ineStar", "Leipzig CineStar", "Petersstr. 44", "04109 Leipzig")[0] == "CineStar"
    assert read("Guacamole", "Petersstr. 44", "04109 Leipzig", "oaguacamole dankt")[0] == "Guacamole"


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
