"""The vision reader: a model from the hub or a local folder, with the interface of every reader."""

from collections.abc import Sequence
from functools import partial

from extractor.readers.base import Document, Reader
from extractor.readers.prompts import PROMPT_VERSION
from extractor.readers.vision.batch import VisionReading
from extractor.readers.vision.engine import Engine
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.reader_process import WorkerReader

# Increment it when the same page would be shown in another way.
LOOKS_VERSION = "2"

READER_VERSION = f"{PROMPT_VERSION}.{LOOKS_VERSION}"


class VisionReader:
    """Reads with a model in this process; see `Reader`.

    Args:
        model: Name of the loaded model, stored with every record.
        max_tokens: Maximum length of an answer.
    """

    name = "vision"
    prompt_version = READER_VERSION

    def __init__(self, engine: Engine, *, model: str, max_tokens: int) -> None:
        self._engine, self.model, self._max_tokens = engine, model, max_tokens

    def open(self, documents: Sequence[Document]) -> VisionReading:
        return VisionReading(self._engine.open(), documents, max_tokens=self._max_tokens)


def load_reader(options: VisionOptions) -> VisionReader:
    """Load the model into this process, which takes about a minute, and return the reader.

    Raises:
        ConfigError: Something is missing; the message says what and what to do.
        ReaderUnavailable: Not enough GPU memory is free.
    """
    engine, model = load_engine(options)
    return VisionReader(engine, model=model, max_tokens=options.max_tokens)


def load_engine(options: VisionOptions) -> tuple[Engine, str]:
    """Load the model alone, for free questions; return its engine and name. Mllama has its own decoding loop; others use `generate`.

    Raises:
        ConfigError: Something is missing; the message says what and what to do.
        ReaderUnavailable: Not enough GPU memory is free.
    """
    from extractor.readers.vision.model_loading import load  # noqa: PLC0415 - imports torch and transformers

    loaded = load(options)
    if loaded.architecture == "mllama":
        from extractor.readers.vision.mllama import MllamaEngine  # noqa: PLC0415 - as above

        return MllamaEngine(loaded, options), loaded.name
    from extractor.readers.vision.generation import GenerateEngine  # noqa: PLC0415 - as above

    return GenerateEngine(loaded, options), loaded.name


def vision_reader(options: VisionOptions) -> Reader:
    """Return a reader whose model is in a worker process: loaded with the first receipts, unloaded when idle, replaced when it fails."""
    return WorkerReader(
        partial(load_reader, options),
        name=VisionReader.name,
        model=options.model,
        prompt_version=VisionReader.prompt_version,
        answer_seconds=options.answer_seconds,
        idle_seconds=options.idle_seconds,
        recycle_receipts=options.recycle_receipts,
    )
