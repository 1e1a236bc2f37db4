"""When GPU memory runs out, batches become smaller and no row is lost; a row that does not fit even alone fails alone."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.errors import ReaderUnavailable  # noqa: E402 - not without torch
from extractor.readers.vision.adaptive_batch import CALM_BATCHES, BatchSizeLimit, is_out_of_memory  # noqa: E402 - as above
from extractor.readers.vision.cuda_graphs import EagerRunner  # noqa: E402 - as above
from extractor.readers.vision.decoding import Decoder  # noqa: E402 - as above
from extractor.readers.vision.engine import ImageSession, ModelReply, ModelRequest  # noqa: E402 - as above
from extractor.readers.vision.generation import GenerateEngine, GenerateSession  # noqa: E402 - as above
from extractor.readers.vision.image_cache import ImageCache  # noqa: E402 - as above
from extractor.readers.vision.model_options import VisionOptions  # noqa: E402 - as above
from extractor.readers.vision.scheduler import MllamaScheduler  # noqa: E402 - as above

if TYPE_CHECKING:
    from extractor.readers.vision.cuda_graphs import RowInput, StepRunner
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


def memory_error() -> Exception:
    """The error that torch raises."""
    error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 600.00 MiB.")
    return error


class Cramped:
    """Passes calls on, and raises as CUDA does if more than `most` items are to be processed at once."""

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
                raise memory_error()
            return call(items, *rest)

        return checked


def with_steps(engine: "MllamaEngine", wrap: Callable[["StepRunner"], "StepRunner"], *, max_run: int = 8) -> MllamaScheduler:
    """A session whose steps run in what `wrap` makes of the engine's own runner."""
    generation = engine.generation
    like = generation.text_pool.keys[0]
    steps = wrap(EagerRunner(generation.layers, generation.decoder.row_limit.current, like=like, max_run=max_run))
    decoder = Decoder(steps, generation.grammars, engine.ends, on_cuda=False)
    return with_decoder(engine, decoder)


def with_decoder(engine: "MllamaEngine", decoder: Decoder) -> MllamaScheduler:
    return MllamaScheduler(engine.open()._image_cache, dataclasses.replace(engine.generation, decoder=decoder))


def asks(rows: int) -> dict[int, ModelRequest]:
    return {row: ModelRequest((f"Read. {'x ' * row}",), None, max_tokens=10) for row in range(rows)}


def texts(answers: Any) -> list[str]:
    return [answers[row].text for row in sorted(answers)]


def ask_all(session: ImageSession, pictures: list[Image.Image], asked: Mapping[int, ModelRequest] | None = None) -> Any:
    for picture in pictures:
        session.add(picture)
    return session.ask(asks(len(pictures)) if asked is None else asked)


@pytest.mark.parametrize("most", [1, 2])
def test_fewer_images_are_encoded_at_a_time(most: int, make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Halved until they fit, and so for the rest of the batch; the answers are the same."""
    engine, images = make_engine(max_rows=5), [pictures[1], pictures[2], pictures[4], pictures[1]]
    encoder = Cramped(engine.encoder, "encode", most)
    image_cache = ImageCache(encoder, engine.generation.layers.image_pool, ThreadPoolExecutor(1), image_limit=BatchSizeLimit(4, "images"))  # type: ignore[arg-type]
    assert texts(ask_all(MllamaScheduler(image_cache, engine.generation), images)) == texts(ask_all(make_engine(max_rows=5).open(), images))
    assert encoder.sizes == ([4, 2, 2] if most == 2 else [4, 2, 1, 1, 1, 1])


def test_an_image_that_does_not_fit_alone_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """It is retried later; its memory is freed, and the batch ends."""
    engine = make_engine()
    before = engine.image_tokens_free
    image_cache = ImageCache(
        Cramped(engine.encoder, "encode", 0),  # type: ignore[arg-type]
        engine.generation.layers.image_pool,
        ThreadPoolExecutor(1),
        image_limit=BatchSizeLimit(4, "images"),
    )
    found = ask_all(MllamaScheduler(image_cache, engine.generation), pictures[:2])
    assert all(isinstance(answer, ReaderUnavailable) for answer in found.values())
    assert "Close other programs" in str(found[0])
    assert engine.image_tokens_free == before


def test_fewer_questions_are_processed_at_a_time(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    engine = make_engine(max_rows=4)
    layers = Cramped(engine.generation.layers, "prefill", 1)
    session = engine.open()
    cramped = MllamaScheduler(session._image_cache, dataclasses.replace(engine.generation, layers=layers))  # type: ignore[arg-type]
    assert texts(ask_all(cramped, pictures[:4])) == texts(ask_all(make_engine(max_rows=4).open(), pictures[:4]))
    assert layers.sizes[0] == 4
    assert set(layers.sizes[-4:]) == {1}


def test_fewer_second_questions_are_processed_at_a_time(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """About images that are cached and not encoded again; the next batch begins with the lower limit."""
    engine = make_engine(max_rows=4)
    session, again = engine.open(), {row: choosing(row) for row in range(4)}
    ask_all(session, pictures[:4])
    expected = texts(session.ask(again))
    layers, encoder = Cramped(engine.generation.layers, "prefill", 2), Cramped(engine.encoder, "encode", 0)
    session._image_cache._encoder = encoder  # type: ignore[assignment]
    cramped = MllamaScheduler(session._image_cache, dataclasses.replace(engine.generation, layers=layers))  # type: ignore[arg-type]
    assert texts(cramped.ask(again)) == expected
    assert layers.sizes == [4, 2, 2]
    assert texts(cramped.ask(again)) == expected
    assert layers.sizes == [4, 2, 2, 2, 2]
    assert not encoder.sizes


def test_a_question_that_does_not_fit_alone_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """The memory for its text is freed."""
    engine = make_engine()
    before = engine.text_tokens_free
    generation = dataclasses.replace(engine.generation, layers=Cramped(engine.generation.layers, "prefill", 0))  # type: ignore[arg-type]
    found = ask_all(MllamaScheduler(engine.open()._image_cache, generation), pictures[:2])
    assert all(isinstance(answer, ReaderUnavailable) for answer in found.values())
    assert engine.text_tokens_free == before


def choosing(row: int) -> ModelRequest:
    """With a grammar, so that rows feed forced tokens and differ in length."""
    return ModelRequest((f"Copy the charges. {'x ' * row}",), CHARGES, max_tokens=60)


@pytest.mark.parametrize("where", ["step", "pick"])
@pytest.mark.parametrize("most", [1, 2])
def test_fewer_rows_are_answered_at_a_time(most: int, where: str, make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Also in the middle of their answers: they take turns, and each gets the same answer. The next batch begins with the lower limit."""
    asked = {row: choosing(row) for row in range(5)}
    expected = texts(ask_all(make_engine(max_rows=5).open(), pictures, asked))
    engine = make_engine(max_rows=5)
    steps: Any = EagerRunner(engine.generation.layers, 5, like=engine.generation.text_pool.keys[0])
    grammars: Any = engine.generation.grammars
    if where == "step":
        steps = cramped = Cramped(steps, "run", most)
    else:
        grammars = cramped = Cramped(grammars, "fill", most)
    decoder = Decoder(steps, grammars, engine.ends, on_cuda=False)
    session = with_decoder(engine, decoder)
    assert texts(ask_all(session, pictures, asked)) == expected
    assert cramped.sizes[0] == 5
    assert max(cramped.sizes[3:]) == most == decoder.row_limit.current
    session.close()
    before = len(cramped.sizes)
    assert texts(ask_all(with_decoder(engine, decoder), pictures, asked)) == expected
    assert max(cramped.sizes[before:]) == most


class ShortFor:
    """Steps that fail whenever they are to work for a certain row, named by its place in the text pool, or for any from some step on."""

    def __init__(self, inner: "StepRunner", *, poison: int | None = None, steps: int | None = None) -> None:
        self._inner, self.max_rows, self._poison, self._left = inner, inner.max_rows, poison, steps

    def max_row_tokens(self, rows: int) -> int:
        return self._inner.max_row_tokens(rows)

    def run(self, feeds: Sequence["RowInput"], wanted: Sequence[int]) -> Any:
        if self._left == 0 or any(feed.text == self._poison for feed in feeds):
            raise memory_error()
        self._left = self._left - 1 if self._left is not None else None
        return self._inner.run(feeds, wanted)


def test_a_row_that_fits_nowhere_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Its neighbours get the same answers, and all memory is freed."""
    expected = texts(ask_all(make_engine(max_rows=4).open(), pictures[:4]))
    engine = make_engine(max_rows=4)
    before = engine.text_tokens_free
    second = (
        1
        + len(engine.generation.prompter.prompt(asks(1)[0].turns).prefix)
        + len(engine.generation.prompter.prompt(asks(1)[0].turns).question)
    )
    found = ask_all(with_steps(engine, lambda steps: ShortFor(steps, poison=second + 10)), pictures[:4])
    assert isinstance(found[1], ReaderUnavailable)
    assert "Close other programs" in str(found[1])
    assert [found[row].text for row in (0, 2, 3)] == [expected[row] for row in (0, 2, 3)]
    assert engine.text_tokens_free == before


def test_answers_from_before_memory_ran_out_are_kept(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """No step succeeds after the sixth: rows that had ended by then keep their answers, the others are retried later."""
    engine = make_engine(max_rows=4)
    before = engine.text_tokens_free, engine.image_tokens_free
    asked = {row: ModelRequest(("Read.",), None, max_tokens=3 if row == 2 else 40) for row in range(4)}
    session = with_steps(engine, lambda steps: ShortFor(steps, steps=6), max_run=1)
    found = ask_all(session, pictures[:4], asked)
    assert isinstance(found[2], ModelReply)
    assert [type(found[row]) for row in (0, 1, 3)] == [ReaderUnavailable] * 3
    session.close()
    assert (engine.text_tokens_free, engine.image_tokens_free) == before


def test_after_some_calm_batches_more_is_tried_again() -> None:
    """Memory may be free again; the limit is never more than at first, and never less than one."""
    row_limit = BatchSizeLimit(12, "rows")
    row_limit.halve(9, memory_error())  # type: ignore[arg-type]
    assert row_limit.current == 4
    for expected in (8, 12, 12):
        for _ in range(CALM_BATCHES - 1):
            before = row_limit.current
            row_limit.end_batch()
            assert row_limit.current == before
        row_limit.end_batch()
        assert row_limit.current == expected
    row_limit.halve(1, memory_error())  # type: ignore[arg-type]
    assert row_limit.current == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 600.00 MiB."), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported elsewhere"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
)
def test_out_of_memory_is_distinguished_from_other_errors(error: RuntimeError, expected: bool) -> None:
    """The driver and cuBLAS have no error class for it; a broken GPU must not look like a full one."""
    assert is_out_of_memory(error) is expected


def test_out_of_memory_in_a_capture_is_recognised() -> None:
    """Ending a capture that ran out of memory may fail with an error of its own."""

    def capture() -> None:
        try:
            raise memory_error()
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    with pytest.raises(RuntimeError, match="capture") as caught:
        capture()
    assert is_out_of_memory(caught.value)


def test_generate_answers_fewer_at_a_time(reference: Any, pictures: list[Image.Image]) -> None:
    """Other architectures halve their batches, too; the next batch begins with the lower limit."""
    engine = GenerateEngine(reference._loaded, VisionOptions(max_rows=3))
    expected = texts(ask_all(engine.open(), pictures[:3]))
    model = CrampedModel(reference._loaded.model, most=1, after=4)
    session = GenerateSession(engine, dataclasses.replace(reference._loaded, model=model))
    assert texts(ask_all(session, pictures[:3])) == expected
    assert model.sizes == [3, 1, 1, 1]
    assert engine.row_limit.current == 1


def test_generate_keeps_answers_from_before_memory_ran_out(reference: Any, pictures: list[Image.Image]) -> None:
    """A row that had ended is not read again."""
    engine = GenerateEngine(reference._loaded, VisionOptions(max_rows=3))
    asked = {row: ModelRequest(("Read.",), None, max_tokens=2 if row == 1 else 12) for row in range(3)}
    expected = texts(ask_all(engine.open(), pictures[:3], asked))
    model = CrampedModel(reference._loaded.model, most=2, after=4)
    session = GenerateSession(engine, dataclasses.replace(reference._loaded, model=model))
    found = ask_all(session, pictures[:3], asked)
    assert [found[row].text for row in range(3)] == expected
    assert model.sizes == [3, 1, 1]


def test_what_does_not_fit_alone_fails_alone_in_generate(reference: Any, pictures: list[Image.Image]) -> None:
    engine = GenerateEngine(reference._loaded, VisionOptions(max_rows=2))
    model = CrampedModel(reference._loaded.model, most=0, after=4)
    asked = {row: ModelRequest(("Read.",), None, max_tokens=2 if row == 0 else 12) for row in range(2)}
    found = ask_all(GenerateSession(engine, dataclasses.replace(reference._loaded, model=model)), pictures[:2], asked)
    assert isinstance(found[0], ModelReply)
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
                raise memory_error()
            return scores

        return self._inner.generate(logits_processor=[*logits_processor, check], **arguments)
