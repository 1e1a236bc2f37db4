"""A conversation about an image becomes token ids, through the model's own chat template, the image first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from extractor.errors import ConfigError


@dataclass(frozen=True)
class Prompt:
    """Token ids of a conversation, cut after the image.

    Attributes:
        prefix: From the start to the image token, the same for every image and question.
        question: The rest, up to where the model begins to speak.
    """

    prefix: tuple[int, ...]
    question: tuple[int, ...]


def conversation(turns: Sequence[str]) -> list[dict[str, Any]]:
    """Messages for a chat template: user and assistant in turn, the image at the head of the first user turn.

    There is no system message: Llama 3.2 Vision's template refuses one beside an image.
    """
    messages: list[dict[str, Any]] = []
    for number, text in enumerate(turns):
        content: list[dict[str, str]] = [{"type": "image"}] if number == 0 else []
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

    def text(self, turns: Sequence[str]) -> str:
        """The conversation as the template writes it, ready for the model to answer."""
        messages = conversation([self._defused(turn) for turn in turns])
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        if not isinstance(text, str):
            raise ConfigError(f"The chat template of {type(self.processor).__name__} gives no text. Use an instruction-tuned vision model.")
        return text

    def prompt(self, turns: Sequence[str]) -> Prompt:
        """The conversation as token ids, cut after its only image token."""
        ids = list(self.tokenizer(self.text(turns), add_special_tokens=False)["input_ids"])
        image = self.processor.image_token_id
        if ids.count(image) != 1:
            raise ConfigError(
                f"The chat template wrote {ids.count(image)} image tokens instead of one. Use an instruction-tuned vision model."
            )
        end = ids.index(image) + 1
        return Prompt(tuple(ids[:end]), tuple(ids[end:]))

    def _defused(self, turn: str) -> str:
        """The turn without the model's control tokens: text that comes from a receipt must not end the user's turn."""
        before = ""
        while turn != before:  # what is left may be a token that stood around another one
            before = turn
            for token in self._control:
                turn = turn.replace(token, "")
        return turn
