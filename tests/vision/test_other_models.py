"""Qwen3-VL, standing for every architecture that answers through `generate`."""

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Answer, Issue, Question, ReaderError
from extractor.readers.prompts import answer_schema
from extractor.readers.vision.engine import ModelReply, ModelRequest
from extractor.readers.vision.vision_reader import VisionReader
from tests.vision.conftest import picture
from tests.vision.test_reader import receipt

if TYPE_CHECKING:
    from extractor.readers.vision.generation import GenerateEngine

pytestmark = pytest.mark.vision

TOTAL = Question(fields=("currency", "total"), issues=(Issue("total", "missing", "Not found."),))

SIZES = [(40, 60), (64, 64), (30, 90)]


def said(answer: ModelReply | ReaderError) -> ModelReply:
    assert isinstance(answer, ModelReply), answer
    return answer


def asks(*rows: int) -> dict[int, ModelRequest]:
    return {row: ModelRequest((f"Copy the total. {'x ' * row}",), answer_schema(TOTAL), max_tokens=200) for row in rows}


def test_batch_equals_single_and_every_answer_fits(qwen: "GenerateEngine") -> None:
    """Images and questions of different lengths side by side, asked once together and once each, on the same images."""
    session = qwen.open()
    for row, size in enumerate(SIZES):
        session.add(picture(*size, row))
    together = session.ask(asks(0, 1, 2))
    for row in range(len(SIZES)):
        assert list(json.loads(said(together[row]).text)) == ["currency", "total", "missing"]
        assert said(session.ask(asks(row))[row]).tokens == said(together[row]).tokens


def test_a_page_and_a_part_of_it_are_shown_in_one_turn(qwen: "GenerateEngine") -> None:
    """Beside a row of one image; every answer fits, and another part is answered otherwise."""
    session = qwen.open()
    for images in ((picture(40, 60, 1), picture(64, 64, 2)), (picture(30, 90, 3),), (picture(40, 60, 1), picture(64, 64, 4))):
        session.add(*images)
    same = asks(0)[0]
    together = session.ask({0: same, 1: asks(1)[1], 2: same})
    assert all(list(json.loads(said(one).text)) == ["currency", "total", "missing"] for one in together.values())
    for row, ask in ((0, same), (1, asks(1)[1]), (2, same)):
        assert said(session.ask({row: ask})[row]).tokens == said(together[row]).tokens
    assert said(together[0]).logprobs != said(together[2]).logprobs


def test_each_row_ends_at_its_own_limit(qwen: "GenerateEngine") -> None:
    session = qwen.open()
    for row, size in enumerate(SIZES):
        session.add(picture(*size, row))
    schema = answer_schema(Question())
    found = session.ask({0: ModelRequest(("Read.",), schema, max_tokens=5), 1: ModelRequest(("Read.",), schema, max_tokens=25)})
    assert [len(said(found[row]).tokens) for row in (0, 1)] == [5, 25]
    assert all(said(answer).is_cut_off for answer in found.values())


def test_text_is_streamed(qwen: "GenerateEngine") -> None:
    heard: list[str] = []
    session = qwen.open()
    session.add(picture(40, 60, 1))
    answer = session.ask(asks(0), lambda _row, text: heard.append(text))
    assert "".join(heard) == said(answer[0]).text


def test_one_bad_image_costs_its_own_row_only(qwen: "GenerateEngine") -> None:
    """The batch is halved until the bad one stands alone."""
    session = qwen.open()
    for image in (picture(40, 60, 1), Image.new("RGB", (900, 2)), picture(64, 64, 2)):
        session.add(image)
    found = session.ask(asks(0, 1, 2))
    assert "again" in str(found[1])
    assert said(found[0]).text
    assert said(found[2]).text


def test_the_reader_is_the_same(qwen: "GenerateEngine") -> None:
    """Documents in, valid answers out, whatever the architecture."""
    reader = VisionReader(qwen, model="tiny Qwen3-VL", max_tokens=200)
    with reader.open([receipt(40, 60, 1), receipt(28, 300, 2)]) as reading:
        found = reading.ask({0: TOTAL, 1: TOTAL})
    for answer in found.values():
        assert isinstance(answer, Answer), answer
        assert parse_answer(answer.text).issues == ()
