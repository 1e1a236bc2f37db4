"""A conversation about one image: free questions, each with all that was said before; the image is looked at once."""

from collections.abc import Callable

from PIL import Image

from extractor.readers.vision.engine import Ask, Engine, Said


class Conversation:
    """Questions about an image and the model's answers.

    Args:
        max_tokens: Length of an answer at most.
    """

    def __init__(self, engine: Engine, image: Image.Image, *, max_tokens: int) -> None:
        self._sight = engine.open()
        self._row = self._sight.add(image)
        self._max_tokens = max_tokens
        self.turns: list[str] = []

    def ask(self, question: str, heard: Callable[[str], None]) -> bool:
        """Whether the answer came to its end; its text goes to `heard` while it is said.

        An answer that is broken off (by Ctrl-C, say) stays in the conversation as far as it went.

        Raises:
            ReaderUnavailable: No memory for it now.
            ReaderRefused: The conversation has become too long for memory, or the image cannot be shown.
        """
        said: list[str] = []

        def on_text(_row: int, text: str) -> None:
            said.append(text)
            heard(text)

        try:
            answer = self._sight.ask({self._row: Ask((*self.turns, question), None, self._max_tokens)}, on_text)[self._row]
        finally:
            if said:
                self.turns += [question, "".join(said)]
        if not isinstance(answer, Said):
            raise answer
        return not answer.is_cut_off

    def close(self) -> None:
        """Forgets the image."""
        self._sight.close()
