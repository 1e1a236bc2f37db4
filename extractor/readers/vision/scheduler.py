"""Answers requests about a batch of images with a Mllama model, and schedules their images, questions and answers on the GPU.

The keys of an image depend on the image alone. So every question is a prompt of its own over cached keys, and its answer is the one that
the model would give had it encoded the image anew.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import torch
from PIL import Image

from extractor.errors import ReaderRefused
from extractor.readers.base import ReaderError
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_out_of_memory, out_of_memory_error
from extractor.readers.vision.chat_template import Prompter
from extractor.readers.vision.decoding import ActiveRow, Decoder
from extractor.readers.vision.drafts import DraftCursor
from extractor.readers.vision.engine import ModelReply, ModelRequest, OnText, TextStream
from extractor.readers.vision.grammar import GrammarRow, Grammars
from extractor.readers.vision.image_cache import CachedImages, ImageCache
from extractor.readers.vision.kv_pools import KvPool, Span
from extractor.readers.vision.layers import TextLayers
from extractor.readers.vision.sequence import AnswerSequence

PREFILL_TOKENS = 24576  # question tokens processed at once: enough to fill a GPU, and about 2 GB of activations in an 11B model
ENTER_SHARE = 8  # new rows enter when an eighth of all rows is free: prefilling few questions at a time holds up all other rows


@dataclass(frozen=True)
class TextGeneration:
    """What turns questions into answers, shared by all batches.

    Attributes:
        text_pool: The pool that `layers` writes to.
        grammar_threads: Compile grammars while the GPU works.
        question_limit: Number of question tokens that are processed at once.
    """

    layers: TextLayers
    decoder: Decoder
    prompter: Prompter
    grammars: Grammars
    text_pool: KvPool
    grammar_threads: Executor
    question_limit: BatchSizeLimit = field(default_factory=lambda: BatchSizeLimit(PREFILL_TOKENS, "question tokens"))

    def end_batch(self) -> None:
        """Count a batch that has ended; see `BatchSizeLimit`."""
        self.decoder.row_limit.end_batch()
        self.question_limit.end_batch()


class MllamaScheduler:
    """A batch of images; see `ImageSession`."""

    def __init__(self, image_cache: ImageCache, generation: TextGeneration) -> None:
        self._image_cache, self._generation = image_cache, generation

    def add(self, *images: Image.Image) -> int:
        return self._image_cache.add(*images)

    def ask(self, requests: Mapping[int, ModelRequest], on_text: OnText | None = None) -> Mapping[int, ModelReply | ReaderError]:
        with torch.inference_mode():
            return _RequestBatch(self._image_cache, self._generation, requests, on_text).replies()

    def close(self) -> None:
        self._image_cache.clear()
        self._generation.end_batch()


@dataclass(frozen=True)
class _WaitingRow:
    """A row whose answer has not begun."""

    row: int
    request: ModelRequest
    question: tuple[int, ...]
    prefix_size: int

    @property
    def text_size(self) -> int:
        return self.prefix_size + len(self.question) + self.request.max_tokens


class _RequestBatch:
    """One call of `ask`: rows wait, have their images loaded, their questions processed, and their answers generated."""

    def __init__(
        self, image_cache: ImageCache, generation: TextGeneration, requests: Mapping[int, ModelRequest], on_text: OnText | None
    ) -> None:
        self._image_cache, self._generation, self._stream = image_cache, generation, TextStream(on_text)
        self._replies: dict[int, ModelReply | ReaderError] = {}
        self._active: dict[int, Span] = {}
        self._grammars: dict[int, Future[GrammarRow]] = {}
        self._waiting: list[_WaitingRow] = []
        for row, request in requests.items():
            prompt = generation.prompter.prompt(request.turns, images=image_cache.count(row))
            self._waiting.append(_WaitingRow(row, request, prompt.question, len(prompt.prefix)))

    def replies(self) -> Mapping[int, ModelReply | ReaderError]:
        try:
            for sequence in self._generation.decoder.run(self._admit, self._on_piece):
                self._replies[sequence.row] = sequence.result()
                self._generation.grammars.recycle(sequence.grammar)
                self._release(sequence.row)
        finally:  # also when the user interrupts
            for row in list(self._active):
                self._release(row)
        return self._replies

    def _on_piece(self, sequence: AnswerSequence, piece: bytes) -> None:
        self._stream.feed(sequence.row, piece, is_last=sequence.is_done)

    def _release(self, row: int) -> None:
        self._generation.text_pool.spans.release(self._active.pop(row))

    def _admit(self, room: int) -> Sequence[ActiveRow]:
        """Return rows that begin now; see `Decoder.run`."""
        all_rows = self._generation.decoder.row_limit.current
        while self._waiting and (not self._active or room >= min(len(self._waiting), max(1, all_rows // ENTER_SHARE))):
            allocated = self._allocate_text(room)
            loaded = self._image_cache.load([waiting.row for waiting, _ in allocated], in_use=self._active)
            self._replies |= loaded.failed
            entering = [(waiting, span) for waiting, span in allocated if waiting.row in loaded.ready]
            for waiting, span in allocated:
                if waiting.row not in loaded.ready:
                    self._generation.text_pool.spans.release(span)
            settled = {*loaded.ready, *loaded.failed}
            self._waiting = [waiting for waiting in self._waiting if waiting.row not in settled]
            rows = self._prefill(entering, loaded.ready)
            if rows:
                return rows
            if not settled:
                if self._active:
                    return ()  # active rows will free memory
                self._refuse(self._waiting.pop(0))
        return ()

    def _allocate_text(self, room: int) -> list[tuple[_WaitingRow, Span]]:
        allocated = []
        for waiting in self._waiting[:room]:
            span = self._generation.text_pool.spans.allocate(waiting.text_size)
            if span is None:
                break
            allocated.append((waiting, span))
            if waiting.row not in self._grammars:
                compile_grammar = self._generation.grammars.row
                self._grammars[waiting.row] = self._generation.grammar_threads.submit(compile_grammar, waiting.request.schema)
        return allocated

    def _refuse(self, waiting: _WaitingRow) -> None:
        self._replies[waiting.row] = ReaderRefused(
            f"The question and its answer take {waiting.text_size} tokens, or its image more than there is memory for. "
            "Set a smaller max_tokens, or use a GPU with more memory."
        )

    def _prefill(self, entering: Sequence[tuple[_WaitingRow, Span]], cached: Mapping[int, CachedImages]) -> list[ActiveRow]:
        """Process the questions of the entering rows, as many at once as fit, and return those rows as active."""
        active: list[ActiveRow] = []
        left = sorted(entering, key=lambda entry: entry[0].prefix_size)
        while left:
            longest = max(len(waiting.question) for waiting, _ in left)
            at_once = max(1, self._generation.question_limit.current // longest)
            rows = left[: math.ceil(len(left) / math.ceil(len(left) / at_once))]  # in equal parts, without a small rest
            rows = [entry for entry in rows if entry[0].prefix_size == left[0][0].prefix_size]  # with the same number of images
            try:
                logits = self._prefill_logits(rows, cached)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._generation.question_limit.halve(len(rows) * longest, error)
                if len(rows) > 1:
                    continue
                waiting, span = rows[0]
                self._generation.text_pool.spans.release(span)
                self._replies[waiting.row] = out_of_memory_error(error)
            else:
                for (waiting, span), row_logits in zip(rows, logits, strict=True):
                    active.append(self._activate(waiting, span, cached[waiting.row], row_logits))
            left = left[len(rows) :]
        return active

    def _prefill_logits(self, rows: Sequence[tuple[_WaitingRow, Span]], cached: Mapping[int, CachedImages]) -> torch.Tensor:
        return self._generation.layers.prefill(
            [waiting.question for waiting, _ in rows],
            torch.stack([cached[waiting.row].prefix for waiting, _ in rows]),
            [span for _, span in rows],
            [cached[waiting.row].keys for waiting, _ in rows],
        )

    def _activate(self, waiting: _WaitingRow, text: Span, cached: CachedImages, logits: torch.Tensor) -> ActiveRow:
        self._active[waiting.row] = text
        request, grammar = waiting.request, self._grammars.pop(waiting.row).result()
        sequence = AnswerSequence(waiting.row, grammar, request.max_tokens, DraftCursor(request.draft))
        length = waiting.prefix_size + len(waiting.question)
        return ActiveRow(sequence, logits, text, cached.keys, length, sampling=request.sampling)
