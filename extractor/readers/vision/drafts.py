"""Drafts for speculative decoding: text that an answer is likely to repeat, and the place in it that the answer has reached. Pure.

The model checks several proposed tokens in one step, which is faster than generating them one by one.
"""

import json
from collections.abc import Sequence
from typing import Any

from extractor.errors import BadAnswer
from extractor.ocr.transcript import Transcript
from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Question
from extractor.readers.prompts import answer_schema

# Lengths in bytes of the answer's end that is searched for in the draft, most reliable first; shorter ones occur in too many places.
MATCHES = (16, 8, 5)


class DraftCursor:
    """Follows one answer through its draft.

    Args:
        draft: Text that the answer is likely to repeat, in whole or in parts; without one nothing is proposed.
    """

    def __init__(self, draft: str) -> None:
        self._draft = draft.encode()
        self._tail = b""
        self._position: int | None = 0
        self._searched_from = 0

    def advance(self, piece: bytes) -> None:
        """Move on by the bytes that were just added to the answer."""
        self._tail = (self._tail + piece)[-MATCHES[0] :]
        if self._position is not None and self._draft.startswith(piece, self._position):
            self._position += len(piece)
        else:
            self._searched_from = self._position if self._position is not None else self._searched_from
            self._position = self._locate()

    def propose(self, size: int) -> bytes:
        """Return up to `size` bytes that may come next; none where the answer has left the draft."""
        return b"" if self._position is None else self._draft[self._position : self._position + size]

    def _locate(self) -> int | None:
        """Find the end of the answer in the draft. Receipts are read from top to bottom, so later places are tried first."""
        for size in MATCHES:
            tail = self._tail[-size:]
            if len(tail) == size:
                place = self._draft.find(tail, self._searched_from)
                place = place if place >= 0 else self._draft.find(tail)
                if place >= 0:
                    return place + size
        return None


def draft_of(question: Question, transcripts: Sequence[Transcript]) -> str:
    """Return the draft for a question: another reader's answer, in the format of this one, and the text of the pages."""
    text = "\n".join(line.text for transcript in transcripts for line in transcript.lines)
    try:
        stated = parse_answer(question.draft).answer.model_dump(mode="json")
    except BadAnswer:
        return text
    whole = _formed(answer_schema(question), stated)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n" + text


def _formed(schema: dict[str, Any], value: Any) -> Any:
    """Return the value with its keys in the schema's order, without optional keys that are null."""
    if schema.get("type") == "array":
        return [_formed(schema["items"], part) for part in value]
    if schema.get("type") != "object":
        return value
    required = schema["required"]
    return {name: _formed(part, value[name]) for name, part in schema["properties"].items() if name in required or value[name] is not None}
