"""Writes a conversation about images as token ids, with the model's own chat template, images first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from extractor.errors import ConfigError


@dataclass(frozen=True)
class Prompt:
    """Token ids of a conversation, split after the images.

    Attributes:
        prefix: From the start to the last image token; the same for all images and questions.
        question: The rest, up to the start of the model's answer.
    """

    prefix: tuple[int, ...]
    question: tuple[int, ...]


def conversation(turns: Sequence[str], *, images: int = 1) -> list[dict[str, Any]]:
    """Return messages for a chat template: user and assistant in turn, images at the start of the first user turn.

    There is no system message: Llama 3.2 Vision's template rejects one together with an image.
    """
    messages: list[dict[str, Any]] = []
    for number, text in enumerate(turns):
        content: list[dict[str, str]] = [{"type": "image"}] * images if number == 0 else []
        messages.append({"role": "assistant" if number % 2 else "user", "content": [*content, {"type": "text", "text": text}]})
    return messages


class Prompter:
    """Writes prompts for one model.

    Args:
        processor: The model's processor; its tokenizer and chat template are used as they are.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        added = self.tokenizer.added_tokens_decoder.values()
        self._control = frozenset({token.content for token in added if token.special} | {processor.image_token})

    def text(self, turns: Sequence[str], *, images: int = 1) -> str:
        """Return the conversation as text, ready for the model to answer."""
        messages = conversation([self._without_control_tokens(turn) for turn in turns], images=images)
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        if not isinstance(text, str):
            raise ConfigError(f"The chat template of {type(self.processor).__name__} gives no text. Use an instruction-tuned vision model.")
        return text

    def prompt(self, turns: Sequence[str], *, images: int = 1) -> Prompt:
        """Return the conversation as token ids, split after its image tokens, which are adjacent."""
        ids = list(self.tokenizer(self.text(turns, images=images), add_special_tokens=False)["input_ids"])
        image = self.processor.image_token_id
        end = ids.index(image) + images if image in ids else 0
        if ids.count(image) != images or ids[end - images : end] != [image] * images:
            raise ConfigError(
                f"The chat template wrote {ids.count(image)} image tokens, {images} side by side were wanted. "
                "Use an instruction-tuned vision model."
            )
        return Prompt(tuple(ids[:end]), tuple(ids[end:]))

    def _without_control_tokens(self, turn: str) -> str:
        """Return the turn without the model's control tokens: text from a receipt must not end the user's turn."""
        before = ""
        while turn != before:  # removing one token may join the text around it to another
            before = turn
            for token in self._control:
                turn = turn.replace(token, "")
        return turn
