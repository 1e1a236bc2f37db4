"""Merchants beside slogans, in letterheads of companies, and on receipts that name nobody."""

import pytest

from extractor.readers.rules.header import read_header
from extractor.readers.rules.merchant_names import could_name
from extractor.validation.confidence import THRESHOLDS
from tests.transcripts import transcript

FOOT = ("05/03/2018 14:05", "Tea 2.00", "Coffee 3.50", "Subtotal 5.50", "Total 5.50", "Cash 10.00", "Change 4.50", "THANK YOU")


def merchant(*rows: str) -> str | None:
    return read_header([transcript(*rows, *FOOT)]).values.get("merchant_name")


def test_a_name_is_preferred_to_the_slogan_beside_it() -> None:
    """A sentence in large print is not the merchant; the row below it is."""
    assert merchant("VIELFALT.", "Lindner 100 Leipzig", "Strasse des 3. Mai 27", "04199 Leipzig") == "Lindner 100 Leipzig"


def test_a_chains_slogan_is_its_name() -> None:
    """A slogan that a chain is known by is filed as the chain, however much it looks like a name."""
    assert merchant("BETTER INGREDIENTS.", "BETTER PIZZA", "Neumarkt 29", "04198 Leipzig", "Papa John's") == "Papa John's"


def test_a_chain_is_recognised_beside_a_scrawled_logo() -> None:
    """Its name alone in print takes precedence over the logo with scrawls; a misread letter is corrected where a second mark agrees."""
    below = ("725 W Hawthorn Rd.", "Millbrook, NJ 08199")
    assert merchant("Applebee's Sax", "APPLEBEE'S", "NEIGHBORHOOD GRILL & BAR", *below) == "APPLEBEE'S"
    assert merchant("Pizza Mut Restaurant Sdn. Bhd.", "www.pizzahut.com.my", *below) == "Pizza Hut"
    assert merchant("Pizza Mut Restaurant Sdn. Bhd.", *below) == "Pizza Mut Restaurant Sdn. Bhd."
    assert merchant("Pizza Fun Centre Ltd", *below) == "Pizza Fun Centre Ltd"


def test_a_hopeless_candidate_is_no_merchant() -> None:
    """Where nothing is even a little like a name, none is given."""
    assert merchant("1 SC Loaded Fries 9.50", "8 2nd St", "CHECK #5886083-1") is None


@pytest.mark.parametrize("text", ["check #5886083-1", "guest satisfaction survey", "mode 2", "swiped", "tax invoice (abb)/receipt"])
def test_words_of_tills_and_numbers_name_nobody(text: str) -> None:
    """Numbers are no words, and neither surveys nor tills are somebody."""
    assert not could_name(text)


def test_a_company_is_better_than_a_street() -> None:
    """Where the likeliest row is a street, the company below it with its legal form is the merchant."""
    rows = ("Gran Via del Roure nº 512", "08099 Barcelona", "Caballito Restauracion S.L", "Telf: 935550104")
    assert merchant(*rows) == "Caballito Restauracion S.L"


def test_a_street_is_no_accepted_merchant() -> None:
    """A row that ends in a house number above a town with its postal code is a street, even in the top row."""

    def is_believed(*rows: str) -> bool:
        part = read_header([transcript(*rows, *FOOT)])
        return (part.evidence["merchant_name"].confidence or 0.0) > 0.5

    assert is_believed("Gelbe Lagune", "Lindenthaler Aue 3", "51499 Lindental")
    assert not is_believed("Lindenthaler Aue 3", "51499 Lindental")


def test_a_company_beside_a_chains_mark_may_operate_its_shop() -> None:
    """A name with its legal form is as sure as without the mark of a chain beside it; another name beside such a mark is doubtful."""
    below = ("18, JALAN KENARI 5/3", "81290 JOHOR BAHRU, JOHOR", "TEL: 07-386 7524", *FOOT)

    def confidence_of(name: str) -> float:
        return read_header([transcript(name, "How doers get more done", *below)]).evidence["merchant_name"].confidence or 0.0

    assert confidence_of("LUMEN HARDWARE SDN BHD") > THRESHOLDS["merchant_name"].backed > confidence_of("LUMEN HARDWARE PLACE")
