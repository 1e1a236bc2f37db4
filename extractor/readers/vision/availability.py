"""Whether the vision reader can read here without asking anybody for anything: what `auto` needs to know before it takes it."""

import importlib.util
from pathlib import Path

from extractor.readers.vision.options import VisionOptions


def why_not(options: VisionOptions) -> str | None:
    """What keeps the vision reader from reading on this machine as it is, in a few words; `None` where nothing does.

    Weights count where they are on the machine already: `auto` never downloads gigabytes unasked.
    """
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    import torch  # noqa: PLC0415 - seconds to import, and optional

    if options.device != "cpu" and not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if not _weights_are_here(options.model):
        return f"the weights of {options.model} are not on this machine"
    return None


def _weights_are_here(model: str) -> bool:
    if Path(model).is_dir():
        return True
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - comes with transformers

    return isinstance(try_to_load_from_cache(model, "config.json"), str)
