"""The vision reader: a model from the hub or a folder, behind the seam that every reader has."""

from collections.abc import Sequence
from functools import partial

from extractor.readers.base import Document, Reader
from extractor.readers.prompts import PROMPT_VERSION
from extractor.readers.vision.batch import VisionReading
from extractor.readers.vision.engine import Engine
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.reader_process import WorkerReader

LOOKS_VERSION = "2"
"""Changes whenever the same page would be shown differently."""

READER_VERSION = f"{PROMPT_VERSION}.{LOOKS_VERSION}"


class VisionReader:
    """Reads with a model in this process; see `Reader`.

    Args:
        model: What exactly reads, filed with every record.
        max_tokens: Length of an answer at most.
    """

    name = "vision"
    prompt_version = READER_VERSION

    def __init__(self, engine: Engine, *, model: str, max_tokens: int) -> None:
        self._engine, self.model, self._max_tokens = engine, model, max_tokens

    def open(self, documents: Sequence[Document]) -> VisionReading:
        return VisionReading(self._engine.open(), documents, max_tokens=self._max_tokens)


def load_reader(options: VisionOptions) -> VisionReader:
    """A reader with its model loaded into this process, which takes a minute or so.

    Raises:
        ConfigError: Something is missing; the message says what and what to do.
        ReaderUnavailable: Too little GPU memory is free.
    """
    engine, model = load_engine(options)
    return VisionReader(engine, model=model, max_tokens=options.max_tokens)


def load_engine(options: VisionOptions) -> tuple[Engine, str]:
    """The model alone, for free questions, and its name; Mllama gets steps of its own, every other architecture `generate`.

    Raises:
        ConfigError: Something is missing; the message says what and what to do.
        ReaderUnavailable: Too little GPU memory is free.
    """
    from extractor.readers.vision.loading import load  # noqa: PLC0415 - imports torch and transformers

    loaded = load(options)
    if loaded.architecture == "mllama":
        from extractor.readers.vision.mllama import MllamaEngine  # noqa: PLC0415 - as above

        return MllamaEngine(loaded, options), loaded.name
    from extractor.readers.vision.generation import GeneratingEngine  # noqa: PLC0415 - as above

    return GeneratingEngine(loaded, options), loaded.name


def vision_reader(options: VisionOptions) -> Reader:
    """A reader whose model lives in a process of its own: loaded with the first receipts, given up when idle, replaced when it fails."""
    return WorkerReader(
        partial(load_reader, options),
        name=VisionReader.name,
        model=options.model,
        prompt_version=VisionReader.prompt_version,
        answer_seconds=options.answer_seconds,
        idle_seconds=options.idle_seconds,
        recycle_receipts=options.recycle_receipts,
    )
