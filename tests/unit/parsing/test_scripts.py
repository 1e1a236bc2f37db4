"""One script a word: look-alikes that OCR gave of another script are put back, and nothing else is touched."""

import pytest

from extractor.parsing.lookalikes import unmixed


@pytest.mark.parametrize(
    ("seen", "printed"),
    [
        ("IOΦΩNT0∑ 33 & AΛKIMAX0Y 24", "ΙΟΦΩΝΤΟΣ 33 & ΑΛΚΙΜΑΧΟΥ 24"),
        ("OБЩA CУMA", "ОБЩА СУМА"),
        ("EИK 115", "ЕИК 115"),
        ("ПЪРЖ3НИ К0ФТЕТА", "ПЪРЖЗНИ КОФТЕТА"),
        ("VISА 12.00 лв", "VISA 12.00 лв"),
        ("1О.50 ЛВ", "10.50 ЛВ"),
        ("จ\u0e4d\u0e32นวน", "จำนวน"),
    ],
)
def test_a_word_is_in_one_script(seen: str, printed: str) -> None:
    """The letter that only one script has decides; digits stand for letters inside words, and letters for digits inside numbers."""
    assert unmixed(seen) == printed


@pytest.mark.parametrize("text", ["KPK HELLENIC GRILL IKE", "ПИТИЕ COCA COLA 0.5Л", "Π 5 OXO", "ДДС B 20.00%", "05IA CyMA", "∑ 12.00"])
def test_latin_words_stay(text: str) -> None:
    """Names in Latin letters beside Cyrillic or Greek ones stay, as does a row that only a bullet puts among the Greek ones."""
    assert unmixed(text) == text


def test_words_of_look_alikes_alone_follow_their_row() -> None:
    """`PECTO` is Latin where nothing speaks against it, and Cyrillic beside words that are."""
    assert unmixed("PECTO 5.30") == "PECTO 5.30"
    assert unmixed("PECTO В ЛЕВА 5.30") == "РЕСТО В ЛЕВА 5.30"
