"""Any other vision model, and Mllama's reference: answers through transformers' `generate`, with the same grammars.

Slower than steps of our own, and every question looks at its images again; the answers are held to the same schema.
"""

from collections.abc import Mapping, Sequence

import torch
from PIL import Image

from extractor.errors import ReaderRefused
from extractor.readers.base import ReaderError
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_shortage, out_of_memory
from extractor.readers.vision.chat_template import Prompter
from extractor.readers.vision.engine import Ask, OnText, Said, Stream
from extractor.readers.vision.grammar import Grammars, masked
from extractor.readers.vision.loading import LoadedModel
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.sampling import shaken
from extractor.readers.vision.sequence import AnswerSequence


class GeneratingEngine:
    """A model that answers through `generate`; see `Engine`."""

    def __init__(self, loaded: LoadedModel, options: VisionOptions) -> None:
        self._loaded = loaded
        self.allowance = BatchSizeLimit(options.max_rows, "rows")
        self.prompter = Prompter(loaded.processor)
        self.grammars = Grammars(loaded.processor.tokenizer, loaded.ends)

    def open(self) -> "GeneratingSight":
        return GeneratingSight(self, self._loaded)


class GeneratingSight:
    """A batch of images; see `Sight`."""

    def __init__(self, engine: GeneratingEngine, loaded: LoadedModel) -> None:
        self._engine, self._loaded = engine, loaded
        self._images: list[tuple[Image.Image, ...]] = []

    def add(self, *images: Image.Image) -> int:
        self._images.append(images)
        return len(self._images) - 1

    def close(self) -> None:
        self._images.clear()
        self._engine.allowance.end_batch()

    def ask(self, asks: Mapping[int, Ask], on_text: OnText | None = None) -> Mapping[int, Said | ReaderError]:
        answers: dict[int, Said | ReaderError] = {}
        left, allowance, most = list(asks), self._engine.allowance, len(asks)
        while left:
            # As many images each: what a row says must not depend on the room that its neighbours' images take.
            rows = [row for row in left[: min(most, allowance.now)] if len(self._images[row]) == len(self._images[left[0]])]
            guide = _Guide(self._engine.grammars, {row: asks[row] for row in rows}, self._loaded.ends, on_text)
            try:
                self._generate(guide, [asks[row] for row in rows], [self._images[row] for row in rows])
            except RuntimeError as error:
                if not is_shortage(error):
                    raise
                allowance.halve(len(rows), error)
                answers |= {rows[0]: out_of_memory(error)} if len(rows) == 1 else {}
                answers |= guide.finished()
            except (ValueError, OSError, ArithmeticError) as error:
                if len(rows) > 1:  # one bad image must not spoil its neighbours: find it by halves
                    most = len(rows) // 2
                    continue
                answers[rows[0]] = ReaderRefused(
                    f"The vision model cannot take this image ({error}). Scan or photograph the receipt again."
                )
            else:
                answers |= guide.answers()
            left = [row for row in left if row not in answers]
        return answers

    def _generate(self, guide: "_Guide", asks: Sequence[Ask], images: Sequence[tuple[Image.Image, ...]]) -> None:
        engine, model = self._engine, self._loaded.model
        inputs = self._loaded.processor(
            text=[engine.prompter.text(ask.turns, images=len(own)) for ask, own in zip(asks, images, strict=True)],
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
                max_new_tokens=1 + max(ask.max_tokens for ask in asks),  # the guide ends rows; it hears a token one call later
                do_sample=False,
                logits_processor=[guide],
                pad_token_id=self._loaded.processor.tokenizer.pad_token_id,
            )


class _Guide:
    """A logits processor: keeps each row to its grammar, ends it at its limit, and notes what was said. Never raises for one row.

    `generate` takes one token a row and step, so what a grammar forces is handed to it token by token.
    """

    def __init__(self, grammars: Grammars, asks: Mapping[int, Ask], ends: frozenset[int], on_text: OnText | None) -> None:
        self._grammars, self._ends, self._stream = grammars, ends, Stream(on_text)
        self._speakers = [AnswerSequence(row, grammars.row(ask.schema), ask.max_tokens) for row, ask in asks.items()]
        self._drawn = [(index, ask.draw) for index, ask in enumerate(asks.values()) if ask.draw is not None]
        self._masks = grammars.blank(len(asks))
        self._logprobs: list[float] = []
        self._steps = 0
        for speaker in self._speakers:
            self._stream.say(speaker.row, speaker.begin(grammars), is_last=speaker.is_done)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self._steps:
            self._listen(input_ids[:, -1].tolist())
        self._grammars.fill([(speaker.grammar, ()) for speaker in self._speakers], self._masks)
        allowed = masked(scores.float(), self._masks.to(scores.device))
        allowed = shaken(allowed, [(index, draw, self._steps) for index, draw in self._drawn])
        for index, speaker in enumerate(self._speakers):
            token = speaker.tokens[self._steps] if len(speaker.tokens) > self._steps else min(self._ends) if speaker.is_done else None
            if token is not None:
                allowed[index] = float("-inf")
                allowed[index, token] = 0.0
        best = allowed.argmax(dim=-1)
        self._logprobs = (scores.gather(1, best[:, None])[:, 0] - scores.logsumexp(dim=-1)).tolist()
        self._steps += 1
        return allowed

    def _listen(self, picked: Sequence[int]) -> None:
        for speaker, token, logprob in zip(self._speakers, picked, self._logprobs, strict=True):
            if not speaker.is_done and len(speaker.tokens) < self._steps:
                piece = speaker.hear(token, logprob, self._grammars, self._ends)
                self._stream.say(speaker.row, piece, is_last=speaker.is_done)

    def answers(self) -> dict[int, Said | ReaderError]:
        """What each row said, once `generate` has ended."""
        return self._outcomes(self._speakers)

    def finished(self) -> dict[int, Said | ReaderError]:
        """What those rows said that were done when `generate` was broken off."""
        return self._outcomes([speaker for speaker in self._speakers if speaker.is_done])

    def _outcomes(self, speakers: Sequence[AnswerSequence]) -> dict[int, Said | ReaderError]:
        for speaker in speakers:
            self._grammars.give_back(speaker.grammar)
        return {speaker.row: speaker.outcome() for speaker in speakers}
