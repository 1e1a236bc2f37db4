"""End-to-end runs: the baseline loop, nf4 in 10 GB, and files through the whole service."""

import json
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from bench.vision_parts import AGAIN, BATCH, TOKENS, Row, checkpoint, clock, engine_of, receipt_image
from extractor.config.settings import InboxSettings, ReaderSettings, Settings, VisionSettings
from extractor.jobs import JobState
from extractor.readers.prompts import FIRST, answer_schema, prompt
from extractor.readers.vision.engine import ModelReply, ModelRequest
from extractor.readers.vision.model_loading import LoadedModel, load
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.weight_selection import GIB
from extractor.service.app import build_service
from extractor.storage.archive import prepare

# Files for the whole pipeline: the first batch includes the start of the model and its OCR.
WATCHED = 5 * BATCH

CAP_BYTES = 10 * GIB


@cache
def loaded_in_4_bits() -> LoadedModel:
    """Load the model in 4 bits with Unsloth, and limit this process to 10 GB."""
    torch.cuda.set_per_process_memory_fraction(CAP_BYTES / torch.cuda.get_device_properties(0).total_memory)
    return load(VisionOptions(model=str(checkpoint()), precision="4bit", loader="unsloth", memory_bytes=CAP_BYTES, offline=True))


def article() -> Iterator[Row]:
    """Time the baseline loop, 4 bits in 10 GB."""
    checkpoint()
    began = time.perf_counter()
    loaded = loaded_in_4_bits()
    yield Row(
        "loading the 11B model in 4 bits through Unsloth",
        f"{time.perf_counter() - began:.0f} s, {torch.cuda.memory_allocated() / GIB:.1f} GiB",
        "-",
    )
    model, ready = loaded.model, loaded.processor
    times = []
    for number, tokens in enumerate((20, TOKENS)):
        with clock() as seconds:
            messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt(FIRST)}]}]
            text = ready.apply_chat_template(messages, add_generation_prompt=True)
            inputs = ready(receipt_image(number), text, add_special_tokens=False, return_tensors="pt").to("cuda")
            output = model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, use_cache=True, do_sample=False)
            times.append(seconds())
        if output.shape[1] - inputs["input_ids"].shape[1] != tokens:
            raise SystemExit("the article's loop stopped early: its time cannot be compared")
    yield Row(
        f"the article's loop: nf4, one image, generate, {TOKENS} tokens",
        f"{60 / times[-1]:.2f} receipts a minute ({times[-1]:.1f} s each)",
        "-",
        60 / times[-1],
    )


def small() -> Iterator[Row]:
    """Time this reader in 10 GB; in the same process as `article`."""
    loaded = loaded_in_4_bits()
    engine = engine_of(loaded, memory_bytes=CAP_BYTES)
    session = engine.open()
    session.add(receipt_image(0))
    for schema, question, tokens in ((answer_schema(FIRST), prompt(FIRST), TOKENS), (answer_schema(AGAIN), prompt(AGAIN), 40)):
        session.ask({0: ModelRequest((question,), schema, 8)})
        with clock() as seconds:
            answer = session.ask({0: ModelRequest((question,), schema, tokens)})[0]
            taken = seconds()
        length = len(answer.tokens) if isinstance(answer, ModelReply) else 0
        yield Row(
            f"nf4 in 10 GB, one receipt, {length} tokens on kept image keys",
            f"{taken:.2f} s, peak {torch.cuda.max_memory_reserved() / GIB:.1f} GiB, batch of up to {engine.budget.rows}",
            "runs",
        )


def watch() -> Iterator[Row]:
    """Time the whole pipeline: inbox, OCR, model in its own process, checks, outbox. Random values are never confirmed."""
    on_cuda = torch.cuda.is_available()
    batches = _Batches()
    logger = logging.getLogger("extractor")
    logger.setLevel(logging.INFO)
    logger.addHandler(batches)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(
            inbox_dir=folder / "inbox",
            outbox_dir=folder / "outbox",
            database=folder / "receipts.db",
            inbox=InboxSettings(settle_seconds=0),
            reader=ReaderSettings(name="vision"),
            vision=VisionSettings(model=str(checkpoint()), device="cuda" if on_cuda else "cpu", max_tokens=TOKENS, offline=True),
        )
        prepare(settings)
        for number in range(WATCHED):
            receipt_image(number).save(settings.inbox_dir / f"{number}.png")
        began = time.perf_counter()
        service = build_service(settings)
        service.run_once()
        taken, states = time.perf_counter() - began, service.archive.job_queue.counts()
        service.archive.close()
        records = [json.loads(path.read_text(encoding="utf-8")) for path in settings.outbox_dir.rglob("*.json")]
    logger.removeHandler(batches)
    statuses = Counter(record["status"] for record in records)
    reasons = Counter(f"{reason['field']}: {reason['kind']}" for record in records for reason in record["review_reasons"])
    yield Row(
        f"{WATCHED} files through the whole pipeline, the model's start included",
        f"{states[JobState.DONE]} filed in {taken:.0f} s: {_listed(statuses)}",
        f"{WATCHED} needs_review",
    )
    yield Row(
        "their batches: receipts, seconds that the reader waited for pages and OCR, seconds that it read",
        "; ".join(f"{batch.receipts}, {batch.waited:.1f}, {batch.read:.1f}" for batch in batches.seen),
        "from the third on, no waiting",
    )
    if len(batches.seen) > 2:
        _, second, *later = batches.seen
        rate = 60 * sum(batch.receipts for batch in later) / (later[-1].ended - second.ended)
        yield Row("receipts a minute, witness, checks, storing and filing included, from the third batch on", f"{rate:.0f}", "-", rate)
    without = sum(not record["review_reasons"] for record in records)
    yield Row("their reasons for review", f"{without} have none; {_listed(reasons, most=8)}", "0 have none")


class _Batch(NamedTuple):
    """Receipts of a batch, seconds of waiting and reading, and its end."""

    receipts: int
    waited: float
    read: float
    ended: float


class _Batches(logging.Handler):
    """Collects the log records of batches."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[_Batch] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "batch_read":
            fields = vars(record)
            self.seen.append(_Batch(fields["receipts"], fields["prepare_seconds"], fields["read_seconds"], record.created))


def _listed(counts: Counter[str], *, most: int | None = None) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common(most))
