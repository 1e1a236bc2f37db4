"""Options of the vision reader, with defaults that fit most machines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Llama 3.2 Vision in 4 bits; its licence grants no multimodal rights to people and companies in the EU (see docs/gpu.md).
DEFAULT_MODEL = "unsloth/Llama-3.2-11B-Vision-Instruct-bnb-4bit"


@dataclass(frozen=True)
class VisionOptions:
    """How the vision model is loaded and run.

    Attributes:
        model: Name on the hub, or absolute path of a local folder.
        precision: `4bit`, `16bit`, `32bit` (for CPUs and tests), or `auto`: 16 bits if they fit into free memory, otherwise 4;
            see `weight_selection.choose` for names of 4-bit weights.
        loader: `unsloth`, `transformers`, or `auto`: Unsloth if it is installed and there is CUDA.
        device: `cuda`, `cpu`, or `auto`: CUDA, and an error where there is none. A CPU is used only if set explicitly.
        offline: Use only files that are on this machine.
        cache_dir: Folder for compiled kernels; `None` for the user's cache folder.
        max_rows: Maximum number of receipts that are read side by side; fewer if memory is short.
        max_tokens: Maximum length of an answer, in tokens.
        memory_bytes: GPU memory that may be used in total; `None` for all that is free.
        idle_seconds: Time without a question after which the reading process ends, which frees its memory.
        answer_seconds: Time after which a batch counts as hung.
        recycle_receipts: Receipts after which the reading process is replaced, to limit slow leaks.
    """

    model: str = DEFAULT_MODEL
    precision: Literal["auto", "4bit", "16bit", "32bit"] = "auto"
    loader: Literal["auto", "unsloth", "transformers"] = "auto"
    device: Literal["auto", "cuda", "cpu"] = "auto"
    offline: bool = False
    cache_dir: Path | None = None
    max_rows: int = 64
    max_tokens: int = 1536
    memory_bytes: int | None = None
    idle_seconds: float = 900.0
    answer_seconds: float = 900.0
    recycle_receipts: int = 5000
