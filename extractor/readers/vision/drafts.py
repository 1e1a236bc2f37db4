"""Guesses what an answer will say next, from text that it is likely to repeat: the model checks guesses faster than it speaks. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from extractor.errors import BadAnswer
from extractor.ocr.transcript import Transcript
from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Question
from extractor.readers.prompts import answer_schema

MATCHES = (16, 8, 5)
"""Bytes at the end of an answer by which its place in a draft is found, the surest first; fewer are found in too many places."""


class Guesser:
    """Follows one answer through a draft.

    Args:
        draft: What the answer may well say, in whole or in parts; empty for no guesses.
    """

    def __init__(self, draft: str) -> None:
        self._draft = draft.encode()
        self._said = b""
        self._at: int | None = 0
        self._searched_from = 0

    def hear(self, piece: bytes) -> None:
        """Moves on by what was just said."""
        self._said = (self._said + piece)[-MATCHES[0] :]
        if self._at is not None and self._draft.startswith(piece, self._at):
            self._at += len(piece)
        else:
            self._searched_from = self._at if self._at is not None else self._searched_from
            self._at = self._found()

    def guess(self, size: int) -> bytes:
        """Up to `size` bytes that may come next; none where the answer has left the draft."""
        return b"" if self._at is None else self._draft[self._at : self._at + size]

    def _found(self) -> int | None:
        """The place in the draft after what was said last; receipts are read from the top, so places further on come first."""
        for size in MATCHES:
            tail = self._said[-size:]
            if len(tail) == size:
                place = self._draft.find(tail, self._searched_from)
                place = place if place >= 0 else self._draft.find(tail)
                if place >= 0:
                    return place + size
        return None


def draft_of(question: Question, transcripts: Sequence[Transcript]) -> str:
    """What an answer to `question` is likely to repeat: another reader's answer in the form of this one, and the text of the pages."""
    text = "\n".join(line.text for transcript in transcripts for line in transcript.lines)
    try:
        stated = parse_answer(question.draft).answer.model_dump(mode="json")
    except BadAnswer:
        return text
    whole = _formed(answer_schema(question), stated)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n" + text


def _formed(schema: dict[str, Any], value: Any) -> Any:
    """The value with its keys in the schema's order, and those that need not be stated left out where they are null."""
    if schema.get("type") == "array":
        return [_formed(schema["items"], part) for part in value]
    if schema.get("type") != "object":
        return value
    required = schema["required"]
    return {name: _formed(part, value[name]) for name, part in schema["properties"].items() if name in required or value[name] is not None}
