"""Checks and times the vision reader on this machine's GPU, with random weights of the real Llama 3.2 11B shape.

    python -m bench.vision [PHASE ...] [--json FILE]

Each phase runs in a process of its own and prints its rows; the table follows at the end. Without arguments all phases run, which takes
about half an hour, 45 GB of GPU memory, and 25 GB of disk for the checkpoint (in the system's temporary folder).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw

from extractor.ocr.interface import Transcript
from extractor.pages import Page
from extractor.parse import parse_answer
from extractor.questions import FIRST, answer_schema, prompt
from extractor.readers.interface import Answer, Document, Issue, Question
from extractor.readers.vision.engine import Ask, Said
from extractor.readers.vision.loading import GIB, Loaded
from extractor.readers.vision.memory import Span
from extractor.readers.vision.options import VisionOptions
from extractor.readers.vision.steps import RowFeed

if TYPE_CHECKING:
    from extractor.readers.vision.mllama import MllamaEngine
    from extractor.readers.vision.sight import MllamaSight

TOKENS = 300
"""Length of an answer in the comparison: a receipt with ten items, in compact JSON."""

BATCH = 64

LARGE_BATCH = 96

ROUNDS = 3
"""Timed rounds of a batch, of which the median counts."""

SIZES = ((900, 1500), (700, 2400), (1080, 1920), (560, 1000))
"""Images of four, four, four and two tiles, as photos of receipts are."""

CAP_BYTES = 10 * GIB

AGAIN = Question(("currency", "total"), (Issue("total", "missing", "No total was found. Look at the last lines."),))


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    wanted: str


@contextmanager
def clock() -> Iterator[Callable[[], float]]:
    """Seconds since entering, with the GPU's queue worked off."""
    torch.cuda.synchronize()
    began = time.perf_counter()

    def seconds() -> float:
        torch.cuda.synchronize()
        return time.perf_counter() - began

    yield seconds


def receipt_image(number: int) -> Image.Image:
    """A page with lines of text; other numbers give other texts and sizes."""
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


def engine_in_memory(*, layers: int = 40, dtype: torch.dtype = torch.bfloat16, **options: int) -> tuple["MllamaEngine", Loaded]:
    from bench import random_mllama  # noqa: PLC0415 - transformers is patched by other phases, before it is imported

    words = random_mllama.tokenizer()
    loaded = Loaded(random_mllama.model(words, layers=layers, dtype=dtype), random_mllama.processor(words), "random 11B")
    return engine_of(loaded, **options), loaded


def engine_of(loaded: Loaded, **options: int) -> "MllamaEngine":
    from extractor.readers.vision.mllama import MllamaEngine  # noqa: PLC0415 - as above

    return MllamaEngine(loaded, VisionOptions(**({"max_tokens": 512} | options)))  # type: ignore[arg-type]


def copy_bandwidth() -> float:
    """Bytes a second that this GPU reads and writes."""
    source = torch.empty(2 * GIB, dtype=torch.uint8, device="cuda").random_(0, 255)
    target = torch.empty_like(source)
    times = []
    for _ in range(10):
        with clock() as seconds:
            target.copy_(source)
            times.append(seconds())
    return float(2 * source.numel() / statistics.median(times))


def prefill() -> Iterator[Row]:
    """The time until a receipt begins to answer: its image is looked at, its question read."""
    engine, _ = engine_in_memory()
    tower, rows = engine.tower, engine.budget.chunk
    with clock() as seconds:
        pixels = [tower.prepare(receipt_image(0)) for _ in range(rows)]
        taken = seconds()
    yield Row("pixels of an image prepared on the CPU", f"{taken / rows * 1e3:.0f} ms", "beside the GPU")
    spans = [Span(row * tower.size(pixels[row]), tower.size(pixels[row])) for row in range(rows)]
    with torch.inference_mode():
        prefix = tower.look(pixels, spans)
        with clock() as seconds:
            tower.look(pixels, spans)
            taken = seconds()
        yield Row(f"an image of 4 tiles looked at, {rows} at a time, bf16", f"{taken / rows * 1e3:.1f} ms", "toward 20 ms")
        prefix = prefix.repeat(2, 1, 1, 1, 1, 1)
        for name, question in (("first", FIRST), ("second", AGAIN)):
            ids = engine.speech.prompter.prompt((prompt(question),)).question
            texts = [Span(1 + row * 1500, 1500) for row in range(2 * rows)]
            for _ in range(2):
                with clock() as seconds:
                    engine.speech.layers.read([ids] * 2 * rows, prefix, texts, spans * 2)
                    taken = seconds()
            yield Row(f"a {name} question of {len(ids)} tokens read, {2 * rows} at a time, bf16", f"{taken / 2 / rows * 1e3:.1f} ms", "-")


def steps() -> Iterator[Row]:
    """The time of one step against the time that its memory traffic takes at least."""
    with torch.inference_mode():
        yield from _steps()


def _steps() -> Iterator[Row]:
    engine, loaded = engine_in_memory()
    bandwidth = copy_bandwidth()
    text = loaded.model.model.language_model
    weights = sum(weight.numel() * weight.element_size() for weight in [*text.layers.parameters(), loaded.model.lm_head.weight])
    length = 900
    for rows, each in ((1, 1), (32, 1), (64, 1), (64, 2), (64, 4)):
        feeds = [RowFeed([7] * each, length - each, 1 + row * 1500, row * 6404, 6404) for row in range(rows)]
        engine.steps.run(feeds, range(each - 1, rows * each, each))
        times = []
        for _ in range(30):
            with clock() as seconds:
                engine.steps.run(feeds, range(each - 1, rows * each, each))
                times.append(seconds())
        keys = rows * (length * 131072 + 6404 * 32768)
        floor, median = (weights + keys) / bandwidth, statistics.median(times)
        yield Row(
            f"decode step, {rows} receipts of 4 tiles, 900 tokens, {each} new of each, bf16",
            f"{median * 1e3:.2f} ms, {floor / median:.0%} of the floor ({floor * 1e3:.2f} ms at {bandwidth / 1e12:.2f} TB/s)",
            "60 per cent or more" if each == 1 else "-",
        )


def batches() -> Iterator[Row]:
    """A batch's first and second question, with and without grammar, and receipts a minute."""
    engine, _ = engine_in_memory(max_rows=LARGE_BATCH)
    first = Ask((prompt(FIRST),), answer_schema(FIRST), TOKENS)
    free = Ask((prompt(FIRST),), None, TOKENS)
    second = Ask((prompt(AGAIN),), answer_schema(AGAIN), 40)
    warm_up(engine, first)
    for rows in (BATCH, LARGE_BATCH):
        following = opened(engine, rows, 0)
        times: dict[str, list[float]] = {"first": [], "second": [], "cached": [], "free": []}
        for batch in range(1 + ROUNDS):
            sight, following = following, opened(engine, rows, batch + 1)  # pixels of the next batch are prepared meanwhile
            for name, ask in (("first", first), ("second", second), ("cached", first), ("free", free)):
                if name == "first" or rows == BATCH:
                    with clock() as seconds:
                        answers = sight.ask(dict.fromkeys(range(rows), ask))
                        if batch > 0:  # the first round meets every shape for the first time
                            times[name].append(seconds())
                if name == "first":
                    tokens = statistics.mean(len(answer.tokens) for answer in answers.values() if isinstance(answer, Said))
            sight.close()
        once = statistics.median(times["first"])
        yield Row(
            f"receipts a minute, {rows} side by side, {tokens:.0f} tokens each, bf16",
            f"{rows * 60 / once:.0f} ({once:.2f} s a batch)",
            "600",
        )
        if rows == BATCH:
            again, cached, freely = (statistics.median(times[name]) for name in ("second", "cached", "free"))
            yield Row("second question of 40 tokens against the first", f"{again / once:.1%} ({again:.2f} s)", "15 per cent or less")
            yield Row(
                f"grammar overhead at batch {rows}",
                f"{cached / freely - 1:.1%} ({cached:.2f} s against {freely:.2f} s)",
                "under 5 per cent",
            )


def opened(engine: "MllamaEngine", rows: int, batch: int) -> "MllamaSight":
    """A batch of images whose pixels are being prepared."""
    sight = engine.open()
    for number in range(rows):
        sight.add(receipt_image(batch * rows + number))
    return sight


def warm_up(engine: "MllamaEngine", ask: Ask) -> None:
    """Compiles kernels and captures graphs."""
    sight = engine.open()
    for number in range(engine.budget.rows):
        sight.add(receipt_image(number))
    sight.ask(dict.fromkeys(range(engine.budget.rows), Ask(ask.turns, ask.schema, 8)))
    sight.close()


def exact() -> Iterator[Row]:
    """Full width, ten layers, 32 bits: equalities hold token for token, for rounding is too small to tip a choice."""
    from extractor.readers.vision.generating import GeneratingEngine  # noqa: PLC0415 - as in `engine_in_memory`

    engine, loaded = engine_in_memory(layers=10, dtype=torch.float32, max_rows=8)
    pictures = [receipt_image(number) for number in range(8)]
    first = {row: Ask((prompt(FIRST) + "!" * row,), answer_schema(FIRST), 120) for row in range(8)}
    second = {row: Ask((prompt(AGAIN) + "?" * row,), answer_schema(AGAIN), 60) for row in range(8)}

    def said(engine: object, asks: dict[int, Ask], *earlier: dict[int, Ask]) -> list[tuple[int, ...]]:
        sight = engine.open()  # type: ignore[attr-defined]
        for picture in pictures:
            sight.add(picture)
        for before in earlier:
            sight.ask(before)
        answers = sight.ask(asks)
        sight.close()
        return [answer.tokens if isinstance(answer, Said) else (str(answer),) for answer in answers.values()]  # type: ignore[misc]

    own = said(engine, first)
    reference = said(GeneratingEngine(loaded, VisionOptions(max_rows=4)), first)
    yield Row("graph decode equals generate (fp32, 10 layers, 8 receipts, 120 tokens)", share(own, reference), "all")
    alone = [said(engine, {row: ask})[0] for row, ask in first.items()]
    yield Row("batch equals single", share(own, alone), "all")
    yield Row("cached equals recomputed", share(said(engine, second, first), said(engine, second)), "all")


def share(actual: list[tuple[int, ...]], expected: list[tuple[int, ...]]) -> str:
    equal = sum(left == right for left, right in zip(actual, expected, strict=True))
    return f"{equal} of {len(expected)} receipts, {sum(map(len, expected))} tokens"


def valid() -> Iterator[Row]:
    """Through the reader: every answer of a model without sense fits its schema, and memory does not grow."""
    from extractor.readers.vision.reader import VisionReader  # noqa: PLC0415 - as in `engine_in_memory`

    engine, _ = engine_in_memory(max_rows=BATCH)
    reader = VisionReader(engine, model="random", max_tokens=512)
    faulty = whole = 0
    memory: list[int] = []
    resident: list[int] = []
    halves = [documents(BATCH), documents(BATCH, first=BATCH)]
    with clock() as seconds:
        for batch in range(32):
            with reader.open(halves[batch % 2]) as reading:
                answers = reading.ask(dict.fromkeys(range(BATCH), AGAIN))
            for answer in answers.values():
                whole += isinstance(answer, Answer) and not answer.is_cut_off
                faulty += not isinstance(answer, Answer) or bool(parse_answer(answer.text).issues)
            memory.append(torch.cuda.memory_reserved())
            resident.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        taken = seconds()
    yield Row(f"{32 * BATCH} receipts in a row: answers that do not fit the schema", f"{faulty} ({whole} ended by themselves)", "0")
    grown, host = (memory[-1] - memory[3]) / 1e6, (resident[-1] - resident[3]) / 1e3
    yield Row(
        f"{32 * BATCH} receipts in a row: memory",
        f"{memory[-1] / GIB:.1f} GiB, {grown:+.0f} MB since batch 4 (peak of the host {host:+.0f} MB), {taken:.0f} s",
        "flat",
    )


def article() -> Iterator[Row]:
    """The loop that this project starts from, 4 bits, in 10 GB; then this reader in the same memory."""
    torch.cuda.set_per_process_memory_fraction(CAP_BYTES / torch.cuda.get_device_properties(0).total_memory)
    from extractor.readers.vision.loading import load  # noqa: PLC0415 - Unsloth must come before transformers

    folder = checkpoint()
    began = time.perf_counter()
    options = VisionOptions(model=str(folder), precision="4bit", loader="unsloth", memory_bytes=CAP_BYTES, offline=True)
    loaded = load(options)
    yield Row(
        "loading the 11B model in 4 bits through Unsloth",
        f"{time.perf_counter() - began:.0f} s, {torch.cuda.memory_allocated() / GIB:.1f} GiB",
        "-",
    )
    model, ready = loaded.model, loaded.processor
    times = []
    for number in range(2):
        with clock() as seconds:
            messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt(FIRST)}]}]
            text = ready.apply_chat_template(messages, add_generation_prompt=True)
            inputs = ready(receipt_image(number), text, add_special_tokens=False, return_tensors="pt").to("cuda")
            output = model.generate(**inputs, max_new_tokens=TOKENS, min_new_tokens=TOKENS, use_cache=True, do_sample=False)
            times.append(seconds())
        if output.shape[1] - inputs["input_ids"].shape[1] != TOKENS:
            raise SystemExit("the article's loop stopped early: its time cannot be compared")
    yield Row(
        f"the article's loop: nf4, one image, generate, {TOKENS} tokens",
        f"{60 / times[-1]:.2f} receipts a minute ({times[-1]:.1f} s each)",
        "-",
    )
    engine = engine_of(loaded, memory_bytes=CAP_BYTES)
    sight = engine.open()
    sight.add(receipt_image(0))
    for schema, question, tokens in ((answer_schema(FIRST), prompt(FIRST), TOKENS), (answer_schema(AGAIN), prompt(AGAIN), 40)):
        sight.ask({0: Ask((question,), schema, 8)})
        with clock() as seconds:
            answer = sight.ask({0: Ask((question,), schema, tokens)})[0]
            taken = seconds()
        length = len(answer.tokens) if isinstance(answer, Said) else 0
        yield Row(
            f"nf4 in 10 GB, one receipt, {length} tokens on kept image keys",
            f"{taken:.2f} s, peak {torch.cuda.max_memory_reserved() / GIB:.1f} GiB, batch of up to {engine.budget.rows}",
            "runs",
        )


def watch() -> Iterator[Row]:
    """The whole way of a file: inbox, witness, the model in its own process, checks, outbox. Random values are confirmed by nothing."""
    from extractor.job import JobState  # noqa: PLC0415 - the other phases do without a database
    from extractor.service import build, prepare  # noqa: PLC0415 - as above
    from extractor.settings import InboxSettings, ReaderSettings, Settings, VisionSettings, WorkSettings  # noqa: PLC0415 - as above

    on_cuda = torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(
            inbox_dir=folder / "inbox",
            outbox_dir=folder / "outbox",
            database=folder / "receipts.db",
            inbox=InboxSettings(settle_seconds=0),
            reader=ReaderSettings(name="vision"),
            vision=VisionSettings(model=str(checkpoint()), device="cuda" if on_cuda else "cpu", max_tokens=TOKENS, offline=True),
            work=WorkSettings(batch_size=BATCH, lease_seconds=3600),
        )
        prepare(settings)
        for number in range(BATCH):
            receipt_image(number).save(settings.inbox_dir / f"{number}.png")
        service = build(settings)
        began = time.perf_counter()
        service.run_once()
        taken, states = time.perf_counter() - began, service.archive.ledger.counts()
        service.archive.close()
        statuses = Counter(json.loads(path.read_text(encoding="utf-8"))["status"] for path in settings.outbox_dir.rglob("*.json"))
    yield Row(
        f"{BATCH} files through the whole pipeline, the model's start included",
        f"{states[JobState.DONE]} filed in {taken:.0f} s: {', '.join(f'{count} {status}' for status, count in statuses.items())}",
        f"{BATCH} needs_review",
    )


def checkpoint() -> Path:
    """The folder of the random checkpoint, made if it is not there."""
    folder = Path(os.environ.get("BENCH_CHECKPOINT", Path(tempfile.gettempdir()) / "random-11b"))
    if not (folder / "config.json").exists():
        code = f"from pathlib import Path; from bench.random_mllama import save; save(Path({str(folder)!r}))"
        subprocess.run([sys.executable, "-c", code], check=True)
    return folder


PHASES: dict[str, Callable[[], Iterator[Row]]] = {
    "prefill": prefill,
    "steps": steps,
    "batches": batches,
    "exact": exact,
    "valid": valid,
    "article": article,
    "watch": watch,
}


def main() -> int:
    """Runs the phases asked for; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("phase", nargs="*", choices=[*PHASES, []], default=[])
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        for row in PHASES[arguments.phase[0]]():
            print("ROW " + json.dumps(asdict(row)), flush=True)
        return 0
    rows, failed = list[Row](), list[str]()
    for phase in arguments.phase or PHASES:
        command = [sys.executable, "-m", "bench.vision", phase, "--in-process"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                if line.startswith("ROW "):
                    rows.append(Row(**json.loads(line.removeprefix("ROW "))))
        if process.returncode:
            failed.append(phase)
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    print(f"\n{device}, torch {torch.__version__}\n")
    print("| what | measured | wanted |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.measured} | {row.wanted} |")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    if failed:
        print("failed: " + ", ".join(failed))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
