"""Speed of the model: image encoding, prefill, single decode steps, and whole batches."""

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity

from bench.script import Scripted, ScriptedGrammars, misread, receipt_answer, written
from bench.vision_parts import AGAIN, BATCH, TOKENS, Row, all_said, clock, engine_in_memory, median_of, opened, receipt_image, warm_up
from extractor.readers.prompts import FIRST, answer_schema, prompt
from extractor.readers.vision.cuda_graphs import RowInput, StepRunner
from extractor.readers.vision.decoding import Decoder
from extractor.readers.vision.engine import ModelRequest
from extractor.readers.vision.kv_pools import Span
from extractor.readers.vision.mllama import MllamaEngine
from extractor.readers.vision.model_loading import LoadedModel
from extractor.readers.vision.weight_selection import GIB

# Timed rounds of a batch; the slower one counts.
ROUNDS = 2

QUESTION_ROUNDS = 2

# For attention shapes that a backend does not support.
FALLBACKS = [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]

ATTENTIONS = {
    "torch's choice": [],
    "flash": [SDPBackend.FLASH_ATTENTION],
    "cuDNN": [SDPBackend.CUDNN_ATTENTION],
    "memory-efficient": [SDPBackend.EFFICIENT_ATTENTION],
}

# Shares of wrong values in the drafts; `None` for no drafts.
MISREAD = (0.2, None)

# A grammar that forces no token, so that answers take as many steps as unconstrained ones.
LONG_TEXT = {"type": "string", "minLength": 4000, "maxLength": 8000}


class TimedSteps:
    """Wraps the steps and measures GPU time until the first step, in steps and between them."""

    def __init__(self, inner: StepRunner) -> None:
        self._inner, self.max_rows = inner, inner.max_rows
        self.begin()

    def begin(self) -> None:
        self._began, self._steps = _now(), list[tuple[torch.cuda.Event, torch.cuda.Event]]()

    def max_row_tokens(self, rows: int) -> int:
        return self._inner.max_row_tokens(rows)

    def run(self, feeds: Sequence[RowInput], wanted: Sequence[int]) -> torch.Tensor:
        before = _now()
        logits = self._inner.run(feeds, wanted)
        self._steps.append((before, _now()))
        return logits

    def summary(self) -> str:
        """Format the times since `begin`; the GPU must be synchronised."""
        first = self._began.elapsed_time(self._steps[0][0]) / 1e3
        inside = sum(before.elapsed_time(after) for before, after in self._steps) / 1e3
        between = sum(after.elapsed_time(before) for (_, after), (before, _) in pairwise(self._steps)) / 1e3
        return f"{first:.2f} s until the first step, {inside:.2f} s in {len(self._steps)} steps, {between:.2f} s between them"


def _now() -> torch.cuda.Event:
    moment: torch.cuda.Event = torch.cuda.Event(enable_timing=True)
    moment.record()
    return moment


@cache
def shared_engine() -> tuple[MllamaEngine, LoadedModel]:
    """One engine for all phases of a process, since a model takes half a minute to build."""
    engine, loaded = engine_in_memory(max_rows=BATCH)
    warm_up(engine)
    return engine, loaded


def copy_bandwidth() -> float:
    """Return the memory bandwidth of this GPU in bytes per second."""
    source = torch.empty(2 * GIB, dtype=torch.uint8, device="cuda").random_(0, 255)
    target = torch.empty_like(source)
    times = []
    for _ in range(10):
        with clock() as seconds:
            target.copy_(source)
            times.append(seconds())
    return float(2 * source.numel() / statistics.median(times))


def prefill() -> Iterator[Row]:
    """Time until the first token: encoding the image and prefilling the question."""
    engine, _ = shared_engine()
    encoder, rows = engine.encoder, engine.budget.chunk
    with clock() as seconds:
        pixels = [encoder.prepare(receipt_image(0)) for _ in range(rows)]
        taken = seconds()
    yield Row("pixels of an image prepared on the CPU", f"{taken / rows * 1e3:.0f} ms", "beside the GPU")
    spans = [Span(row * encoder.size(pixels[row]), encoder.size(pixels[row])) for row in range(rows)]
    with torch.inference_mode():
        for name, backends in ATTENTIONS.items():
            with sdpa_kernel([*backends, *FALLBACKS], set_priority=True) if backends else nullcontext():
                taken = median_of(partial(encoder.encode, pixels, spans))
            yield Row(f"an image of 4 tiles encoded, {rows} at a time, attention by {name}", f"{taken / rows * 1e3:.1f} ms", "toward 20 ms")
        prefix = encoder.encode(pixels, spans).repeat(2, 1, 1, 1, 1, 1)
        for name, question in (("first", FIRST), ("second", AGAIN)):
            ids = engine.generation.prompter.prompt((prompt(question),)).question
            texts = [Span(1 + row * 1500, 1500) for row in range(2 * rows)]
            taken = median_of(partial(engine.generation.layers.prefill, [ids] * 2 * rows, prefix, texts, spans * 2))
            yield Row(
                f"a {name} question of {len(ids)} tokens prefilled, {2 * rows} at a time, bf16", f"{taken / 2 / rows * 1e3:.1f} ms", "-"
            )


def steps() -> Iterator[Row]:
    """Time one decode step, compared with the lower bound given by its memory traffic."""
    with torch.inference_mode():
        yield from _steps()


def _steps() -> Iterator[Row]:
    engine, loaded = shared_engine()
    bandwidth = copy_bandwidth()
    text = loaded.model.model.language_model
    weights = sum(weight.numel() * weight.element_size() for weight in [*text.layers.parameters(), loaded.model.lm_head.weight])
    length = 900
    for rows, each in ((1, 1), (32, 1), (64, 1), (1, 8), (32, 8), (64, 2), (64, 4)):
        feeds = [RowInput([7] * each, length - each, 1 + row * 1500, row * 6404, 6404) for row in range(rows)]
        median = median_of(partial(engine.step_runner.run, feeds, range(rows * each)), 30)
        keys = rows * (length * 131072 + 6404 * 32768)
        floor = (weights + keys) / bandwidth
        yield Row(
            f"decode step, {rows} receipts of 4 tiles, 900 tokens, {each} new, bf16",
            f"{median * 1e3:.2f} ms, {floor / median:.0%} of the floor ({floor * 1e3:.2f} ms at {bandwidth / 1e12:.2f} TB/s)",
            "60 per cent or more" if each == 1 else "-",
        )


def batches() -> Iterator[Row]:
    """Measure receipts per minute, with and without drafts, and how the time is spent."""
    engine, _ = shared_engine()
    with scripted(engine) as timed:
        for share in MISREAD:
            times, summaries = list[float](), list[str]()
            following = opened(engine, BATCH, 0)
            for batch in range(1 + ROUNDS):
                session, following = following, opened(engine, BATCH, batch + 1)  # the next batch is preprocessed meanwhile
                asks = {row: receipt_ask(engine, batch * BATCH + row, share) for row in range(BATCH)}
                with clock() as seconds:
                    timed.begin()
                    said = all_said(session.ask(asks))
                    times.append(seconds())
                summaries.append(timed.summary())
                session.close()
            following.close()
            times, summaries = times[1:], summaries[1:]  # the first round is a warm-up for every shape
            once = sorted(times)[ROUNDS // 2]
            tokens = statistics.mean(len(answer.tokens) for answer in said)
            drafts = "without drafts" if share is None else f"drafts with {share:.0%} of the values wrong"
            yield Row(
                f"receipts a minute, {BATCH} side by side, {tokens:.0f} tokens each, {drafts}",
                f"{BATCH * 60 / once:.0f} ({once:.2f} s a batch: {summaries[times.index(once)]})",
                "600",
                BATCH * 60 / once,
            )


def profile() -> Iterator[Row]:
    """Profile image encoding, prefill and a decode step; prints kernels by time."""
    engine, _ = shared_engine()
    encoder, rows = engine.encoder, engine.budget.chunk
    pixels = [encoder.prepare(receipt_image(0)) for _ in range(rows)]
    spans = [Span(row * encoder.size(pixels[row]), encoder.size(pixels[row])) for row in range(rows)]
    texts = [Span(1 + row * 1500, 1500) for row in range(rows)]
    question = engine.generation.prompter.prompt((prompt(FIRST),)).question
    feeds = [RowInput([7] * 4, 900, 1 + row * 1500, row * 6404, 6404) for row in range(BATCH)]
    with torch.inference_mode():
        prefix = encoder.encode(pixels, spans)
        works: list[tuple[str, Callable[[], object]]] = [
            (f"{rows} images encoded", partial(encoder.encode, pixels, spans)),
            (f"{rows} questions prefilled", partial(engine.generation.layers.prefill, [question] * rows, prefix, texts, spans)),
            (f"a step of 4 tokens for {BATCH} rows", partial(engine.step_runner.run, feeds, range(4 * BATCH))),
        ]
        for name, work in works:
            work()
            with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as seen, clock() as seconds:
                work()
                taken = seconds()
            kernels = sorted(seen.key_averages(), key=lambda kernel: -kernel.self_device_time_total)
            for kernel in kernels[:14]:
                print(f"{kernel.self_device_time_total / 1e3:9.2f} ms {kernel.count:6d} x  {kernel.key[:100]}")
            busy = sum(kernel.self_device_time_total for kernel in kernels) / 1e3
            yield Row(f"the GPU's work on {name}, watched", f"{busy:.1f} ms of {taken * 1e3:.1f} ms", "-")


def questions() -> Iterator[Row]:
    """Compare a second question with the first, and measure the overhead of the grammar with unscripted answers of equal length."""
    engine, _ = shared_engine()
    free = ModelRequest((prompt(FIRST),), None, TOKENS)
    held = ModelRequest((prompt(FIRST),), LONG_TEXT, TOKENS)
    first, second = ModelRequest((prompt(FIRST),), answer_schema(FIRST), TOKENS), ModelRequest((prompt(AGAIN),), answer_schema(AGAIN), 40)
    times: dict[str, list[float]] = {"first": [], "second": [], "held": [], "free": []}
    following = opened(engine, BATCH, 0)
    for batch in range(1 + QUESTION_ROUNDS):
        session, following = following, opened(engine, BATCH, batch + 1)
        for name, ask in (("first", first), ("second", second), ("held", held), ("free", free)):
            with clock() as seconds:
                all_said(session.ask(dict.fromkeys(range(BATCH), ask)))
                if batch > 0:
                    times[name].append(seconds())
        session.close()
    following.close()
    once, again, held_s, freely = (statistics.median(times[name]) for name in ("first", "second", "held", "free"))
    yield Row(
        f"second question of 40 tokens against the first of {TOKENS}",
        f"{again / once:.1%} ({again:.2f} s against {once:.2f} s)",
        "15 per cent or less",
    )
    yield Row(
        f"grammar overhead at batch {BATCH}, {TOKENS} tokens of which it forces none",
        f"{held_s / freely - 1:.1%} ({held_s:.2f} s against {freely:.2f} s)",
        "under 5 per cent",
    )


@contextmanager
def scripted(engine: MllamaEngine) -> Iterator[TimedSteps]:
    """Replace the engine's grammars and steps by scripted and timed ones inside the context."""
    before, timed = engine.generation, TimedSteps(engine.step_runner)
    grammars = ScriptedGrammars(before.prompter.tokenizer, engine.ends)
    engine.generation = replace(before, grammars=grammars, decoder=Decoder(timed, grammars, engine.ends, on_cuda=True))
    try:
        yield timed
    finally:
        engine.generation = before


def receipt_ask(engine: MllamaEngine, number: int, share: float | None) -> ModelRequest:
    """Return the first question about a receipt with a scripted answer of about `TOKENS` tokens."""
    items = 1
    while len(engine.generation.grammars.tokens(written(receipt_answer(number, items)).encode())) < TOKENS:
        items += 1
    answer = receipt_answer(number, items)
    draft = "" if share is None else written(misread(answer, share, random.Random(number)))  # noqa: S311 - no secret
    return ModelRequest((prompt(FIRST),), Scripted(answer_schema(FIRST), written(answer)), 512, draft)
