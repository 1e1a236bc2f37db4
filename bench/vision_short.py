"""GPU memory shortage: other programs allocate memory while a batch is read, and release it."""

import gc
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from bench.vision_parts import AGAIN, Row, engine_in_memory, engine_of, receipt_image
from extractor.errors import ReaderUnavailable
from extractor.readers.base import ReaderError
from extractor.readers.prompts import FIRST, answer_schema, prompt
from extractor.readers.vision.engine import Engine, ModelReply, ModelRequest
from extractor.readers.vision.generation import GenerateEngine
from extractor.readers.vision.model_loading import LoadedModel
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.weight_selection import GIB

ROWS = 32
# GPU memory left free when a batch begins.
LEFT_GIB = (4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.02)

Answers = list[Mapping[int, ModelReply | ReaderError]]

FIRST_ASKS = {row: ModelRequest((prompt(FIRST) + "!" * row,), answer_schema(FIRST), 100) for row in range(ROWS)}
SECOND_ASKS = {row: ModelRequest((prompt(AGAIN) + "?" * row,), answer_schema(AGAIN), 50) for row in range(ROWS)}


def short() -> Iterator[Row]:
    """Compare answers token for token under shortage: full width, ten layers, 32 bits."""
    engine, loaded = engine_in_memory(layers=10, dtype=torch.float32, max_rows=ROWS)
    expected = asked(engine)
    del engine
    wanted = f"{ROWS} and {ROWS} equal, or to be read again; none lost"
    for left in LEFT_GIB:
        tidy()
        engine = engine_of(loaded, max_rows=ROWS)
        with counted() as shortages, filled(left):
            found = asked(engine)
        now = f"{engine.generation.decoder.row_limit.current} rows a step, {engine.generation.question_limit.current} question tokens"
        yield Row(f"{left:g} GiB left: first and second question", f"{summary_of(found, expected)}; {listed(shortages)}; {now}", wanted)
        yield Row("the next batch, with the memory back", summary_of(asked(engine), expected), f"{ROWS} and {ROWS} equal")
        del engine
    tidy()
    yield from generated(loaded)


def generated(loaded: LoadedModel) -> Iterator[Row]:
    """The same for the generic engine of other architectures."""
    expected = asked(GenerateEngine(loaded, VisionOptions(max_rows=ROWS)), rows=8)
    for left in (2.0, 0.5):
        tidy()
        engine = GenerateEngine(loaded, VisionOptions(max_rows=8))
        with counted() as shortages, filled(left):
            found = asked(engine, rows=8)
        yield Row(
            f"generate, {left:g} GiB left", f"{summary_of(found, expected)}; {listed(shortages)}", "8 and 8 equal, or to be read again"
        )


def asked(engine: Engine, *, rows: int = ROWS) -> Answers:
    """Return the answers to a first question, and to a second one about the same images."""
    session = engine.open()
    try:
        for number in range(rows):
            session.add(receipt_image(number))
        return [session.ask({row: asks[row] for row in range(rows)}) for asks in (FIRST_ASKS, SECOND_ASKS)]
    finally:
        session.close()


def summary_of(found: Answers, expected: Answers) -> str:
    """Count equal answers, retryable errors and wrong answers for each question."""
    counts = []
    for own, right in zip(found, expected, strict=True):
        kinds = Counter(_kind(own.get(row), said) for row, said in right.items())
        counts.append(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    return "; ".join(counts)


def _kind(own: ModelReply | ReaderError | None, right: ModelReply | ReaderError) -> str:
    if own is None:
        return "LOST"
    if isinstance(own, ReaderUnavailable):
        return "to be read again"
    return "equal" if isinstance(own, ModelReply) and isinstance(right, ModelReply) and own.tokens == right.tokens else "WRONG"


@contextmanager
def filled(left_gib: float) -> Iterator[None]:
    """Allocate GPU memory until only `left_gib` are free."""
    tidy()
    free = torch.cuda.mem_get_info()[0]
    ballast = torch.empty(max(0, free - int(left_gib * GIB)), dtype=torch.uint8, device="cuda")
    try:
        yield
    finally:
        del ballast
        tidy()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count memory shortages by operation."""
    seen = Counter[str]()

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "vision_memory_short":
                seen[vars(record)["what"]] += 1

    logger, handler = logging.getLogger("extractor"), Counting()
    logger.addHandler(handler)
    try:
        yield seen
    finally:
        logger.removeHandler(handler)


def listed(shortages: Counter[str]) -> str:
    return "short for " + (", ".join(f"{what} {count} times" for what, count in shortages.most_common()) or "nothing")


def tidy() -> None:
    """Return unused memory to the driver."""
    gc.collect()
    torch.cuda.empty_cache()
