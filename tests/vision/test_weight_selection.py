"""Which weights are loaded: 16 bits where they pay, 4 bits else, never a download that nobody asked for, and always with the reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extractor import doctor
from extractor.config.settings import ReaderSettings, Settings, VisionSettings
from extractor.errors import ConfigError, ReaderUnavailable
from extractor.readers.vision.model_options import DEFAULT_MODEL, VisionOptions
from extractor.readers.vision.weight_selection import GIB, WeightChoice, choose, names_of, sibling_of, weight_count

# The shape of Llama 3.2 11B Vision.
LLAMA_11B = {
    "model_type": "mllama",
    "text_config": {
        "hidden_size": 4096,
        "num_hidden_layers": 40,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "vision_config": {"hidden_size": 1280, "num_hidden_layers": 32, "num_global_layers": 8},
}

SIXTEEN = "unsloth/Llama-3.2-11B-Vision-Instruct"


def chosen(
    options: VisionOptions, free_gib: float | None, *, here: tuple[str, ...] = (), config_of: Callable[[str], dict[str, Any]] | None = None
) -> WeightChoice:
    """The choice on a machine that has these weights; 4-bit weights are recognised by their name."""

    def config(model: str) -> dict[str, Any]:
        if options.offline and model not in here:
            raise ConfigError(f"The weights of {model} are not on this machine.")
        return LLAMA_11B | ({"quantization_config": {}} if model.endswith("4bit") else {})

    free = None if free_gib is None else int(free_gib * GIB)
    return choose(options, free, config_of=config_of or config, is_here=here.__contains__)


@pytest.mark.parametrize(
    ("model", "sibling"),
    [
        (DEFAULT_MODEL, SIXTEEN),
        ("unsloth/Qwen3-VL-8B-Instruct-unsloth-bnb-4bit", "unsloth/Qwen3-VL-8B-Instruct"),
        (SIXTEEN, None),
        ("/models/llama-bnb-4bit", None),
    ],
)
def test_4_bit_weights_are_recognised_by_their_name(model: str, sibling: str | None) -> None:
    """A folder has a sibling only where it lies beside it."""
    assert sibling_of(model) == sibling


def test_a_folder_s_sibling_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "llama").mkdir()
    assert sibling_of(str(tmp_path / "llama-bnb-4bit")) == str(tmp_path / "llama")


@pytest.mark.parametrize(
    ("free_gib", "here", "offline", "expected", "why"),
    [
        (78, (), False, (SIXTEEN, "16bit"), "read faster"),
        (78, (SIXTEEN, DEFAULT_MODEL), True, (SIXTEEN, "16bit"), "read faster"),
        (78, (DEFAULT_MODEL,), False, (DEFAULT_MODEL, "4bit"), f"hf download {SIXTEEN}"),
        (78, (DEFAULT_MODEL,), True, (DEFAULT_MODEL, "4bit"), f"hf download {SIXTEEN}"),
        (23, (), False, (DEFAULT_MODEL, "4bit"), "take 32 GiB, 23 GiB are free"),
        (23, (SIXTEEN, DEFAULT_MODEL), True, (DEFAULT_MODEL, "4bit"), "take 32 GiB, 23 GiB are free"),
        (23, (SIXTEEN,), True, (SIXTEEN, "16bit"), "not on this machine"),
        (12, (SIXTEEN,), False, (SIXTEEN, "4bit"), "not on this machine"),
    ],
)
def test_auto_takes_16_bits_where_they_pay(
    free_gib: int, here: tuple[str, ...], offline: bool, expected: tuple[str, str], why: str
) -> None:
    """With room for a batch, of weights on this machine; those that would have to be downloaded are only mentioned."""
    choice = chosen(VisionOptions(offline=offline), free_gib, here=here)
    assert (choice.model, choice.precision) == expected
    assert why in choice.why


def test_what_is_asked_for_is_taken() -> None:
    """Either way, however much memory there is, and it may be downloaded."""
    asked = chosen(VisionOptions(precision="16bit"), 23, here=(DEFAULT_MODEL,))
    assert (asked.model, asked.precision) == (SIXTEEN, "16bit")
    asked = chosen(VisionOptions(precision="4bit"), 78, here=(SIXTEEN, DEFAULT_MODEL))
    assert (asked.model, asked.precision) == (DEFAULT_MODEL, "4bit")


def test_16_bits_that_are_not_here_are_no_4_bits() -> None:
    """Offline and absent is an error that names them; nothing else is read with instead."""
    with pytest.raises(ConfigError, match=f"The weights of {SIXTEEN} are not on this machine"):
        chosen(VisionOptions(precision="16bit", offline=True), 78, here=(DEFAULT_MODEL,))


def test_a_cpu_reads_the_16_bit_weights() -> None:
    """There 4-bit ones cannot be computed with."""
    assert chosen(VisionOptions(device="cpu"), None) == WeightChoice(SIXTEEN, "32bit", "a CPU reads no 4-bit weights")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (VisionOptions(), (DEFAULT_MODEL, SIXTEEN)),
        (VisionOptions(precision="4bit"), (DEFAULT_MODEL,)),
        (VisionOptions(precision="16bit"), (SIXTEEN,)),
        (VisionOptions(device="cpu"), (SIXTEEN,)),
        (VisionOptions(model="Qwen/Qwen3-VL-8B-Instruct"), ("Qwen/Qwen3-VL-8B-Instruct",)),
    ],
)
def test_the_weights_that_will_do_are_known_without_a_gpu(options: VisionOptions, names: tuple[str, ...]) -> None:
    """The reader `auto` asks whether one of them is here."""
    assert names_of(options) == names


@pytest.mark.parametrize(
    ("free_gib", "quantized", "expected"),
    [(78, False, "16bit"), (23, False, "16bit"), (21, False, "4bit"), (10, False, "4bit"), (10, True, "4bit"), (78, True, "4bit")],
)
def test_precision_follows_free_memory(free_gib: int, quantized: bool, expected: str) -> None:
    """16 bits where they fit, else 4; weights that come in 4 bits under another name stay so."""
    config = LLAMA_11B | ({"quantization_config": {}} if quantized else {})
    assert chosen(VisionOptions(model="any/model"), free_gib, config_of=lambda _: config).precision == expected


@pytest.mark.parametrize(("free_gib", "advice"), [(8, "Qwen3-VL-8B"), (6, "Qwen3-VL-4B"), (3, "ocr reader")])
def test_too_little_memory_says_how_much_is_needed_and_what_fits(free_gib: int, advice: str) -> None:
    with pytest.raises(ReaderUnavailable, match=rf"8\.7 GiB of GPU memory; {free_gib}\.0 GiB are free.*{advice}"):
        chosen(VisionOptions(), free_gib)


def test_16_bits_of_4_bit_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match="holds 4-bit weights"):
        chosen(VisionOptions(model="any/model", precision="16bit"), 78, config_of=lambda _: LLAMA_11B | {"quantization_config": {}})


def test_weights_are_counted_from_shapes() -> None:
    """Llama 3.2 11B Vision has 10.67 billion."""
    assert weight_count(LLAMA_11B) == pytest.approx(10.67e9, rel=0.03)


@pytest.mark.vision
def test_the_doctor_says_which_weights_are_read_with(settings: Settings, mllama_folder: Path) -> None:
    """And why; where there are none, what to do. Nothing is downloaded."""
    vision = VisionSettings(model=str(mllama_folder), device="cpu")
    found = doctor._vision(settings.model_copy(update={"vision": vision}))
    assert found == doctor.Diagnosis("vision", doctor.Level.OK, f"{mllama_folder} would be loaded with 32 bits (as named)")
    absent = {"vision": VisionSettings(device="cpu", precision="16bit"), "reader": ReaderSettings(name="vision")}
    found = doctor._vision(settings.model_copy(update=absent))
    assert found.level is doctor.Level.WARN
    assert f"hf download {SIXTEEN}" in found.fact
    assert "downloads what is missing" in found.advice


@pytest.mark.vision
def test_weights_are_here_when_all_their_files_are(tmp_path: Path) -> None:
    """A download that was broken off, or of the config.json alone, does not count."""
    pytest.importorskip("huggingface_hub", reason="comes with the vision extra")
    from extractor.readers.vision.availability import are_here  # noqa: PLC0415 - with what the line above looks for

    snapshot = tmp_path / "models--some--model" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0123")
    states = [are_here("some/model", cache_dir=tmp_path)]
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    for name, text in (
        ("config.json", "{}"),
        ("model.safetensors.index.json", json.dumps(index)),
        ("model-1.safetensors", ""),
        ("model-2.safetensors", ""),
    ):
        (snapshot / name).write_text(text)
        states.append(are_here("some/model", cache_dir=tmp_path))
    assert states == [False, False, False, False, True]
    assert are_here(str(tmp_path))
    assert not are_here(str(tmp_path / "none"))
