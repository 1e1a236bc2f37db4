"""Shared by the phases of the vision benchmark: table rows, timers, images, and models with random weights."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw

from extractor.documents import Page
from extractor.ocr.transcript import Transcript
from extractor.readers.base import Document, Issue, Question, ReaderError
from extractor.readers.prompts import FIRST, answer_schema, prompt
from extractor.readers.vision.engine import ModelReply, ModelRequest
from extractor.readers.vision.model_loading import LoadedModel
from extractor.readers.vision.model_options import VisionOptions
from extractor.schemas.record import ReasonKind

if TYPE_CHECKING:
    from extractor.readers.vision.mllama import MllamaEngine
    from extractor.readers.vision.scheduler import MllamaScheduler


# Tokens of an answer in comparisons: a receipt with ten items, in compact JSON.
TOKENS = 300

BATCH = 64

# Sizes of four, four, four and two tiles, as typical for photos of receipts.
SIZES = ((900, 1500), (700, 2400), (1080, 1920), (560, 1000))

AGAIN = Question(("currency", "total"), (Issue("total", ReasonKind.MISSING, "No total was found. Look at the last lines."),))


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    what: str
    measured: str
    wanted: str
    per_minute: float | None = None


@contextmanager
def clock() -> Iterator[Callable[[], float]]:
    """Measure seconds since entry, synchronised with the GPU."""
    torch.cuda.synchronize()
    began = time.perf_counter()

    def seconds() -> float:
        torch.cuda.synchronize()
        return time.perf_counter() - began

    yield seconds


def median_of(work: Callable[[], object], times: int = 5) -> float:
    """Return the median seconds of `work`, after one warm-up run."""
    work()
    taken = []
    for _ in range(times):
        with clock() as seconds:
            work()
            taken.append(seconds())
    return statistics.median(taken)


@cache
def receipt_image(number: int) -> Image.Image:
    """Draw a page with lines of text; text and size depend on `number`."""
    width, height = SIZES[number % len(SIZES)]
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for line in range(30):
        draw.text(
            (40, 40 + line * (height // 32)),
            f"{number}-{line} ITEM {number * line % 97}  {number * 7 + line}.{line:02d}",
            "black",
            font_size=28,
        )
    return image


def documents(count: int, *, first: int = 0) -> list[Document]:
    made = []
    for number in range(first, first + count):
        image = receipt_image(number)
        made.append(Document(f"{number}.png", (Page(image),), (Transcript((), *image.size, "none"),)))
    return made


def engine_in_memory(*, layers: int = 40, dtype: torch.dtype = torch.bfloat16, **options: int) -> tuple["MllamaEngine", LoadedModel]:
    from bench import random_mllama  # noqa: PLC0415 - other phases patch transformers before its import

    words = random_mllama.tokenizer()
    loaded = LoadedModel(random_mllama.model(words, layers=layers, dtype=dtype), random_mllama.processor(words), "random 11B")
    return engine_of(loaded, **options), loaded


def engine_of(loaded: LoadedModel, **options: int) -> "MllamaEngine":
    from extractor.readers.vision.mllama import MllamaEngine  # noqa: PLC0415 - as above

    return MllamaEngine(loaded, VisionOptions(**({"max_tokens": 512} | options)))  # type: ignore[arg-type]


def opened(engine: "MllamaEngine", rows: int, batch: int) -> "MllamaScheduler":
    """Open a batch whose images are being preprocessed; images repeat in every other batch, since drawing them takes seconds."""
    session = engine.open()
    for number in range(rows):
        session.add(receipt_image(batch % 2 * rows + number))
    return session


def warm_up(engine: "MllamaEngine") -> None:
    """Compile the kernels."""
    session = engine.open()
    for number in range(engine.budget.rows):
        session.add(receipt_image(number))
    session.ask(dict.fromkeys(range(engine.budget.rows), ModelRequest((prompt(FIRST),), answer_schema(FIRST), 8)))
    session.close()


def all_said(answers: Mapping[int, ModelReply | ReaderError]) -> list[ModelReply]:
    """Return the answers; ends the benchmark if one failed."""
    failed = [answer for answer in answers.values() if not isinstance(answer, ModelReply)]
    if failed:
        raise SystemExit(f"{len(failed)} answers failed: {failed[0]}")
    return [answer for answer in answers.values() if isinstance(answer, ModelReply)]


def checkpoint() -> Path:
    """Return the folder of the random checkpoint, which is created if missing."""
    folder = Path(os.environ.get("BENCH_CHECKPOINT", Path(tempfile.gettempdir()) / "random-11b"))
    if not (folder / "config.json").exists():
        code = f"from pathlib import Path; from bench.random_mllama import save; save(Path({str(folder)!r}))"
        subprocess.run([sys.executable, "-c", code], check=True)
    return folder
