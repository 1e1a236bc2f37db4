"""A conversation about one image: free questions, each with all earlier turns. The image is encoded once."""

from collections.abc import Callable

from PIL import Image

from extractor.readers.vision.engine import Engine, ModelReply, ModelRequest


class Conversation:
    """Questions about an image, and the model's answers.

    Args:
        max_tokens: Maximum length of an answer.
    """

    def __init__(self, engine: Engine, image: Image.Image, *, max_tokens: int) -> None:
        self._session = engine.open()
        self._row = self._session.add(image)
        self._max_tokens = max_tokens
        self.turns: list[str] = []

    def ask(self, question: str, on_text: Callable[[str], None]) -> bool:
        """Pass the answer to `on_text` while it is generated; return whether it is complete.

        An answer that is interrupted (by Ctrl-C, say) stays in the conversation as far as it went.

        Raises:
            ReaderUnavailable: There is not enough memory now.
            ReaderRefused: The conversation has become too long for memory, or the image cannot be used.
        """
        generated: list[str] = []

        def receive(_row: int, text: str) -> None:
            generated.append(text)
            on_text(text)

        try:
            reply = self._session.ask({self._row: ModelRequest((*self.turns, question), None, self._max_tokens)}, receive)[self._row]
        finally:
            if generated:
                self.turns += [question, "".join(generated)]
        if not isinstance(reply, ModelReply):
            raise reply
        return not reply.is_cut_off

    def close(self) -> None:
        """Drop the image."""
        self._session.close()
