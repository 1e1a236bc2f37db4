"""Names and addresses as text: misreadings repaired, neighbouring text removed, words that name nobody recognised."""

import pytest

from extractor.readers.rules.address import clean_segment
from extractor.readers.rules.chains import find_brand
from extractor.readers.rules.merchant_names import clean_name, could_name
from extractor.readers.rules.segments import find_segments, mend_words
from tests.transcripts import transcript


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MAJU JAYA SDN BHD (867388-U)", "MAJU JAYA SDN BHD"),
        ("LINDNER 5DN BID 139386 X)", "LINDNER SDN BHD"),
        ("WELCOME TO LINDNER!", "LINDNER!"),
        ("* LINDNER * CH Galeria", "LINDNER"),
        ("KONOBA plusd.0.0. 01B 83938812619", "KONOBA plus d.o.o."),
        ("Corner Shop #103", "Corner Shop #103"),
        ("STORE 1320", "STORE 1320"),
        ("SHELL HILLWAY 01382 555110", "SHELL HILLWAY"),
        ("Lindner#159-0 Phone 608-555-4560", "Lindner#159-0"),
        ("Phone House 12", "Phone House 12"),
        ("LINDNER CASH & CARRY SBN 3HD 28-05", "LINDNER CASH & CARRY SDN BHD"),
    ],
)
def test_names_stand_alone(text: str, name: str) -> None:
    """Greetings, registration numbers and branches are cut off; legal forms are put right; numbers of shops stay."""
    assert clean_name(text) == name


@pytest.mark.parametrize(
    ("text", "mended"),
    [("Stella Gril1 0rlando", "Stella Grill Orlando"), ("SEAF00D", "SEAFOOD"), ("R1VER", "RIVER"), ("0ld 0'Brien", "Old O'Brien")],
)
def test_digits_in_words_become_letters(text: str, mended: str) -> None:
    """Digits that OCR read for letters inside a word are turned back."""
    assert mend_words(text) == mended


@pytest.mark.parametrize("text", ["Cafe1771", "Level1", "Studio54", "M1 CENTRE", "LOT10", "MP3 Shop", "7-Eleven", "81190 JOHOR"])
def test_numbers_stay_numbers(text: str) -> None:
    """A number at the end of a word, or on its own, is left alone."""
    assert mend_words(text) == text


@pytest.mark.parametrize("text", ["welcome to", "custoner receipt", "your guest num3er is", "dine in", "tax invoice"])
def test_words_of_every_receipt_name_nobody(text: str) -> None:
    """Greetings and titles are not names, also where a letter is misread."""
    assert not could_name(text)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("NO.71 JALAN KENARI 9/5 Tel:03-55501064", "NO.71 JALAN KENARI 9/5"),
        ("1 Ocean Drive (609)385-0101", "1 Ocean Drive"),
        ("Address: 12 Hill Road,", "12 Hill Road"),
        ("Hotel Street 12", "Hotel Street 12"),
        ("м. Київ, вул. Лісова, 7, Тел.: +380 29 537 46 02", "м. Київ, вул. Лісова, 7"),
        ("ΕΡΜΟΥ 62 ΠΑΤΡΑ ΤΗΛ. 2610 123456", "ΕΡΜΟΥ 62 ΠΑΤΡΑ"),
        ("ที่อยู่: 88/3 หมู่ 4 โทร. 035-412-776", "88/3 หมู่ 4"),
    ],
)
def test_addresses_stand_alone(text: str, piece: str) -> None:
    """Labels, telephone and fax are cut off an address; words that only begin like them are not."""
    assert clean_segment(text) == piece


def test_a_slogan_over_two_rows_identifies_the_chain() -> None:
    """A slogan counts where it is broken over two rows, or a few letters are misread."""
    for rows in (("How doers", "get more done"), ("DRESS F0R LES5", "SAN DIEGO, CA")):
        assert find_brand(find_segments([transcript(*rows)])) is not None


def test_marks_of_two_chains_identify_neither() -> None:
    """A receipt that speaks of two chains names neither."""
    assert find_brand(find_segments([transcript("www.costco.com", "www.kohls.com")])) is None


def test_thai_names_keep_the_marks_above_their_last_letter() -> None:
    """A vowel or tone mark at the end is no punctuation."""
    assert clean_name("ร้านมิตรดี -") == "ร้านมิตรดี"
