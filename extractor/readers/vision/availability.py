"""Tells whether the vision reader can work on this machine as it is; the setting `auto` depends on it."""

import importlib.util
import json
from pathlib import Path

from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.weight_selection import names_of


def why_not(options: VisionOptions) -> str | None:
    """Return why the vision reader cannot work on this machine as it is, in a few words; `None` where it can.

    Weights have to be on the machine already: `auto` never downloads gigabytes unasked.
    """
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    import torch  # noqa: PLC0415 - seconds to import, and optional

    if options.device != "cpu" and not torch.cuda.is_available():
        return "torch sees no CUDA device"
    names = names_of(options)
    if not any(are_here(name) for name in names):
        return f"the weights of {' or '.join(names)} are not on this machine"
    return None


def are_here(model: str, *, cache_dir: Path | None = None) -> bool:
    """Whether all weights of a model are on this machine: its folder exists, or the hub's cache has all files.

    Args:
        cache_dir: The hub's cache; `None` for the user's.
    """
    if Path(model).is_absolute() or Path(model).is_dir():
        return Path(model).is_dir()
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - comes with transformers

    def cached(file: str) -> str | None:
        found = try_to_load_from_cache(model, file, cache_dir=cache_dir)
        return found if isinstance(found, str) else None

    if cached("config.json") is None:
        return False
    index = cached("model.safetensors.index.json")
    if index is None:
        return cached("model.safetensors") is not None
    parts = set(json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"].values())
    return all(cached(part) for part in parts)
