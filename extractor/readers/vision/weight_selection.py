"""Selects the weights to load and their precision: the 4-bit weights in the options, or the 16-bit weights they were made from. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from extractor.errors import ConfigError, ReaderUnavailable
from extractor.readers.vision.model_options import VisionOptions

GIB = 1 << 30

# 4 bits take more than half a byte: embeddings, norms and the vision model's scales stay at 16 bits (11B: 6.7 GiB, measured).
BYTES_PER_WEIGHT = {"4bit": 0.68, "16bit": 2.0, "32bit": 4.0}

# What one receipt takes in addition to the weights: image keys, text keys, and the vision model's activations (0.9 to 2.0 GiB measured).
WORKING_BYTES = 2 * GIB

# What some twenty receipts take beside the weights. Steps in 16 bits are faster from 8 rows on (measured), but the rows that 4-bit
# weights leave room for outweigh that on smaller cards.
BATCH_BYTES = 12 * GIB

# Suffixes in names of 4-bit weights; without it, it is the name of the 16-bit weights that they were made from.
SIBLING_SUFFIXES = ("-unsloth-bnb-4bit", "-bnb-4bit")

# Models to suggest when memory is short, with the free memory that each needs; smallest first.
SMALLER_MODELS = (
    (5 * GIB, "unsloth/Qwen3-VL-4B-Instruct-unsloth-bnb-4bit"),
    (8 * GIB, "unsloth/Qwen3-VL-8B-Instruct-unsloth-bnb-4bit"),
)

Precision = Literal["4bit", "16bit", "32bit"]


@dataclass(frozen=True)
class WeightChoice:
    """The weights to load.

    Attributes:
        model: Name on the hub, or folder.
        precision: Bits per weight.
        why: The reason in a few words, and what would be faster, if anything.
    """

    model: str
    precision: Precision
    why: str


def sibling_of(model: str) -> str | None:
    """Return the name of the 16-bit weights that 4-bit weights were made from; `None` for other names, and folders without a sibling."""
    base = next((model.removesuffix(suffix) for suffix in SIBLING_SUFFIXES if model.endswith(suffix)), None)
    is_folder = Path(model).is_absolute() or Path(model).is_dir()
    return None if base is None or (is_folder and not Path(base).is_dir()) else base


def names_of(options: VisionOptions) -> tuple[str, ...]:
    """Return the names of the weights that the options allow, that in the options first."""
    sibling = sibling_of(options.model)
    if sibling is None or options.precision == "4bit":
        return (options.model,)
    return (options.model, sibling) if options.precision == "auto" and options.device != "cpu" else (sibling,)


def choose(
    options: VisionOptions, free: int | None, *, config_of: Callable[[str], dict[str, Any]], is_here: Callable[[str], bool]
) -> WeightChoice:
    """Choose the weights to load.

    Weights on this machine take precedence over weights that would have to be downloaded.

    Args:
        free: Bytes of GPU memory that may be used; `None` on a CPU.
        config_of: Returns a model's config.json; may download it, and raises if it cannot.
        is_here: Whether a model's weights are on this machine.
    Raises:
        ConfigError: The weights have another precision than the options.
        ReaderUnavailable: Not even the smallest precision fits.
    """
    names = names_of(options)
    if len(names) == 1:
        asked = f"{options.precision} asked for" if free is not None else "a CPU reads no 4-bit weights"
        why = "as named" if names == (options.model,) else asked
        return _at(names[0], options, free, config_of(names[0]), why)
    assert free is not None  # noqa: S101 - on a CPU there is one name
    named, sibling = names
    here = [name for name in names if is_here(name)]
    config = config_of(here[0] if here else named)
    need = int(weight_count(config) * BYTES_PER_WEIGHT["16bit"]) + BATCH_BYTES
    sizes = f"16-bit weights and a batch take {need / GIB:.0f} GiB, {free / GIB:.0f} GiB are free"
    if here == [sibling]:
        return _at(sibling, options, free, config, f"the weights of {named} are not on this machine")
    if need > free:
        return _at(named, options, free, config_of(named), sizes)
    if here == [named]:
        why = f"{sizes}, and batches would be read faster, but those weights are not on this machine: hf download {sibling}"
        return _at(named, options, free, config, why)
    return _at(sibling, options, free, config_of(sibling), f"{sizes}: batches are read faster than with {named}")


def _at(model: str, options: VisionOptions, free: int | None, config: dict[str, Any], why: str) -> WeightChoice:
    return WeightChoice(model, _precision(model, options, free, config), why)


def _precision(model: str, options: VisionOptions, free: int | None, config: dict[str, Any]) -> Precision:
    """Return the precision: that of the options, otherwise 16 bits if they fit, otherwise 4.

    Raises:
        ReaderUnavailable: Not even that fits.
    """
    if free is None:
        return "32bit" if options.precision == "auto" else options.precision
    is_quantized = "quantization_config" in config
    if is_quantized and options.precision not in {"auto", "4bit"}:
        raise ConfigError(f'{model} holds 4-bit weights. Set precision = "4bit", or the name of the model\'s 16-bit weights.')
    wanted: tuple[Precision, ...] = ("4bit",) if is_quantized else ("16bit", "4bit")
    if options.precision != "auto":
        wanted = (options.precision,)
    weights = weight_count(config)
    needs = {precision: int(weights * BYTES_PER_WEIGHT[precision]) + WORKING_BYTES for precision in wanted}
    for precision, need in needs.items():
        if need <= free:
            return precision
    smaller = [name for least, name in SMALLER_MODELS if least <= free]
    advice = f'Set model = "{smaller[-1]}"' if smaller else "Use the ocr reader"
    raise ReaderUnavailable(
        f"{model} takes about {min(needs.values()) / GIB:.1f} GiB of GPU memory; {free / GIB:.1f} GiB are free. "
        f"Close other programs on the GPU. {advice}."
    )


def weight_count(config: dict[str, Any]) -> int:
    """Estimate the number of weights from the shapes in config.json, within a few per cent: 10.6 billion for Llama 3.2 11B Vision."""
    text = config.get("text_config", config)
    size, layers, inner = text["hidden_size"], text["num_hidden_layers"], text["intermediate_size"]
    heads, key_heads = text["num_attention_heads"], text.get("num_key_value_heads", text["num_attention_heads"])
    attention = 2 * size * size * (1 + key_heads / heads)
    per_layer = attention + 3 * size * inner
    vision = config["vision_config"]
    vision_size = vision.get("hidden_size", 1280)
    vision_layers = vision.get("num_hidden_layers", vision.get("depth", 32)) + vision.get("num_global_layers", 0)
    return int(layers * per_layer + 2 * text["vocab_size"] * size + vision_layers * 12 * vision_size**2)
