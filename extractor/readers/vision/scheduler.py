"""Questions about a batch of images before a Mllama model, the first and every further one.

An image's keys depend on the image alone. So every question is a prompt of its own over the keys that are there already, and its answer is
the one that a model would give that looked at the image anew.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import torch
from PIL import Image

from extractor.errors import ReaderRefused
from extractor.readers.base import ReaderError
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_shortage, out_of_memory
from extractor.readers.vision.chat_template import Prompter
from extractor.readers.vision.decoding import Decoder, Seat
from extractor.readers.vision.drafts import Guesser
from extractor.readers.vision.engine import Ask, OnText, Said, Stream
from extractor.readers.vision.grammar import GrammarRow, Grammars
from extractor.readers.vision.image_cache import ImageCache, Seen
from extractor.readers.vision.kv_pools import KvPool, Span
from extractor.readers.vision.layers import TextLayers
from extractor.readers.vision.sequence import AnswerSequence

READ_TOKENS = 24576
"""Question tokens read at once: enough to fill a GPU, and about 2 GB of activations in an 11B model."""

ENTER_SHARE = 8
"""New rows enter when an eighth of all rows is free: reading few questions at a time holds up all others."""


@dataclass(frozen=True)
class Speech:
    """What turns questions into answers, shared by all batches.

    Attributes:
        texts: The text pool that `layers` writes to.
        questions: How many tokens of questions are read at once.
        scribes: Threads that compile grammars while the GPU works.
    """

    layers: TextLayers
    decoder: Decoder
    prompter: Prompter
    grammars: Grammars
    texts: KvPool
    scribes: Executor
    questions: BatchSizeLimit = field(default_factory=lambda: BatchSizeLimit(READ_TOKENS, "question tokens"))

    def end_batch(self) -> None:
        """Counts a batch; see `BatchSizeLimit`."""
        self.decoder.allowance.end_batch()
        self.questions.end_batch()


class MllamaScheduler:
    """A batch of images; see `Sight`."""

    def __init__(self, album: ImageCache, speech: Speech) -> None:
        self._album, self._speech = album, speech

    def add(self, *images: Image.Image) -> int:
        return self._album.add(*images)

    def ask(self, asks: Mapping[int, Ask], on_text: OnText | None = None) -> Mapping[int, Said | ReaderError]:
        with torch.inference_mode():
            return _Round(self._album, self._speech, asks, on_text).answers()

    def close(self) -> None:
        self._album.clear()
        self._speech.end_batch()


@dataclass(frozen=True)
class _Waiting:
    """A row that has not begun to answer."""

    row: int
    ask: Ask
    question: tuple[int, ...]
    prefix_size: int

    @property
    def text_size(self) -> int:
        return self.prefix_size + len(self.question) + self.ask.max_tokens


class _Round:
    """One call of `ask`: rows wait, are shown their image, read their question, speak, and are done."""

    def __init__(self, album: ImageCache, speech: Speech, asks: Mapping[int, Ask], on_text: OnText | None) -> None:
        self._album, self._speech, self._stream = album, speech, Stream(on_text)
        self._answers: dict[int, Said | ReaderError] = {}
        self._speaking: dict[int, Span] = {}
        self._grammars: dict[int, Future[GrammarRow]] = {}
        self._waiting: list[_Waiting] = []
        for row, ask in asks.items():
            prompt = speech.prompter.prompt(ask.turns, images=album.count(row))
            self._waiting.append(_Waiting(row, ask, prompt.question, len(prompt.prefix)))

    def answers(self) -> Mapping[int, Said | ReaderError]:
        try:
            for speaker in self._speech.decoder.run(self._admit, self._heard):
                self._answers[speaker.row] = speaker.outcome()
                self._speech.grammars.give_back(speaker.grammar)
                self._release(speaker.row)
        finally:  # also when the user breaks off
            for row in list(self._speaking):
                self._release(row)
        return self._answers

    def _heard(self, speaker: AnswerSequence, piece: bytes) -> None:
        self._stream.say(speaker.row, piece, is_last=speaker.is_done)

    def _release(self, row: int) -> None:
        self._speech.texts.spans.give(self._speaking.pop(row))

    def _admit(self, room: int) -> Sequence[Seat]:
        """Rows that begin to answer now; see `Decoder.run`."""
        all_rows = self._speech.decoder.allowance.now
        while self._waiting and (not self._speaking or room >= min(len(self._waiting), max(1, all_rows // ENTER_SHARE))):
            placed = self._text_places(room)
            shown = self._album.show([waiting.row for waiting, _ in placed], busy=self._speaking)
            self._answers |= shown.failed
            entering = [(waiting, span) for waiting, span in placed if waiting.row in shown.ready]
            for waiting, span in placed:
                if waiting.row not in shown.ready:
                    self._speech.texts.spans.give(span)
            settled = {*shown.ready, *shown.failed}
            self._waiting = [waiting for waiting in self._waiting if waiting.row not in settled]
            seats = self._read(entering, shown.ready)
            if seats:
                return seats
            if not settled:
                if self._speaking:
                    return ()  # those that speak will leave room
                self._give_up(self._waiting.pop(0))
        return ()

    def _text_places(self, room: int) -> list[tuple[_Waiting, Span]]:
        placed = []
        for waiting in self._waiting[:room]:
            span = self._speech.texts.spans.take(waiting.text_size)
            if span is None:
                break
            placed.append((waiting, span))
            if waiting.row not in self._grammars:
                self._grammars[waiting.row] = self._speech.scribes.submit(self._speech.grammars.row, waiting.ask.schema)
        return placed

    def _give_up(self, waiting: _Waiting) -> None:
        self._answers[waiting.row] = ReaderRefused(
            f"The question and its answer take {waiting.text_size} tokens, or its image more than there is memory for. "
            "Set a smaller max_tokens, or use a GPU with more memory."
        )

    def _read(self, entering: Sequence[tuple[_Waiting, Span]], seen: Mapping[int, Seen]) -> list[Seat]:
        """The entering rows with their questions read, so many at a time as fit."""
        seats: list[Seat] = []
        left = sorted(entering, key=lambda entry: entry[0].prefix_size)
        while left:
            longest = max(len(waiting.question) for waiting, _ in left)
            at_once = max(1, self._speech.questions.now // longest)
            rows = left[: math.ceil(len(left) / math.ceil(len(left) / at_once))]  # in equal shares, no small rest
            rows = [entry for entry in rows if entry[0].prefix_size == left[0][0].prefix_size]  # as many images each
            try:
                logits = self._read_some(rows, seen)
            except RuntimeError as error:
                if not is_shortage(error):
                    raise
                self._speech.questions.halve(len(rows) * longest, error)
                if len(rows) > 1:
                    continue
                waiting, span = rows[0]
                self._speech.texts.spans.give(span)
                self._answers[waiting.row] = out_of_memory(error)
            else:
                for (waiting, span), row_logits in zip(rows, logits, strict=True):
                    seats.append(self._seat(waiting, span, seen[waiting.row], row_logits))
            left = left[len(rows) :]
        return seats

    def _read_some(self, rows: Sequence[tuple[_Waiting, Span]], seen: Mapping[int, Seen]) -> torch.Tensor:
        return self._speech.layers.read(
            [waiting.question for waiting, _ in rows],
            torch.stack([seen[waiting.row].prefix for waiting, _ in rows]),
            [span for _, span in rows],
            [seen[waiting.row].keys for waiting, _ in rows],
        )

    def _seat(self, waiting: _Waiting, text: Span, seen: Seen, logits: torch.Tensor) -> Seat:
        self._speaking[waiting.row] = text
        speaker = AnswerSequence(waiting.row, self._grammars.pop(waiting.row).result(), waiting.ask.max_tokens, Guesser(waiting.ask.draft))
        return Seat(speaker, logits, text, seen.keys, waiting.prefix_size + len(waiting.question), draw=waiting.ask.draw)
