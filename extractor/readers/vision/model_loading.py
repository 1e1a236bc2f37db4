"""Loads a vision model and its processor with Unsloth or plain transformers; errors say what is missing and how to get it."""

import importlib.util
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from extractor.errors import ConfigError, ReaderUnavailable
from extractor.readers.vision.availability import are_here
from extractor.readers.vision.model_options import DEFAULT_MODEL, VisionOptions
from extractor.readers.vision.weight_selection import Precision, WeightChoice, choose

log = logging.getLogger(__name__)

HOW_TO_INSTALL = "Install it: pip install '.[vision]' in the source code's folder."


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory.

    Attributes:
        model: A transformers model for conditional generation, in evaluation mode.
        processor: Its processor, with a tokenizer that pads on the left.
        name: The model's name with its precision, as stored with every record.
    """

    model: Any
    processor: Any
    name: str

    @property
    def architecture(self) -> str:
        """Transformers' name of the architecture, such as `mllama` or `qwen3_vl`."""
        return str(self.model.config.model_type)

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id
        return frozenset(ends if isinstance(ends, list) else [ends])


def load(options: VisionOptions) -> LoadedModel:
    """Load the model that `options` name.

    Raises:
        ConfigError: No torch, no CUDA, no Unsloth although it is requested, no weights, gated weights, or a model that takes no images.
        ReaderUnavailable: Less GPU memory is free than the model needs.
    """
    began = time.monotonic()
    device = _device(options)
    choice = planned(options)
    options, precision = replace(options, model=choice.model), choice.precision
    config = _config(options)
    loader = _loader(options, device, precision)
    log.info("vision_loading", extra={"model": options.model, "precision": precision, "why": choice.why, "loader": loader})
    with _convert_errors(options):
        if loader == "unsloth":
            model, processor = _load_with_unsloth(options, precision)
        else:
            model, processor = _load_with_transformers(options, precision, device, is_quantized="quantization_config" in config)
    if processor.tokenizer.padding_side != "left":
        processor.tokenizer.padding_side = "left"
    model.eval()
    log.info("vision_loaded", extra={"model": options.model, "seconds": round(time.monotonic() - began, 1)})
    return LoadedModel(model, processor, f"{options.model} ({precision})")


def planned(options: VisionOptions) -> WeightChoice:
    """Return the weights that `load` would load, and why. Of a model that is not on this machine, only config.json is downloaded.

    Raises:
        ConfigError, ReaderUnavailable: As `load`.
    """
    device = _device(options)
    _prepare_environment(options)
    return choose(options, _free(options, device), config_of=lambda model: _config(replace(options, model=model)), is_here=are_here)


def _free(options: VisionOptions, device: str) -> int | None:
    """Return the bytes of GPU memory that may be used; `None` on a CPU."""
    if device == "cpu" or options.memory_bytes is not None:
        return None if device == "cpu" else options.memory_bytes
    import torch  # noqa: PLC0415 - as in `_device`

    free: int = torch.cuda.mem_get_info()[0]
    return free


def _device(options: VisionOptions) -> str:
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        raise ConfigError(f"The vision reader needs torch and transformers. {HOW_TO_INSTALL}")
    if options.device == "cpu":
        return "cpu"
    import torch  # noqa: PLC0415 - seconds to import, and optional

    if not torch.cuda.is_available():
        raise ConfigError(
            "The vision reader needs an NVIDIA GPU, and torch sees none. Check the driver with nvidia-smi, and that torch is a CUDA build, "
            'or read with the ocr reader (name = "ocr" under [reader] in receipts.toml).'
        )
    return "cuda"


def _loader(options: VisionOptions, device: str, precision: Precision) -> str:
    installed = importlib.util.find_spec("unsloth") is not None
    if options.loader == "unsloth" and not installed:
        raise ConfigError(f'Unsloth is not installed. {HOW_TO_INSTALL} Or set loader = "transformers".')
    if options.loader == "auto":
        return "unsloth" if installed and device == "cuda" and precision != "32bit" else "transformers"
    if options.loader == "unsloth" and (device == "cpu" or precision == "32bit"):
        raise ConfigError('Unsloth supports 4 and 16 bits, on CUDA only. Set loader = "transformers" for a CPU or 32 bits.')
    return options.loader


def _prepare_environment(options: VisionOptions) -> None:
    """Set environment variables that Unsloth and the hub read at import, unless the user has set them."""
    cache = options.cache_dir or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "receipt-extractor"
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")  # its usage counter can hang and raise TimeoutError
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str((cache / "unsloth").absolute()))  # otherwise it writes into the working folder
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if options.offline or Path(options.model).is_dir():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


def _config(options: VisionOptions) -> dict[str, Any]:
    """Return the contents of the model's config.json.

    Raises:
        ConfigError: There is no such model here, it may not be downloaded, or it takes no images.
    """
    folder = Path(options.model)
    if folder.is_absolute() or folder.is_dir():
        path = folder / "config.json"
        if not path.is_file():
            raise ConfigError(f"{folder} holds no model: config.json is missing. Set model to the folder that holds the weights.")
    else:
        path = _downloaded_config(options)
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "vision_config" not in config:
        raise ConfigError(f"{options.model} ({config.get('model_type')}) takes no images. Use a vision model such as {DEFAULT_MODEL}.")
    return config


def _downloaded_config(options: VisionOptions) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - comes with the extra
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError  # noqa: PLC0415

    try:
        return Path(hf_hub_download(options.model, "config.json", local_files_only=options.offline))
    except (HfHubHTTPError, EntryNotFoundError, HFValidationError) as error:
        raise hub_error(options.model, error) from error


_GATE = f"accept its licence on https://huggingface.co/{{model}} and log in with `hf auth login`, or use {DEFAULT_MODEL}, which is open."


def hub_error(model: str, error: Exception) -> ConfigError | ReaderUnavailable:
    """Return our error for an error of the hub's client; the most specific class wins."""
    from huggingface_hub import errors  # noqa: PLC0415 - comes with the extra

    meanings: tuple[tuple[type[Exception], str], ...] = (
        (errors.GatedRepoError, f"{model} is gated: {_GATE.format(model=model)}"),
        (errors.RepositoryNotFoundError, f"There is no model {model} on the hub. Check the name, or give the absolute path of a folder."),
        (
            errors.LocalEntryNotFoundError,
            f"The weights of {model} are not on this machine. Where there is a network: `hf download {model}`.",
        ),
        (errors.EntryNotFoundError, f"{model} has no config.json. Use a repository in transformers' format."),
        (errors.RevisionNotFoundError, f"{model} has no main branch. Use another repository."),
        (errors.HFValidationError, f"{model!r} is not a model name. Use one such as {DEFAULT_MODEL}, or the absolute path of a folder."),
    )
    for kind, meaning in meanings:
        if isinstance(error, kind):
            return ConfigError(meaning)
    return ReaderUnavailable(f"{model} cannot be downloaded from the hub now ({error}). Try again later, or read from a local folder.")


def _load_with_transformers(options: VisionOptions, precision: Precision, device: str, *, is_quantized: bool) -> tuple[Any, Any]:
    import torch  # noqa: PLC0415 - as in `_device`
    from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig  # noqa: PLC0415

    dtype = torch.float32 if precision == "32bit" else torch.bfloat16
    arguments: dict[str, Any] = {"dtype": dtype, "local_files_only": options.offline, "device_map": device}
    if precision == "4bit" and not is_quantized:
        arguments["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, bnb_4bit_use_double_quant=True
        )
    model = AutoModelForImageTextToText.from_pretrained(options.model, **arguments)
    return model, AutoProcessor.from_pretrained(options.model, local_files_only=options.offline)


def _load_with_unsloth(options: VisionOptions, precision: Precision) -> tuple[Any, Any]:
    """Load the model with Unsloth, which patches transformers and must be imported first; the import takes half a minute."""
    from unsloth import FastVisionModel  # noqa: PLC0415 - optional, slow, and patches other libraries

    model, processor = FastVisionModel.from_pretrained(
        options.model,
        max_seq_length=8192,
        load_in_4bit=precision == "4bit",
        use_gradient_checkpointing=False,
        offload_embedding=False,
        local_files_only=options.offline,
    )
    FastVisionModel.for_inference(model)
    return model, processor


@contextmanager
def _convert_errors(options: VisionOptions) -> Iterator[None]:
    """Convert the libraries' exceptions into errors that say what to do."""
    import torch  # noqa: PLC0415 - as in `_device`

    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise ReaderUnavailable(f"GPU memory ran out while {options.model} was loaded. Close other programs on the GPU.") from error
    except ImportError as error:
        raise ConfigError(f"{options.model} needs a package that is missing ({error}). {HOW_TO_INSTALL}") from error
    except OSError as error:
        raise ConfigError(f"The weights of {options.model} are missing or incomplete ({error}). Download them again.") from error
    except (ValueError, KeyError, RuntimeError) as error:
        raise ConfigError(
            f"{options.model} cannot be loaded ({type(error).__name__}: {error}). Use a vision model such as {DEFAULT_MODEL}."
        ) from error
