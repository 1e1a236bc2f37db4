"""Answers through transformers' `generate`, with the same grammars: for every architecture but Mllama, and as Mllama's reference.

Slower than `decoding`, and images are encoded anew for each question; the answers match the same schema.
"""

from collections.abc import Mapping, Sequence

import torch
from PIL import Image

from extractor.errors import ReaderRefused
from extractor.readers.base import ReaderError
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_out_of_memory, out_of_memory_error
from extractor.readers.vision.chat_template import Prompter
from extractor.readers.vision.engine import ModelReply, ModelRequest, OnText, TextStream
from extractor.readers.vision.grammar import Grammars, masked
from extractor.readers.vision.model_loading import LoadedModel
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.sampling import add_sampling_noise
from extractor.readers.vision.sequence import AnswerSequence


class GenerateEngine:
    """A model that answers through `generate`; see `Engine`."""

    def __init__(self, loaded: LoadedModel, options: VisionOptions) -> None:
        self._loaded = loaded
        self.row_limit = BatchSizeLimit(options.max_rows, "rows")
        self.prompter = Prompter(loaded.processor)
        self.grammars = Grammars(loaded.processor.tokenizer, loaded.ends)

    def open(self) -> "GenerateSession":
        return GenerateSession(self, self._loaded)


class GenerateSession:
    """A batch of images; see `ImageSession`."""

    def __init__(self, engine: GenerateEngine, loaded: LoadedModel) -> None:
        self._engine, self._loaded = engine, loaded
        self._images: list[tuple[Image.Image, ...]] = []

    def add(self, *images: Image.Image) -> int:
        self._images.append(images)
        return len(self._images) - 1

    def close(self) -> None:
        self._images.clear()
        self._engine.row_limit.end_batch()

    def ask(self, requests: Mapping[int, ModelRequest], on_text: OnText | None = None) -> Mapping[int, ModelReply | ReaderError]:
        replies: dict[int, ModelReply | ReaderError] = {}
        left, row_limit, call_limit = list(requests), self._engine.row_limit, len(requests)
        while left:
            # Only rows with the same number of images: a row's answer must not depend on the padding for its neighbours' images.
            rows = [row for row in left[: min(call_limit, row_limit.current)] if len(self._images[row]) == len(self._images[left[0]])]
            processor = _GrammarProcessor(self._engine.grammars, {row: requests[row] for row in rows}, self._loaded.ends, on_text)
            try:
                self._generate(processor, [requests[row] for row in rows], [self._images[row] for row in rows])
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                row_limit.halve(len(rows), error)
                replies |= {rows[0]: out_of_memory_error(error)} if len(rows) == 1 else {}
                replies |= processor.finished_replies()
            except (ValueError, OSError, ArithmeticError) as error:
                if len(rows) > 1:  # find the image at fault by halving the batch, so that the other rows are answered
                    call_limit = len(rows) // 2
                    continue
                replies[rows[0]] = ReaderRefused(
                    f"The vision model cannot take this image ({error}). Scan or photograph the receipt again."
                )
            else:
                replies |= processor.replies()
            left = [row for row in left if row not in replies]
        return replies

    def _generate(
        self, processor: "_GrammarProcessor", requests: Sequence[ModelRequest], images: Sequence[tuple[Image.Image, ...]]
    ) -> None:
        engine, model = self._engine, self._loaded.model
        inputs = self._loaded.processor(
            text=[engine.prompter.text(request.turns, images=len(own)) for request, own in zip(requests, images, strict=True)],
            images=[list(own) for own in images],
            padding=True,
            add_special_tokens=False,
            return_tensors="pt",
        ).to(model.device)
        # Unsloth's own `generate` forces a kind of cache that some models refuse.
        generate = getattr(model, "_old_generate", model.generate)
        with torch.inference_mode():
            generate(
                **inputs,
                max_new_tokens=1
                + max(request.max_tokens for request in requests),  # the processor ends rows; it sees a token one call later
                do_sample=False,
                logits_processor=[processor],
                pad_token_id=self._loaded.processor.tokenizer.pad_token_id,
            )


class _GrammarProcessor:
    """A logits processor that keeps each row to its grammar, ends it at its limit, and records its tokens. It never fails for one row.

    `generate` takes one token per row and step, so tokens that a grammar forces are passed to it one by one.
    """

    def __init__(self, grammars: Grammars, requests: Mapping[int, ModelRequest], ends: frozenset[int], on_text: OnText | None) -> None:
        self._grammars, self._ends, self._stream = grammars, ends, TextStream(on_text)
        self._sequences = [AnswerSequence(row, grammars.row(request.schema), request.max_tokens) for row, request in requests.items()]
        self._sampled = [(index, request.sampling) for index, request in enumerate(requests.values()) if request.sampling is not None]
        self._masks = grammars.blank(len(requests))
        self._logprobs: list[float] = []
        self._steps = 0
        for sequence in self._sequences:
            self._stream.feed(sequence.row, sequence.begin(grammars), is_last=sequence.is_done)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self._steps:
            self._append(input_ids[:, -1].tolist())
        self._grammars.fill([(sequence.grammar, ()) for sequence in self._sequences], self._masks)
        allowed = masked(scores.float(), self._masks.to(scores.device))
        allowed = add_sampling_noise(allowed, [(index, sampling, self._steps) for index, sampling in self._sampled])
        for index, sequence in enumerate(self._sequences):
            token = sequence.tokens[self._steps] if len(sequence.tokens) > self._steps else min(self._ends) if sequence.is_done else None
            if token is not None:
                allowed[index] = float("-inf")
                allowed[index, token] = 0.0
        best = allowed.argmax(dim=-1)
        self._logprobs = (scores.gather(1, best[:, None])[:, 0] - scores.logsumexp(dim=-1)).tolist()
        self._steps += 1
        return allowed

    def _append(self, chosen: Sequence[int]) -> None:
        for sequence, token, logprob in zip(self._sequences, chosen, self._logprobs, strict=True):
            if not sequence.is_done and len(sequence.tokens) < self._steps:
                piece = sequence.append(token, logprob, self._grammars, self._ends)
                self._stream.feed(sequence.row, piece, is_last=sequence.is_done)

    def replies(self) -> dict[int, ModelReply | ReaderError]:
        """Return each row's reply, once `generate` has ended."""
        return self._results(self._sequences)

    def finished_replies(self) -> dict[int, ModelReply | ReaderError]:
        """Return the replies of the rows that were done when `generate` failed."""
        return self._results([sequence for sequence in self._sequences if sequence.is_done])

    def _results(self, sequences: Sequence[AnswerSequence]) -> dict[int, ModelReply | ReaderError]:
        for sequence in sequences:
            self._grammars.recycle(sequence.grammar)
        return {sequence.row: sequence.result() for sequence in sequences}
