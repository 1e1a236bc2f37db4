"""Steps of several tokens: forced tokens and drafts save steps, and the answers are those of one token at a time."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.vision.engine import ModelReply, ModelRequest
from tests.vision.test_adaptive_batch import with_steps

if TYPE_CHECKING:
    import torch

    from extractor.readers.vision.cuda_graphs import RowInput, StepRunner
    from extractor.readers.vision.mllama import MllamaEngine

pytestmark = pytest.mark.vision

MakeEngine = Callable[..., "MllamaEngine"]

FIELDS = ("discount_total", "tip", "service_charge", "rounding", "total")
CHOICES = {"enum": ["1.20", "1.50", "12", None]}
CHARGES = {"type": "object", "properties": dict.fromkeys(FIELDS, CHOICES), "required": list(FIELDS), "additionalProperties": False}


class Counted:
    """Passes steps on and records how many tokens each row had."""

    def __init__(self, inner: "StepRunner") -> None:
        self._inner, self.max_rows = inner, inner.max_rows
        self.runs: list[list[int]] = []

    def max_row_tokens(self, rows: int) -> int:
        return self._inner.max_row_tokens(rows)

    def run(self, feeds: Sequence["RowInput"], wanted: Sequence[int]) -> "torch.Tensor":
        self.runs.append([len(feed.tokens) for feed in feeds])
        return self._inner.run(feeds, wanted)


def charges(row: int, draft: str = "") -> ModelRequest:
    return ModelRequest((f"Copy the charges. {'x ' * row}",), CHARGES, max_tokens=200, draft=draft)


def said(
    engine: "MllamaEngine", pictures: Sequence[Image.Image], max_run: int, ask: Callable[[int], ModelRequest] = charges
) -> tuple[list[ModelReply], Counted]:
    """Answers of all pictures, and the steps that they took."""
    counted: list[Counted] = []

    def counting(inner: "StepRunner") -> Counted:
        counted.append(Counted(inner))
        return counted[0]

    session = with_steps(engine, counting, max_run=max_run)
    for picture in pictures:
        session.add(picture)
    answers: Any = session.ask({row: ask(row) for row in range(len(pictures))})
    return [answers[row] for row in range(len(pictures))], counted[0]


def test_steps_of_several_tokens_give_the_same_answers(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Token for token, whatever the longest run; rows with long and short runs share a step."""
    plain, one_by_one = said(make_engine(max_rows=3), pictures, 1)
    assert {size for sizes in one_by_one.runs for size in sizes} == {1}
    for max_run in (2, 4, 8):
        fast, counted = said(make_engine(max_rows=3), pictures, max_run)
        assert [answer.tokens for answer in fast] == [answer.tokens for answer in plain]
        for quick, slow in zip(fast, plain, strict=True):
            assert quick.logprobs == pytest.approx(slow.logprobs, abs=1e-4)
        assert any(len(set(sizes)) > 1 for sizes in counted.runs)
        assert len(counted.runs) < len(one_by_one.runs)


def test_a_row_takes_as_many_steps_as_it_has_choices(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Keys and punctuation need no steps: one per chosen token except the last, and one for the tokens forced at the start."""
    (answer,), counted = said(make_engine(max_rows=1), pictures[:1], 32)
    chosen = sum(logprob is not None for logprob in answer.logprobs)
    assert tuple(json.loads(answer.text)) == FIELDS
    assert chosen < len(answer.tokens)
    assert len(counted.runs) == chosen


def free(row: int, draft: str = "") -> ModelRequest:
    return ModelRequest((f"Read. {'x ' * row}",), None, max_tokens=40, draft=draft)


@pytest.mark.parametrize("ask", [charges, free], ids=["grammar", "free text"])
@pytest.mark.parametrize("draft", ["right", "neighbour's", "spoilt"])
def test_drafts_change_nothing_but_the_number_of_steps(
    ask: Callable[..., ModelRequest], draft: str, make_engine: MakeEngine, pictures: list[Image.Image]
) -> None:
    """A right draft saves steps, a wrong one costs none, and the answers are the same token for token."""
    plain, slowly = said(make_engine(), pictures, 8, ask)
    texts = [answer.text for answer in plain]
    drafts = {
        "right": texts,
        "neighbour's": [*texts[1:], texts[0]],
        "spoilt": [text[: len(text) // 2] + "?" + text[len(text) // 2 + 1 :] for text in texts],
    }[draft]
    fast, quickly = said(make_engine(), pictures, 8, lambda row: ask(row, drafts[row]))
    assert [answer.tokens for answer in fast] == [answer.tokens for answer in plain]
    for quick, slow in zip(fast, plain, strict=True):
        assert quick.logprobs == pytest.approx(slow.logprobs, abs=1e-4)
    assert len(quickly.runs) <= len(slowly.runs)
    if draft == "right":
        assert len(quickly.runs) < 0.8 * len(slowly.runs)


def test_an_answer_from_a_draft_is_cut_off_like_any(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Exactly at its limit, also in the middle of proposed or forced tokens."""
    whole = said(make_engine(), pictures[:1], 8, free)[0][0]
    for most in range(1, 20):
        short = ModelRequest(free(0).turns, None, most, whole.text)
        (answer,), _ = said(make_engine(), pictures[:1], 8, {0: short}.__getitem__)
        assert answer.tokens == whole.tokens[:most]
        assert answer.is_cut_off
