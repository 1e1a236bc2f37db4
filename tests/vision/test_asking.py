"""Questions and answers on a tiny Mllama model: our own decoding loop against transformers' `generate`."""

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.errors import BadAnswer  # noqa: E402 - not without torch
from extractor.readers.answer_parser import parse_answer  # noqa: E402 - as above
from extractor.readers.base import Issue, Question, ReaderError  # noqa: E402 - as above
from extractor.readers.prompts import answer_schema  # noqa: E402 - as above
from extractor.readers.vision.engine import Engine, ModelReply, ModelRequest  # noqa: E402 - as above
from extractor.readers.vision.sampling import Sampling, add_sampling_noise  # noqa: E402 - as above

if TYPE_CHECKING:
    from extractor.readers.vision.generation import GenerateEngine
    from extractor.readers.vision.mllama import MllamaEngine

pytestmark = pytest.mark.vision

MakeEngine = Callable[..., "MllamaEngine"]

TOTAL = Question(fields=("currency", "total"), issues=(Issue("total", "missing", "Not found."),))


def answers(engine: Engine, images: list[Image.Image], asks: Mapping[int, ModelRequest]) -> Mapping[int, ModelReply | ReaderError]:
    session = engine.open()
    for image in images:
        session.add(image)
    try:
        return session.ask(asks)
    finally:
        session.close()


def said(answer: ModelReply | ReaderError) -> ModelReply:
    assert isinstance(answer, ModelReply), answer
    return answer


def first(row: int) -> ModelRequest:
    """A question whose length differs from row to row."""
    return ModelRequest((f"Copy the total. {'x ' * row}",), answer_schema(TOTAL), max_tokens=200)


def again(row: int) -> ModelRequest:
    return ModelRequest((f"Look once more. {'y ' * row}",), answer_schema(TOTAL), max_tokens=200)


@pytest.mark.parametrize("schema", [answer_schema(TOTAL), None], ids=["grammar", "free text"])
def test_own_decoding_gives_the_answers_of_generate(
    schema: dict[str, object] | None, make_engine: MakeEngine, reference: "GenerateEngine", pictures: list[Image.Image]
) -> None:
    """Token for token, with images of one to four tiles side by side and rows that wait for others to finish."""
    asks = {row: ModelRequest((f"Read. {'x ' * row}",), schema, max_tokens=40) for row in range(len(pictures))}
    expected = answers(reference, pictures, asks)
    actual = answers(make_engine(max_rows=3), pictures, asks)
    for row in asks:
        assert said(actual[row]).tokens == said(expected[row]).tokens
        assert said(actual[row]).logprobs == pytest.approx(said(expected[row]).logprobs, abs=1e-4)
        assert said(actual[row]).is_cut_off == said(expected[row]).is_cut_off


def test_several_images_of_one_turn_are_used_together(
    make_engine: MakeEngine, reference: "GenerateEngine", pictures: list[Image.Image]
) -> None:
    """Token for token the answer of `generate`, beside rows of one image; another second image gives another answer."""
    together = [(pictures[3], pictures[0]), (pictures[1],), (pictures[0], pictures[2]), (pictures[3], pictures[4])]
    asks = {row: ModelRequest((f"Read. {'x ' * row}",), None, max_tokens=30) for row in range(3)} | {
        3: ModelRequest(("Read. ",), None, max_tokens=30)
    }

    def all_said(engine: Engine) -> list[ModelReply]:
        session = engine.open()
        for images in together:
            session.add(*images)
        answered = session.ask(asks)
        again = session.ask(asks)
        session.close()
        assert [said(again[row]).tokens for row in asks] == [said(answered[row]).tokens for row in asks]
        return [said(answered[row]) for row in asks]

    expected = all_said(reference)
    for max_rows in (1, 2, 4):
        actual = all_said(make_engine(max_rows=max_rows))
        for one, other in zip(actual, expected, strict=True):
            assert one.tokens == other.tokens
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert expected[0].tokens != expected[3].tokens


@pytest.mark.parametrize("schema", [answer_schema(TOTAL), None], ids=["grammar", "free text"])
def test_sampled_answers_are_those_of_generate(
    schema: dict[str, object] | None, make_engine: MakeEngine, reference: "GenerateEngine", pictures: list[Image.Image]
) -> None:
    """The same seed gives the same tokens in any batch, with and without a draft; other seeds give others."""

    def asks(seed: int, drafts: Mapping[int, str] | None = None) -> dict[int, ModelRequest]:
        draw = Sampling(seed, 0.7)
        return {row: ModelRequest((f"Read. {'x ' * row}",), schema, 40, (drafts or {}).get(row, ""), draw) for row in range(3)}

    expected = answers(reference, pictures[:3], asks(1))
    actual = answers(make_engine(max_rows=2), pictures[:3], asks(1))
    guessed = answers(make_engine(), pictures[:3], asks(1, {row: said(expected[row]).text for row in range(3)}))
    for row in range(3):
        assert said(actual[row]).tokens == said(expected[row]).tokens == said(guessed[row]).tokens
    others = [answers(make_engine(), pictures[:3], asks(seed)) for seed in range(2, 5)]
    assert any(said(other[row]).tokens != said(actual[row]).tokens for other in others for row in range(3))


def test_samples_follow_the_probabilities_of_allowed_tokens() -> None:
    """As often as their probability at that temperature, over many seeds, and never a forbidden token. Other rows stay as they are."""
    scores = torch.tensor([[1.0, 0.0, float("-inf")], [3.0, 2.0, 1.0]])
    count = 2000
    picks = [add_sampling_noise(scores.clone(), [(0, Sampling(seed, 0.5), 4)]) for seed in range(count)]
    drawn = [int(pick[0].argmax()) for pick in picks]
    assert set(drawn) == {0, 1}
    assert drawn.count(0) / count == pytest.approx(1 / (1 + math.exp(-2)), abs=0.03)
    assert all(torch.equal(pick[1], scores[1]) for pick in picks)


def test_images_matter(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """The same question about different images is answered differently (else all equalities here would prove nothing)."""
    ask = ModelRequest(("Read.",), None, max_tokens=20)
    found = answers(make_engine(), pictures[:3], dict.fromkeys(range(3), ask))
    assert len({said(answer).text for answer in found.values()}) == 3


def test_every_answer_fits_its_schema(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Also of a model that knows nothing."""
    found = answers(make_engine(), pictures, {row: first(row) for row in range(len(pictures))})
    for answer in found.values():
        assert list(json.loads(said(answer).text)) == ["currency", "total", "missing"]
        assert parse_answer(said(answer).text).issues == ()


def test_batch_equals_single(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Neighbours change nothing."""
    asks = {row: first(row) for row in range(len(pictures))}
    together = answers(make_engine(), pictures, asks)
    for row, ask in asks.items():
        alone = answers(make_engine(max_rows=1), [pictures[row]], {0: ask})
        assert said(alone[0]).tokens == said(together[row]).tokens


def test_second_question_equals_a_first_one(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Cached images give the same answer as images encoded anew, for any choice of rows."""
    session = make_engine().open()
    for image in pictures:
        session.add(image)
    session.ask({row: first(row) for row in range(len(pictures))})
    asks = {row: again(row) for row in (4, 1, 2)}
    cached = session.ask(asks)
    fresh = answers(make_engine(), pictures, asks)
    assert {row: said(answer).tokens for row, answer in cached.items()} == {row: said(answer).tokens for row, answer in fresh.items()}


def test_second_question_does_not_encode_again(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """While there is memory, an image is encoded once."""
    engine = make_engine(max_rows=5)
    session = engine.open()
    for image in pictures:
        session.add(image)
    session.ask({row: first(row) for row in range(len(pictures))})
    free = engine.image_tokens_free
    session.ask({row: again(row) for row in range(len(pictures))})
    assert engine.image_tokens_free == free


def test_evicted_images_are_encoded_again(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """With memory for a single image, every question is still answered as ever."""
    asks = {row: again(row) for row in range(len(pictures))}
    session = make_engine(max_rows=1).open()
    for image in pictures:
        session.add(image)
    session.ask({row: first(row) for row in range(len(pictures))})
    cramped = session.ask(asks)
    roomy = answers(make_engine(), pictures, asks)
    assert {row: said(answer).tokens for row, answer in cramped.items()} == {row: said(answer).tokens for row, answer in roomy.items()}


def test_cached_images_do_not_hold_up_evicted_ones(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Rows of two images each, more than memory holds: cached ones are answered, and then evicted for the others."""
    pairs = [(pictures[one], pictures[other]) for one, other in ((1, 2), (2, 4), (4, 1), (2, 1))]  # eight tiles each
    asks = {row: again(row) for row in range(4)}

    def asked(engine: Engine, *rounds: Mapping[int, ModelRequest]) -> Mapping[int, ModelReply | ReaderError]:
        session = engine.open()
        for pair in pairs:
            session.add(*pair)
        return [session.ask(each) for each in rounds][-1]

    cramped = asked(make_engine(max_rows=4), {row: first(row) for row in range(4)}, asks)
    roomy = asked(make_engine(max_rows=16), asks)
    assert {row: said(answer).tokens for row, answer in cramped.items()} == {row: said(answer).tokens for row, answer in roomy.items()}


def test_cut_off_answers_say_so_and_keep_what_was_complete(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """An answer ends at its own limit, whatever the limits of its neighbours."""
    asks = {0: ModelRequest(("Read.",), answer_schema(Question()), max_tokens=30), 1: first(1)}
    found = answers(make_engine(), pictures, asks)
    assert said(found[0]).is_cut_off
    assert len(said(found[0]).tokens) == 30
    assert [issue.kind for issue in parse_answer(said(found[0]).text, is_cut_off=True).issues] == ["cut_off"]
    assert not said(found[1]).is_cut_off


@pytest.mark.parametrize("own_steps", [True, False], ids=["own steps", "generate"])
def test_a_row_whose_grammar_fails_fails_alone(
    own_steps: bool, make_engine: MakeEngine, reference: "GenerateEngine", pictures: list[Image.Image]
) -> None:
    """A schema that cannot be compiled costs its own row only."""
    impossible = {"type": "string", "pattern": "(?=lookahead)"}
    asks = {0: first(0), 1: ModelRequest(("Read.",), impossible, max_tokens=30), 2: first(2)}
    found = answers(make_engine() if own_steps else reference, pictures, asks)
    assert isinstance(found[1], BadAnswer)
    alone = answers(make_engine(), pictures, {0: first(0), 2: first(2)})
    assert said(found[0]).tokens == said(alone[0]).tokens
    assert said(found[2]).tokens == said(alone[2]).tokens


def test_an_image_that_cannot_be_prepared_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """A page without pixels is named; its neighbours are read."""
    found = answers(make_engine(), [pictures[0], Image.new("RGB", (0, 10)), pictures[1]], {row: first(row) for row in range(3)})
    assert not isinstance(found[1], ModelReply)
    assert "again" in str(found[1])
    assert said(found[0]).text
    assert said(found[2]).text


def test_an_interrupt_frees_all_memory(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """After Ctrl-C in the middle of an answer the next question is answered as if nothing had happened."""
    engine = make_engine()
    before = engine.text_tokens_free, engine.image_tokens_free
    session = engine.open()
    for image in pictures:
        session.add(image)

    def interrupt(_row: int, _text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.ask({row: first(row) for row in range(3)}, interrupt)
    afterwards = session.ask({0: first(0)})
    assert said(afterwards[0]).tokens == said(answers(make_engine(), pictures, {0: first(0)})[0]).tokens
    session.close()
    assert (engine.text_tokens_free, engine.image_tokens_free) == before


def test_text_is_streamed(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """What is streamed adds up to the answer."""
    heard: list[str] = []
    session = make_engine().open()
    session.add(pictures[0])
    answer = session.ask({0: first(0)}, lambda _row, text: heard.append(text))
    assert "".join(heard) == said(answer[0]).text
    assert len(heard) > 1


def test_an_answer_too_long_for_memory_is_refused_and_spoils_nothing(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """A question that can never fit is named, not waited for."""
    found = answers(make_engine(max_rows=1), pictures, {0: ModelRequest(("Read.",), None, max_tokens=100_000), 1: first(1)})
    assert "max_tokens" in str(found[0])
    assert said(found[1]).text
