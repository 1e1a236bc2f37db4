"""Correctness of answers: equal to those of transformers, and valid by the schema for any weights."""

import resource
from collections.abc import Iterator
from dataclasses import replace

import torch

from bench.vision_parts import AGAIN, BATCH, Row, clock, documents, engine_in_memory, receipt_image
from extractor.ocr.transcript import Box
from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Answer, Look
from extractor.readers.prompts import FIRST, answer_schema, prompt
from extractor.readers.vision.engine import ModelReply, ModelRequest
from extractor.readers.vision.generation import GenerateEngine
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.sampling import Sampling
from extractor.readers.vision.vision_reader import VisionReader
from extractor.readers.vision.weight_selection import GIB


def exact() -> Iterator[Row]:
    """Compare tokens in 32 bits, where rounding does not change the choice of a token: full width, ten layers."""
    engine, loaded = engine_in_memory(layers=10, dtype=torch.float32, max_rows=8)
    pictures = [receipt_image(number) for number in range(8)]
    first = {row: ModelRequest((prompt(FIRST) + "!" * row,), answer_schema(FIRST), 120) for row in range(8)}
    second = {row: ModelRequest((prompt(AGAIN) + "?" * row,), answer_schema(AGAIN), 60) for row in range(8)}

    def said(engine: object, asks: dict[int, ModelRequest], *earlier: dict[int, ModelRequest], beside: int = 0) -> list[tuple[int, ...]]:
        session = engine.open()  # type: ignore[attr-defined]
        for number, picture in enumerate(pictures):
            session.add(picture, *(pictures[(number + other) % 8] for other in range(1, 1 + beside)))
        for before in earlier:
            session.ask(before)
        answers = session.ask(asks)
        session.close()
        return [answer.tokens if isinstance(answer, ModelReply) else (str(answer),) for answer in (answers[row] for row in asks)]  # type: ignore[misc]

    own = said(engine, first)
    reference = said(GenerateEngine(loaded, VisionOptions(max_rows=4)), first)
    yield Row("graph decode equals generate (fp32, 10 layers, 8 receipts, 120 tokens)", share(own, reference), "all")
    alone = [said(engine, {row: ask})[0] for row, ask in first.items()]
    yield Row("batch equals single", share(own, alone), "all")
    yield Row("cached equals recomputed", share(said(engine, second, first), said(engine, second)), "all")
    pairs, reference = said(engine, second, beside=1), said(GenerateEngine(loaded, VisionOptions(max_rows=4)), second, beside=1)
    yield Row("two images in one turn: graph decode equals generate", share(pairs, reference), "all")
    drawn = {row: replace(ask, sampling=Sampling(row, 0.7)) for row, ask in second.items()}
    alone = [said(engine, {row: ask})[0] for row, ask in drawn.items()]
    yield Row("drawn answers: batch equals single", share(said(engine, drawn), alone), "all")


def share(actual: list[tuple[int, ...]], expected: list[tuple[int, ...]]) -> str:
    equal = sum(left == right for left, right in zip(actual, expected, strict=True))
    return f"{equal} of {len(expected)} receipts, {sum(map(len, expected))} tokens"


def ladder() -> Iterator[Row]:
    """Time each rung of the re-ask ladder, and validate its answers."""
    engine, _ = engine_in_memory(max_rows=BATCH)
    reader = VisionReader(engine, model="random", max_tokens=512)
    crop = Box(40, 600, 500, 760)
    rungs = {
        "the first look at an image": Look(),
        "the same image again": Look(effort=1),
        "a part enlarged beside the page": Look(effort=2, page=0, crop=crop),
        "five drawn answers about it": Look(effort=3, page=0, crop=crop, samples=5),
    }
    for _ in range(2):  # the first round captures graphs and compiles kernels
        rows = []
        with reader.open(documents(BATCH)) as reading:
            for name, look in rungs.items():
                with clock() as seconds:
                    answers = reading.ask(dict.fromkeys(range(BATCH), replace(AGAIN, look=look)))
                    taken = seconds()
                said = [one for answer in answers.values() if isinstance(answer, Answer) for one in (answer, *answer.samples)]
                faulty = BATCH * look.samples - sum(not parse_answer(one.text).issues for one in said)
                tokens = sum(one.tokens or 0 for one in said) / max(1, len(said))
                measured = f"{taken / BATCH * 1e3:.0f} ms a receipt, {tokens:.0f} tokens an answer, {faulty} do not fit"
                rows.append(Row(f"two fields asked for, {BATCH} side by side: {name}", measured, "0 do not fit"))
    yield from rows


def valid() -> Iterator[Row]:
    """Every answer through the reader matches its schema, and memory does not grow."""
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
