"""Rows in Cyrillic, Greek and Thai are distinguished from Latin ones, and read in their own script."""

from dataclasses import dataclass, field
from difflib import SequenceMatcher

import pytest
from PIL import Image, ImageDraw

from extractor.documents import Page
from extractor.ocr.engines.tesseract import LineRecogniser, RecognisedLine
from extractor.ocr.page_reader import PageReader
from extractor.ocr.scripts import SCRIPTS, Scripts, joined
from extractor.ocr.selection import build_page_reader
from extractor.ocr.transcript import Box, Fragment
from training.render import RenderOptions, render
from training.render.fonts import load_font

CYRILLIC, GREEK, THAI = SCRIPTS
BOX = Box(10, 10, 210, 40)


def reading(*words: tuple[str, float]) -> RecognisedLine:
    return RecognisedLine(words)


NO_LINE = RecognisedLine(())


def join(own: str, script: RecognisedLine, latin: RecognisedLine = NO_LINE, *, confidence: float = 0.8, greek: bool = False) -> str:
    return joined(Fragment(own, BOX, confidence), script, latin, GREEK if greek else CYRILLIC).text


def test_words_come_from_the_scripts_recogniser() -> None:
    """Text that an engine reads as Latin is replaced, with the recogniser's confidence."""
    found = joined(Fragment("05IA CyMA", BOX, 0.83), reading(("ОБЩА", 0.9), ("СУМА", 0.8)), reading(), CYRILLIC)
    assert (found.text, found.box) == ("ОБЩА СУМА", BOX)
    assert found.confidence == pytest.approx(0.85)


def test_numbers_stay_the_engines() -> None:
    """The engine reads dates, times and amounts better than the script's model, also where the two split words differently."""
    assert join("796 01.09.2025 17:29:57 N", reading(("796", 0.9), ("01.09.2005", 0.9), ("17:29:67", 0.9), ("Н", 0.9))) == (
        "796 01.09.2025 17:29:57 N"
    )
    assert join("4AC:14:47:19", reading(("ЧАС:", 0.9), ("14:41:19", 0.9))) == "ЧАС: 14:47:19"
    assert join("AMUA L10 AKBWNOH", reading(("ЯЙЦА", 0.9), ("110", 0.4), ("АКВИЛОН", 0.9))) == "ЯЙЦА L10 АКВИЛОН"


def test_no_long_number_is_lost() -> None:
    """Where the recogniser finds no number like the engine's, the engine's row stays."""
    assert (
        join(
            "Aara: 10.06.2019",
            reading(
                ("Дата", 0.9),
            ),
        )
        == "Aara: 10.06.2019"
    )


def test_latin_words_stay_where_two_read_the_same() -> None:
    """A brand between Cyrillic words stays Latin if the Latin model reads it, too, with more confidence than the script's model."""
    script = reading(("МАЕЗТВО", 0.8), ("КАРТА", 0.6), ("БРОЙ", 0.9))
    assert join("MAESTRO KAPTA 6POÑ", script, reading(("MAESTRO", 0.95), ("KAPTA", 0.7)), confidence=0.93) == "MAESTRO КАРТА БРОЙ"


def test_a_row_with_one_latin_word_and_none_of_the_script_is_latin() -> None:
    """Words whose letters exist in both scripts follow the word whose letters do not."""
    latin = reading(("HELLENIC", 0.9), ("GRILL", 0.9))
    own = "KPK HELLENIC GRILL IKE"
    assert join(own, reading(("ΚΡΚ", 0.8), ("ΗΕΙΙΕΝΙΟ", 0.3), ("ΟΚΙΙΙ", 0.2), ("ΙΚΕ", 0.8)), latin, confidence=0.97, greek=True) == own


def test_a_row_that_the_engine_reads_much_surer_stays() -> None:
    """Where the two find different words, a name in Latin letters beside a few of the script is not replaced by a guess."""
    guess = reading(("บ", 0.5), ("1-ไ1", 0.5), ("หมู่อุนไหม", 0.6), ("2", 0.8))
    assert joined(Fragment("CP ALL,7-Eleven 2", BOX, 0.87), guess, reading(), THAI).text == "CP ALL,7-Eleven 2"
    assert joined(Fragment("lunnLi 2", BOX, 0.6), guess, reading(), THAI).text == "บ 1-ไ1 หมู่อุนไหม 2"


def test_look_alikes_become_the_scripts_letters_where_it_reads_badly() -> None:
    """A word that the engine is sure of, in letters that both scripts have, needs no recogniser."""
    assert join("BAPHA", reading(("ВАР^А", 0.1)), confidence=1.0) == "ВАРНА"


def test_marks_at_the_edges_are_those_that_the_engine_sees() -> None:
    """Models see quotes and dots in the edges of a row's image."""
    assert join("MAΓA3VH", reading(("„МАГАЗИН.", 0.7))) == "МАГАЗИН"
    assert join("(6POÑ)", reading(("БРОЙ", 0.9))) == "(БРОЙ)"


def test_greek_capitals_have_no_accents() -> None:
    """Accents over capitals are specks."""
    assert join("TAMEIO", reading(("ΤΑΜΕΊΟ", 0.9)), greek=True) == "ΤΑΜΕΙΟ"
    assert join("Kápta", reading(("Κάρτα", 0.9)), greek=True) == "Κάρτα"


@dataclass
class Silent:
    """A recogniser that reads nothing and records the languages that it was created for."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, language: str) -> "Silent":
        self.asked.append(language)
        return self

    def read(self, row: Image.Image) -> RecognisedLine:  # noqa: ARG002
        return RecognisedLine(())


def test_a_page_that_is_read_surely_costs_nothing() -> None:
    """Latin pages are recognised by the engine's confidence alone."""
    silent = Silent()
    page = [Fragment(text, BOX, 0.97) for text in ("ORANGE JUICE", "SUBTOTAL", "TOTAL")]
    assert Scripts(silent).language_of(Image.new("RGB", (300, 60), "white"), page) is None
    assert silent.asked == []


def test_a_page_that_no_script_reads_stays_latin() -> None:
    """Faint print has a low confidence with every model, and is not taken for another script."""
    silent = Silent()
    page = [Fragment(text, BOX, 0.6) for text in ("ORANGE JUICE", "SUBTOTAL", "TOTAL")]
    assert Scripts(silent).language_of(Image.new("RGB", (300, 60), "white"), page) is None
    assert silent.asked == [script.first for script in SCRIPTS]


def test_greek_is_told_by_letters_that_no_other_script_has() -> None:
    """Where the engine outputs sigmas, no recogniser is needed to detect the script."""
    silent = Silent()
    page = [Fragment(text, BOX, 0.99) for text in ("∑YNOΛO", "A∑", "ANOΔEIΞH")]
    assert Scripts(silent).language_of(Image.new("RGB", (300, 60), "white"), page) == "ell"
    assert silent.asked == []


class OneRow:
    """An engine that finds one row, which it cannot read."""

    name = "one-row"

    def read(self, image: Image.Image) -> list[Fragment]:  # noqa: ARG002
        return [Fragment("NNNEWKW AONEH", BOX, 0.7)]


def test_parts_of_a_page_are_read_in_the_pages_language() -> None:
    """A single row has too little text to detect its script; the script of the whole page applies."""
    image = Image.new("RGB", (300, 60), "white")
    silent = Silent()
    PageReader([OneRow()], Scripts(silent)).read(Page(image, language="bul"), crop=BOX)
    assert silent.asked == ["bul", "eng"]
    silent.asked.clear()
    PageReader([OneRow()], Scripts(silent)).read(Page(image), crop=BOX)
    assert silent.asked == []


@pytest.mark.parametrize(
    ("language", "font", "text"),
    [
        ("bul", "noto_sans", "ПИЛЕШКИ ДОЛЕН БУТ"),
        ("rus", "noto_sans", "СДАЧА НАЛИЧНЫМИ"),
        ("ukr", "noto_sans", "ГОТІВКА ЇЖА"),
        ("srp", "noto_sans", "УКУПАН ИЗНОС"),
        ("ell", "noto_sans", "ΜΕΡΙΚΟ ΣΥΝΟΛΟ"),
        ("tha", "noto_thai", "ยอดรวม"),
        ("tha", "noto_thai", "ใบกำกับภาษี"),
        ("eng", "noto_sans", "TOTAL 12.50"),
    ],
)
def test_every_model_reads_its_language(language: str, font: str, text: str) -> None:
    """The models are complete, and are for the languages in their names."""
    image = Image.new("RGB", (600, 60), "white")
    ImageDraw.Draw(image).text((10, 8), text, "black", load_font(font, 36))
    assert LineRecogniser(language).read(image).text == text


@pytest.mark.parametrize(
    ("country", "languages"), [("BG", {"bul", "rus"}), ("UA", {"ukr"}), ("GR", {"ell"}), ("TH", {"tha"}), ("DE", {None})]
)
def test_rendered_receipts_are_read_in_their_script(country: str, languages: set[str | None]) -> None:
    """Most items are read nearly without errors, and a German receipt is read as without the feature."""
    receipt = render("i2", RenderOptions(country=country, kind="grocery", image_type="clean"))
    page, transcript = build_page_reader(threads=1).read(Page(receipt.image))
    assert page.language in languages
    items = [item["description"] for item in receipt.truth["line_items"] if item["kind"] == "item"]
    read = [fragment.text for fragment in transcript.fragments]
    assert len(items) >= 3
    assert sum(max(SequenceMatcher(None, item, text).ratio() for text in read) > 0.8 for item in items) >= 0.6 * len(items)
