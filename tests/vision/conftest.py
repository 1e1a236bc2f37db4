"""Tiny models, loaded once for all tests of the vision reader."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from extractor.readers.vision.generation import GenerateEngine
    from extractor.readers.vision.mllama import MllamaEngine
    from extractor.readers.vision.model_loading import LoadedModel

HERE = Path(__file__).parent

# Transformers 5.17 uses a deprecated name of its own vision layers.
TRANSFORMERS_TALKS_TO_ITSELF = "ignore:`hidden_state` is deprecated:FutureWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(TRANSFORMERS_TALKS_TO_ITSELF))


@pytest.fixture(scope="session")
def tiny() -> Any:
    """The module that builds and loads tiny models; imported here because torch may be missing where these tests are skipped."""
    return pytest.importorskip("tests.vision.tiny")


@pytest.fixture(scope="session")
def mllama_folder(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Mllama model."""
    folder: Path = tiny.save_mllama(tmp_path_factory.mktemp("mllama"))
    return folder


@pytest.fixture(scope="session")
def loaded_mllama(tiny: Any, mllama_folder: Path) -> "LoadedModel":
    loaded: LoadedModel = tiny.load(tiny.VisionOptions(model=str(mllama_folder), device="cpu"))
    return loaded


@pytest.fixture(scope="session")
def reference(tiny: Any, loaded_mllama: "LoadedModel") -> "GenerateEngine":
    """The tiny Mllama model, answering through `generate`."""
    engine: GenerateEngine = tiny.GenerateEngine(loaded_mllama, tiny.VisionOptions())
    return engine


@pytest.fixture(scope="session")
def qwen(tiny: Any) -> "GenerateEngine":
    """A tiny Qwen3-VL model."""
    engine: GenerateEngine = tiny.GenerateEngine(tiny.load_qwen(), tiny.VisionOptions())
    return engine


@pytest.fixture
def make_engine(tiny: Any, loaded_mllama: "LoadedModel") -> Callable[..., "MllamaEngine"]:
    """Makes the engine of the tiny Mllama model, with any options."""
    return lambda **options: tiny.MllamaEngine(
        loaded_mllama, tiny.VisionOptions(device="cpu", **{"max_rows": 4, "max_tokens": 200} | options)
    )


def picture(width: int, height: int, seed: int) -> Image.Image:
    """An image unlike those of other seeds: bars of random length and colour."""
    image, dice = Image.new("RGB", (width, height), "white"), random.Random(seed)  # noqa: S311 - no secret
    draw = ImageDraw.Draw(image)
    for row in range(0, height, 2):
        draw.line([0, row, dice.randrange(width), row], fill=(dice.randrange(256), dice.randrange(256), dice.randrange(256)))
    return image


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Images of one, four, four, three and four tiles."""
    return [picture(*size, seed) for seed, size in enumerate([(28, 28), (28, 112), (56, 56), (28, 60), (100, 20)])]
