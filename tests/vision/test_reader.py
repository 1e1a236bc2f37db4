"""The vision reader as every reader: documents in, answers out, on a tiny model."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from PIL import Image

pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.documents import Page
from extractor.ocr.transcript import Box, Transcript
from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Answer, Document, Issue, Look, Question
from extractor.readers.vision.vision_reader import VisionReader
from extractor.schemas.record import ReasonKind
from tests.vision.conftest import picture

if TYPE_CHECKING:
    from extractor.readers.vision.mllama import MllamaEngine

pytestmark = pytest.mark.vision

MISSING = (Issue("total", ReasonKind.MISSING, "No total was found."),)
TOTAL = Question(fields=("currency", "total"), issues=MISSING)


@pytest.fixture
def reader(make_engine: Callable[..., "MllamaEngine"]) -> VisionReader:
    return VisionReader(make_engine(max_rows=4, max_tokens=300), model="tiny", max_tokens=300)


def receipt(width: int, height: int, seed: int, *, pages: int = 1) -> Document:
    images = [picture(width, height, seed + number) for number in range(pages)]
    transcript = Transcript((), width, height, "none")
    return Document(f"{seed}.png", tuple(Page(image, number) for number, image in enumerate(images)), (transcript,) * pages)


def answer(found: object) -> Answer:
    assert isinstance(found, Answer), found
    return found


def test_a_second_question_brings_only_what_it_asks(reader: VisionReader) -> None:
    """Valid against its own, narrower schema, with tokens, time, and a probability for every value."""
    with reader.open([receipt(40, 60, 1), receipt(60, 60, 2)]) as reading:
        found = reading.ask({0: TOTAL, 1: TOTAL})
    for row in (0, 1):
        said = answer(found[row])
        values = json.loads(said.text)
        assert list(values) == ["currency", "total", "missing"]
        assert parse_answer(said.text).issues == ()
        assert said.tokens
        assert said.seconds > 0
        stated = {name for name in ("currency", "total") if values[name] is not None}
        assert stated == {path for path in said.evidence if path in {"currency", "total"}}
        assert all(seen.confidence is not None and 0 < seen.confidence <= 1 for seen in said.evidence.values())


def test_a_first_question_asks_for_everything(reader: VisionReader) -> None:
    """A model without sense talks until its limit; the answer says that it was cut off, and its beginning can be used."""
    with reader.open([receipt(40, 60, 1)]) as reading:
        said = answer(reading.ask({0: Question()})[0])
    assert said.text.startswith('{"document_type":')
    if said.is_cut_off:
        assert said.tokens == 300
    assert parse_answer(said.text, is_cut_off=said.is_cut_off).answer.model_fields_set


def test_a_long_receipt_gets_one_answer(reader: VisionReader) -> None:
    """Its parts are read side by side and merged into valid JSON."""
    with reader.open([receipt(28, 400, 3), receipt(40, 40, 4, pages=2)]) as reading:
        found = reading.ask({0: TOTAL, 1: TOTAL})
    for row in (0, 1):
        said = answer(found[row])
        assert set(json.loads(said.text)) >= {"currency", "total"}
        assert parse_answer(said.text).issues == ()


def test_a_crop_is_another_look(reader: VisionReader) -> None:
    """It is answered from the page and the enlarged part."""
    crop = Look(effort=2, page=0, crop=Box(10, 10, 30, 20))
    with reader.open([receipt(100, 100, 5)]) as reading:
        whole = answer(reading.ask({0: TOTAL})[0])
        part = answer(reading.ask({0: Question(TOTAL.fields, MISSING, crop)})[0])
    assert whole.text != part.text


def test_several_answers_are_drawn_and_come_again_the_same(reader: VisionReader) -> None:
    """As many as wanted, each valid, not all the same; the same images and question draw the same answers, whoever reads beside them."""
    look = Look(effort=3, page=0, crop=Box(10, 10, 30, 20), samples=3)
    question = Question(TOTAL.fields, MISSING, look)
    with reader.open([receipt(100, 100, 5), receipt(40, 60, 6)]) as reading:
        both = reading.ask({0: question, 1: TOTAL})
    with reader.open([receipt(100, 100, 5)]) as reading:
        alone = answer(reading.ask({0: question})[0])
    drawn = answer(both[0])
    texts = [drawn.text, *(sample.text for sample in drawn.samples)]
    assert len(texts) == 3
    assert len(set(texts)) > 1
    assert all(parse_answer(text).issues == () for text in texts)
    assert [alone.text, *(sample.text for sample in alone.samples)] == texts
    assert answer(both[1]).samples == ()


def test_a_page_that_cannot_be_shown_fails_its_document_only(reader: VisionReader) -> None:
    broken = Document("broken.png", (Page(Image.new("RGB", (0, 5))),), (Transcript((), 0, 5, "none"),))
    with reader.open([broken, receipt(40, 40, 6)]) as reading:
        found = reading.ask({0: TOTAL, 1: TOTAL})
    assert not isinstance(found[0], Answer)
    assert answer(found[1]).text


def test_nothing_is_kept_after_a_batch(make_engine: Callable[..., "MllamaEngine"]) -> None:
    """Over many batches the pools neither leak nor shatter."""
    engine = make_engine(max_rows=2, max_tokens=40)
    reader = VisionReader(engine, model="tiny", max_tokens=40)
    free = engine.text_tokens_free, engine.image_tokens_free
    for batch in range(5):
        with reader.open([receipt(40, 40, batch), receipt(30, 90, batch + 50), receipt(90, 30, batch + 90)]) as reading:
            reading.ask(dict.fromkeys(range(3), TOTAL))
        assert (engine.text_tokens_free, engine.image_tokens_free) == free
