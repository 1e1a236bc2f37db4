"""The OCR reader asked again: a closer look is no evidence on fields that it did not find at their place."""

import json

from PIL import Image

from extractor.documents import Page
from extractor.ocr.transcript import Box, Transcript
from extractor.readers.base import Answer, Document, Issue, Look
from extractor.readers.prompts import FIRST, again
from extractor.readers.rules.ocr_reader import OcrReader
from tests.transcripts import transcript

BELOW = ("EAT STREET", "14 QUAY STREET", "BRISTOL BS1 4DJ", "05/03/2018 14:05", "Tea 2.00", "Total 2.00", "Cash 5.00", "Change 3.00")
FIRST_LOOK = transcript("HARBOUR FISH", *BELOW)


class Second:
    """A witness that sees this, wherever and however it looks."""

    name = "second"

    def __init__(self, sees: Transcript) -> None:
        self.sees = sees

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:  # noqa: ARG002
        return page, self.sees


def asked_again(sees: Transcript) -> dict[str, object]:
    """What the reader says when it is asked for the merchant again and its second engine sees this."""
    page = Page(Image.new("RGB", (FIRST_LOOK.width, FIRST_LOOK.height), "white"))
    question = again([Issue("merchant_name", "unconfirmed", "Look again.")], Look(effort=1))
    with OcrReader(Second(sees)).open([Document("a.jpg", (page,), (FIRST_LOOK,))]) as reading:
        reading.ask({0: FIRST})
        answer = reading.ask({0: question})[0]
    assert isinstance(answer, Answer), answer
    stated: dict[str, object] = json.loads(answer.text)
    return stated


def test_the_name_is_confirmed_at_its_place() -> None:
    """A second engine that reads the same name at the same place confirms it."""
    assert asked_again(transcript("HARBOUR FISH", *BELOW))["merchant_name"] == "HARBOUR FISH"


def test_a_name_that_is_missed_again_is_replaced_by_no_other_text() -> None:
    """A second engine that misses the name neither returns another row nor states that none is printed."""
    assert asked_again(Transcript((), FIRST_LOOK.width, FIRST_LOOK.height, "second")) == {"missing": []}
