"""When GPU memory runs out: less is done at a time, and what does not fit even alone fails alone."""

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.errors import ReaderUnavailable  # noqa: E402 - not without torch
from extractor.readers.vision.album import Album  # noqa: E402 - as above
from extractor.readers.vision.decoding import Decoder  # noqa: E402 - as above
from extractor.readers.vision.engine import Ask, Said  # noqa: E402 - as above
from extractor.readers.vision.sight import MllamaSight  # noqa: E402 - as above
from extractor.readers.vision.steps import EagerSteps  # noqa: E402 - as above

if TYPE_CHECKING:
    from extractor.readers.vision.mllama import MllamaEngine
    from extractor.readers.vision.steps import Steps

pytestmark = pytest.mark.vision

MakeEngine = Callable[..., "MllamaEngine"]


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
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 600.00 MiB.")
            return call(items, *rest)

        return checked


def with_steps(engine: "MllamaEngine", wrap: Callable[["Steps"], "Steps"], *, max_run: int = 8) -> MllamaSight:
    """A batch of the engine's whose answers take the steps that `wrap` makes of the engine's own."""
    speech = engine.speech
    like = speech.texts.keys[0]
    steps = wrap(EagerSteps(speech.layers, speech.decoder.max_rows, like=like, max_run=max_run))
    decoder = Decoder(steps, speech.grammars, engine.ends, on_cuda=False)
    return MllamaSight(engine.open()._album, dataclasses.replace(speech, decoder=decoder))


def asks(rows: int) -> dict[int, Ask]:
    return {row: Ask((f"Read. {'x ' * row}",), None, max_tokens=10) for row in range(rows)}


def texts(answers: Any) -> list[str]:
    return [answer.text for answer in answers.values()]


def ask_all(sight: MllamaSight, pictures: list[Image.Image]) -> Any:
    for picture in pictures:
        sight.add(picture)
    return sight.ask(asks(len(pictures)))


@pytest.mark.parametrize("most", [1, 2])
def test_images_are_looked_at_fewer_at_a_time(most: int, make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Halved until they fit, and so for the rest of the batch; the answers are the same."""
    engine, images = make_engine(max_rows=5), [pictures[1], pictures[2], pictures[4], pictures[1]]
    tower = Cramped(engine.tower, "look", most)
    album = Album(tower, engine.speech.layers.image_pool, ThreadPoolExecutor(1), chunk=4)  # type: ignore[arg-type]
    assert texts(ask_all(MllamaSight(album, engine.speech), images)) == texts(ask_all(make_engine(max_rows=5).open(), images))
    assert tower.sizes == ([4, 2, 2] if most == 2 else [4, 2, 1, 1, 1, 1])


def test_an_image_that_does_not_fit_alone_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """It is to be read again later; its memory is given back, and the batch ends."""
    engine = make_engine()
    before = engine.image_tokens_free
    album = Album(Cramped(engine.tower, "look", 0), engine.speech.layers.image_pool, ThreadPoolExecutor(1), chunk=4)  # type: ignore[arg-type]
    found = ask_all(MllamaSight(album, engine.speech), pictures[:2])
    assert all(isinstance(answer, ReaderUnavailable) for answer in found.values())
    assert "Close other programs" in str(found[0])
    assert engine.image_tokens_free == before


def test_questions_are_read_fewer_at_a_time(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    engine = make_engine(max_rows=4)
    layers = Cramped(engine.speech.layers, "read", 1)
    sight = engine.open()
    cramped = MllamaSight(sight._album, dataclasses.replace(engine.speech, layers=layers))  # type: ignore[arg-type]
    assert texts(ask_all(cramped, pictures[:4])) == texts(ask_all(make_engine(max_rows=4).open(), pictures[:4]))
    assert layers.sizes[0] == 4
    assert set(layers.sizes[-4:]) == {1}


def test_a_question_that_does_not_fit_alone_fails_alone(make_engine: MakeEngine, pictures: list[Image.Image]) -> None:
    """Its text's memory is given back."""
    engine = make_engine()
    before = engine.text_tokens_free
    speech = dataclasses.replace(engine.speech, layers=Cramped(engine.speech.layers, "read", 0))  # type: ignore[arg-type]
    found = ask_all(MllamaSight(engine.open()._album, speech), pictures[:2])
    assert all(isinstance(answer, ReaderUnavailable) for answer in found.values())
    assert engine.text_tokens_free == before


def test_generate_answers_fewer_at_a_time(reference: Any, pictures: list[Image.Image]) -> None:
    """The way of other architectures, by halves too."""
    loaded = reference._loaded
    sight = reference.open()
    sight._loaded = dataclasses.replace(loaded, processor=CrampedProcessor(loaded.processor))
    for picture in pictures[:3]:
        sight.add(picture)
    found = sight.ask(asks(3))
    assert all(isinstance(answer, Said) for answer in found.values())


class CrampedProcessor:
    """A processor whose batches of more than one end in too little memory."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, text: Sequence[str], **arguments: Any) -> Any:
        if len(text) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return self._inner(text=text, **arguments)
