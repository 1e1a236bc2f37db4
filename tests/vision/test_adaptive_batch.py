"""When GPU memory runs out: less is done at a time, no row is lost, and what does not fit even alone fails alone."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.errors import ReaderUnavailable  # noqa: E402 - not without torch
from extractor.readers.vision.adaptive_batch import CALM_BATCHES, BatchSizeLimit, is_shortage  # noqa: E402 - as above
from extractor.readers.vision.cuda_graphs import EagerSteps  # noqa: E402 - as above
from extractor.readers.vision.decoding import Decoder  # noqa: E402 - as above
from extractor.readers.vision.engine import Ask, Said, Sight  # noqa: E402 - as above
from extractor.readers.vision.generation import GeneratingEngine, GeneratingSight  # noqa: E402 - as above
from extractor.readers.vision.image_cache import ImageCache  # noqa: E402 - as above
from extractor.readers.vision.model_options import VisionOptions  # noqa: E402 - as above
from extractor.readers.vision.scheduler import MllamaScheduler  # noqa: E402 - as above

if TYPE_CHECKING:
    from extractor.readers.vision.cuda_graphs import RowFeed, Steps
    from extractor.readers.vision.mllama import MllamaEngine

pytestmark = pytest.mark.vision

MakeEngine = Callable[..., "MllamaEngine"]

NAMES = ("discount_total", "tip", "service_charge", "rounding", "total")
CHARGES = {
    "type": "object",
    "properties": {name: {"enum": ["1.20", "1.50", "12", None]} for name in NAMES},
    "required": list(NAMES),
    "additionalProperties": False,
}


def short() -> Exception:
    """What torch raises."""
    error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 600.00 MiB.")
    return error


class Cramped:
    """Passes calls on, and raises as CUDA does when more than `most` items are to be worked on at once."""

    def __init__(self, inner: Any, method: str, most: int) -> None:
        self._inner, self._method, self._most = inner, method, most
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        return self._checked(call) if name == self._method else call

    def _checked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(items: Sequence[Any], *rest: Any) -> Any:
            self.sizes.append(len(items))
            if len(items) > self._most:
                raise short()
            return call(items, *rest)

        return checked


def with_steps(engine: "MllamaEngine", wrap: Callable[["Steps"], "Steps"], *, max_run: int = 8) -> MllamaScheduler:
    """A batch of the engine's whose answers take the steps that `wrap` makes of the engine's own."""
    speech = engine.speech
    like = speech.texts.keys[0]
    steps = wrap(EagerSteps(speech.layers, speech.decoder.allowance.now, like=like, max_run=max_run))
    decoder = Decoder(steps, speech.grammars, engine.ends, on_cuda=False)
    return with_decoder(engine, decoder)


def with_decoder(engine: "MllamaEngine", decoder: Decoder) -> MllamaScheduler:
    return MllamaScheduler(engine.open()._album, dataclasses.replace(engine.speech, decoder=decoder))


def asks(rows: int) -> dict[int, Ask]:
    return {row: Ask((f"Read. {'x ' * row}",), None, max_tokens=10) for row in range(rows)}


def texts(answers: Any) -> list[str]:
    return [answers[row].text for row in sorted(answers)]


def ask_all(sight: Sight, pictures: list[Image.Image], asked: Mapping[int, Ask] | None = None) -> Any:
    for picture in pictures:
        sight.add(picture)
    return sight.ask(asks(len(pictures)) if asked is None else asked)


@pytest.mark.parametrize("most", [1, 2])
def test_images_are_looked_at_fewer_at_a_time(most: int, make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Halved until they fit, and so for the rest of the batch; the answers are the same."""
    engine, images = make_engine(max_rows=5), [pictures[1], pictures[2], pictures[4], pictures[1]]
    tower = Cramped(engine.tower, "look", most)
    album = ImageCache(tower, engine.speech.layers.image_pool, ThreadPoolExecutor(1), chunk=BatchSizeLimit(4, "images"))  # type: ignore[arg-type]
    assert texts(ask_all(MllamaScheduler(album, engine.speech), images)) == texts(ask_all(make_engine(max_rows=5).open(), images))
    assert tower.sizes == ([4, 2, 2] if most == 2 else [4, 2, 1, 1, 1, 1])


def test_an_image_that_does_not_fit_alone_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """It is to be read again later; its memory is given back, and the batch ends."""
    engine = make_engine()
    before = engine.image_tokens_free
    album = ImageCache(
        Cramped(engine.tower, "look", 0),  # type: ignore[arg-type]
        engine.speech.layers.image_pool,
        ThreadPoolExecutor(1),
        chunk=BatchSizeLimit(4, "images"),
    )
    found = ask_all(MllamaScheduler(album, engine.speech), pictures[:2])
    assert all(isinstance(answer, ReaderUnavailable) for answer in found.values())
    assert "Close other programs" in str(found[0])
    assert engine.image_tokens_free == before


def test_questions_are_read_fewer_at_a_time(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    engine = make_engine(max_rows=4)
    layers = Cramped(engine.speech.layers, "read", 1)
    sight = engine.open()
    cramped = MllamaScheduler(sight._album, dataclasses.replace(engine.speech, layers=layers))  # type: ignore[arg-type]
    assert texts(ask_all(cramped, pictures[:4])) == texts(ask_all(make_engine(max_rows=4).open(), pictures[:4]))
    assert layers.sizes[0] == 4
    assert set(layers.sizes[-4:]) == {1}


def test_second_questions_are_read_fewer_at_a_time(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """About images that were looked at already, and are not looked at again; the next batch begins with as few."""
    engine = make_engine(max_rows=4)
    sight, again = engine.open(), {row: choosing(row) for row in range(4)}
    ask_all(sight, pictures[:4])
    expected = texts(sight.ask(again))
    layers, tower = Cramped(engine.speech.layers, "read", 2), Cramped(engine.tower, "look", 0)
    sight._album._tower = tower  # type: ignore[assignment]
    cramped = MllamaScheduler(sight._album, dataclasses.replace(engine.speech, layers=layers))  # type: ignore[arg-type]
    assert texts(cramped.ask(again)) == expected
    assert layers.sizes == [4, 2, 2]
    assert texts(cramped.ask(again)) == expected
    assert layers.sizes == [4, 2, 2, 2, 2]
    assert not tower.sizes


def test_a_question_that_does_not_fit_alone_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Its text's memory is given back."""
    engine = make_engine()
    before = engine.text_tokens_free
    speech = dataclasses.replace(engine.speech, layers=Cramped(engine.speech.layers, "read", 0))  # type: ignore[arg-type]
    found = ask_all(MllamaScheduler(engine.open()._album, speech), pictures[:2])
    assert all(isinstance(answer, ReaderUnavailable) for answer in found.values())
    assert engine.text_tokens_free == before


def choosing(row: int) -> Ask:
    """With a grammar, so that rows feed forced tokens and differ in length."""
    return Ask((f"Copy the charges. {'x ' * row}",), CHARGES, max_tokens=60)


@pytest.mark.parametrize("where", ["step", "pick"])
@pytest.mark.parametrize("most", [1, 2])
def test_rows_speak_fewer_at_a_time(most: int, where: str, make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """In the middle of their answers too: they take turns, and each says what it would have said. The next batch begins with as few."""
    asked = {row: choosing(row) for row in range(5)}
    expected = texts(ask_all(make_engine(max_rows=5).open(), pictures, asked))
    engine = make_engine(max_rows=5)
    steps: Any = EagerSteps(engine.speech.layers, 5, like=engine.speech.texts.keys[0])
    grammars: Any = engine.speech.grammars
    if where == "step":
        steps = cramped = Cramped(steps, "run", most)
    else:
        grammars = cramped = Cramped(grammars, "fill", most)
    decoder = Decoder(steps, grammars, engine.ends, on_cuda=False)
    sight = with_decoder(engine, decoder)
    assert texts(ask_all(sight, pictures, asked)) == expected
    assert cramped.sizes[0] == 5
    assert max(cramped.sizes[3:]) == most == decoder.allowance.now
    sight.close()
    before = len(cramped.sizes)
    assert texts(ask_all(with_decoder(engine, decoder), pictures, asked)) == expected
    assert max(cramped.sizes[before:]) == most


class ShortFor:
    """Steps that fail whenever they are to work for a certain row, named by its place in the text pool, or for any from some step on."""

    def __init__(self, inner: "Steps", *, poison: int | None = None, steps: int | None = None) -> None:
        self._inner, self.max_rows, self._poison, self._left = inner, inner.max_rows, poison, steps

    def most(self, rows: int) -> int:
        return self._inner.most(rows)

    def run(self, feeds: Sequence["RowFeed"], wanted: Sequence[int]) -> Any:
        if self._left == 0 or any(feed.text == self._poison for feed in feeds):
            raise short()
        self._left = self._left - 1 if self._left is not None else None
        return self._inner.run(feeds, wanted)


def test_a_row_that_fits_nowhere_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Its neighbours answer as ever, and all memory is given back."""
    expected = texts(ask_all(make_engine(max_rows=4).open(), pictures[:4]))
    engine = make_engine(max_rows=4)
    before = engine.text_tokens_free
    second = 1 + len(engine.speech.prompter.prompt(asks(1)[0].turns).prefix) + len(engine.speech.prompter.prompt(asks(1)[0].turns).question)
    found = ask_all(with_steps(engine, lambda steps: ShortFor(steps, poison=second + 10)), pictures[:4])
    assert isinstance(found[1], ReaderUnavailable)
    assert "Close other programs" in str(found[1])
    assert [found[row].text for row in (0, 2, 3)] == [expected[row] for row in (0, 2, 3)]
    assert engine.text_tokens_free == before


def test_what_was_said_before_memory_ran_out_is_kept(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Nothing can be done after the sixth step: rows that had ended by then keep their answers, the others are to be read again."""
    engine = make_engine(max_rows=4)
    before = engine.text_tokens_free, engine.image_tokens_free
    asked = {row: Ask(("Read.",), None, max_tokens=3 if row == 2 else 40) for row in range(4)}
    sight = with_steps(engine, lambda steps: ShortFor(steps, steps=6), max_run=1)
    found = ask_all(sight, pictures[:4], asked)
    assert isinstance(found[2], Said)
    assert [type(found[row]) for row in (0, 1, 3)] == [ReaderUnavailable] * 3
    sight.close()
    assert (engine.text_tokens_free, engine.image_tokens_free) == before


def test_after_some_calm_batches_more_is_tried_again() -> None:
    """What was short may be there again; never more than at first, never less than one."""
    allowance = BatchSizeLimit(12, "rows")
    allowance.halve(9, short())  # type: ignore[arg-type]
    assert allowance.now == 4
    for expected in (8, 12, 12):
        for _ in range(CALM_BATCHES - 1):
            before = allowance.now
            allowance.end_batch()
            assert allowance.now == before
        allowance.end_batch()
        assert allowance.now == expected
    allowance.halve(1, short())  # type: ignore[arg-type]
    assert allowance.now == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 600.00 MiB."), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported elsewhere"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
)
def test_a_shortage_is_told_from_other_errors(error: RuntimeError, expected: bool) -> None:
    """The driver and cuBLAS have no class of their own for it; a broken GPU must not look like one that is full."""
    assert is_shortage(error) is expected


def test_a_shortage_in_a_capture_is_one() -> None:
    """Ending a capture that ran out of memory may fail with an error of its own."""

    def capture() -> None:
        try:
            raise short()
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    with pytest.raises(RuntimeError, match="capture") as caught:
        capture()
    assert is_shortage(caught.value)


def test_generate_answers_fewer_at_a_time(reference: Any, pictures: list[Image.Image]) -> None:
    """The way of other architectures, by halves too; the next batch begins with as few."""
    engine = GeneratingEngine(reference._loaded, VisionOptions(max_rows=3))
    expected = texts(ask_all(engine.open(), pictures[:3]))
    model = CrampedModel(reference._loaded.model, most=1, after=4)
    sight = GeneratingSight(engine, dataclasses.replace(reference._loaded, model=model))
    assert texts(ask_all(sight, pictures[:3])) == expected
    assert model.sizes == [3, 1, 1, 1]
    assert engine.allowance.now == 1


def test_generate_keeps_what_was_said_before_memory_ran_out(reference: Any, pictures: list[Image.Image]) -> None:
    """A row that had ended is not read again."""
    engine = GeneratingEngine(reference._loaded, VisionOptions(max_rows=3))
    asked = {row: Ask(("Read.",), None, max_tokens=2 if row == 1 else 12) for row in range(3)}
    expected = texts(ask_all(engine.open(), pictures[:3], asked))
    model = CrampedModel(reference._loaded.model, most=2, after=4)
    sight = GeneratingSight(engine, dataclasses.replace(reference._loaded, model=model))
    found = ask_all(sight, pictures[:3], asked)
    assert [found[row].text for row in range(3)] == expected
    assert model.sizes == [3, 1, 1]


def test_what_does_not_fit_alone_fails_alone_in_generate(reference: Any, pictures: list[Image.Image]) -> None:
    engine = GeneratingEngine(reference._loaded, VisionOptions(max_rows=2))
    model = CrampedModel(reference._loaded.model, most=0, after=4)
    asked = {row: Ask(("Read.",), None, max_tokens=2 if row == 0 else 12) for row in range(2)}
    found = ask_all(GeneratingSight(engine, dataclasses.replace(reference._loaded, model=model)), pictures[:2], asked)
    assert isinstance(found[0], Said)
    assert isinstance(found[1], ReaderUnavailable)


class CrampedModel:
    """A model that runs out of memory after some steps with more than `most` rows."""

    def __init__(self, inner: Any, *, most: int, after: int) -> None:
        self._inner, self._most, self._after = inner, most, after
        self.device, self.generation_config = inner.device, inner.generation_config
        self.sizes: list[int] = []

    def generate(self, *, logits_processor: list[Any], **arguments: Any) -> Any:
        self.sizes.append(len(arguments["input_ids"]))
        steps = iter(range(self._after))

        def check(_: Any, scores: Any) -> Any:
            if len(scores) > self._most and next(steps, None) is None:
                raise short()
            return scores

        return self._inner.generate(logits_processor=[*logits_processor, check], **arguments)
