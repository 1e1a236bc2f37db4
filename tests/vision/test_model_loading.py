"""Loading: Unsloth and transformers give the same model, and errors say what is missing and what to do."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from huggingface_hub import errors  # noqa: E402 - not without torch

from extractor.errors import ConfigError, ReaderUnavailable  # noqa: E402 - as above
from extractor.readers.vision import model_loading  # noqa: E402 - as above
from extractor.readers.vision.model_options import VisionOptions  # noqa: E402 - as above
from extractor.readers.vision.weight_selection import GIB  # noqa: E402 - as above

if TYPE_CHECKING:
    from extractor.readers.vision.model_loading import LoadedModel

pytestmark = pytest.mark.vision

# A package that stands in for Unsloth, which needs CUDA.
UNSLOTH_DOUBLE = """
from transformers import AutoModelForImageTextToText, AutoProcessor

asked = {}


class FastVisionModel:
    @staticmethod
    def from_pretrained(name, **arguments):
        asked.update(arguments)
        return AutoModelForImageTextToText.from_pretrained(name), AutoProcessor.from_pretrained(name)

    @staticmethod
    def for_inference(model):
        asked["for_inference"] = True
"""


def on_cpu(model: Path | str, **options: Any) -> VisionOptions:
    return VisionOptions(model=str(model), device="cpu", offline=True, **options)


def test_a_loaded_model_is_ready_to_read(loaded_mllama: "LoadedModel", mllama_folder: Path) -> None:
    """In evaluation mode, padding on the left, knowing where answers end, and named as it is filed."""
    assert not loaded_mllama.model.training
    assert loaded_mllama.processor.tokenizer.padding_side == "left"
    assert loaded_mllama.ends == {loaded_mllama.processor.tokenizer.eos_token_id}
    assert loaded_mllama.name == f"{mllama_folder} (32bit)"


def test_unsloth_gives_the_same_model(
    loaded_mllama: "LoadedModel", mllama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way in: same weights, in 4 bits where asked for, made ready for inference."""
    (tmp_path / "unsloth.py").write_text(UNSLOTH_DOUBLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    model, _ = model_loading._load_with_unsloth(on_cpu(mllama_folder), "4bit")
    import unsloth  # noqa: PLC0415 - the double above

    assert unsloth.asked["load_in_4bit"] is True
    assert unsloth.asked["local_files_only"] is True
    assert unsloth.asked["for_inference"] is True
    for ours, theirs in zip(loaded_mllama.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_what_unsloth_and_the_hub_read_is_set_before_they_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statistics, no folder in the working directory, no network for a local folder; what the user has set stays."""
    for name in ("UNSLOTH_DISABLE_STATISTICS", "UNSLOTH_COMPILE_LOCATION", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    model_loading._prepare_environment(VisionOptions(model=str(tmp_path), cache_dir=tmp_path / "cache"))
    assert os.environ["UNSLOTH_DISABLE_STATISTICS"] == "1"
    assert os.environ["UNSLOTH_COMPILE_LOCATION"] == str(tmp_path / "cache" / "unsloth")
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "config.json is missing"),
        ({"model_type": "llama"}, "takes no images"),
        ({"model_type": "x", "vision_config": {}}, "cannot"),
    ],
    ids=["no weights", "text only", "unknown architecture"],
)
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, config: dict[str, Any] | None, message: str) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=message) as caught:
        model_loading.load(on_cpu(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_a_folder_without_its_weights_is_named(mllama_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((mllama_folder / "config.json").read_text())
    with pytest.raises(ConfigError, match="missing or incomplete"):
        model_loading.load(on_cpu(tmp_path))


def test_a_model_that_is_not_on_this_machine_is_named() -> None:
    """Offline, with the command that fetches it."""
    with pytest.raises(ConfigError, match="hf download nobody/nothing"):
        model_loading.load(on_cpu("nobody/nothing"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_an_error_that_names_the_other_reader(mllama_folder: Path) -> None:
    """A CPU is only used when asked for by name: it would take minutes a receipt."""
    with pytest.raises(ConfigError, match='name = "ocr"'):
        model_loading.load(VisionOptions(model=str(mllama_folder)))


@pytest.mark.parametrize(("loader", "precision"), [("unsloth", "4bit"), ("unsloth", "16bit")])
def test_unsloth_is_refused_where_it_cannot_work(mllama_folder: Path, loader: Any, precision: Any) -> None:
    with pytest.raises(ConfigError, match=r"Unsloth|unsloth"):
        model_loading.load(on_cpu(mllama_folder, loader=loader, precision=precision))


def hub_errors() -> list[type[Exception]]:
    """Every class that the hub's client may raise when asked for a file."""
    bases = (errors.HfHubHTTPError, errors.EntryNotFoundError, errors.HFValidationError)
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, bases)]


@pytest.mark.parametrize("kind", hub_errors())
def test_every_error_of_the_hub_is_ours(kind: type[Exception]) -> None:
    """The message names the model and says what to do; only what may pass by itself is tried again."""
    found = model_loading.hub_error("nobody/nothing", kind.__new__(kind))
    assert isinstance(found, ConfigError | ReaderUnavailable)
    assert "nobody/nothing" in str(found)
    if kind is errors.GatedRepoError:
        assert "accept its licence" in str(found)


def test_memory_is_shared_out() -> None:
    """As many rows as fit, never more than asked for; a card that is too small for one receipt is refused with the numbers."""
    from extractor.readers.vision.layers import Shape  # noqa: PLC0415 - imports transformers
    from extractor.readers.vision.mllama import plan_memory  # noqa: PLC0415 - as above

    images = tuple(range(3, 40, 5))
    shape = Shape(tuple(index for index in range(40) if index not in images), images, 8, 128, 1601, 4)
    options = VisionOptions(max_tokens=512)
    roomy, small = (plan_memory(shape, torch.bfloat16, free * GIB, options) for free in (57, 4))
    assert (roomy.rows, roomy.chunk) == (64, 8)
    assert (small.rows, small.chunk) == (5, 1)
    with pytest.raises(ReaderUnavailable, match=r"2\.3 GiB of GPU memory beside the model; 1\.0 GiB are free"):
        plan_memory(shape, torch.bfloat16, GIB, options)
    assert roomy.image_tokens == 65 * 4 * 1601
