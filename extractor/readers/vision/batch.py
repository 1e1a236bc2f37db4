"""Reads a batch of receipts with a model: questions become prompts about views of the pages; the model's replies become answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from extractor.errors import BadAnswer, ReaderRefused, ReaderUnavailable
from extractor.ocr.transcript import Box
from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Answer, Document, Evidence, Look, Question, ReaderError
from extractor.readers.prompts import answer_schema, asked_fields, prompt
from extractor.readers.vision.answer_spans import evidence_of
from extractor.readers.vision.drafts import draft_of
from extractor.readers.vision.engine import ImageSession, ModelReply, ModelRequest
from extractor.readers.vision.merging import LISTS, item_offsets, merged
from extractor.readers.vision.sampling import Sampling
from extractor.readers.vision.views import View, views_of

TOKENS_PER_FIELD = 96  # maximum for one field that is not a list, in a narrowed answer, including its reason in `missing`
TEMPERATURE = 0.7  # of sampled answers: values that the model is certain of stay the same, uncertain ones differ


@dataclass(frozen=True)
class _SessionView:
    """A view and its row in the session."""

    view: View
    row: int


class VisionReading:
    """A batch of receipts; see `Reading`.

    Args:
        max_tokens: Maximum length of an answer.
    """

    def __init__(self, session: ImageSession, documents: Sequence[Document], *, max_tokens: int) -> None:
        self._session, self._documents, self._max_tokens = session, documents, max_tokens
        self._views: dict[tuple[int, int | None, Box | None], tuple[_SessionView, ...]] = {}
        for row in range(len(documents)):  # now, so that pixels are prepared while an earlier batch is still being read
            self._add_views(row, Look())

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """Return one answer or error for every row asked.

        The answers about the parts of one document are merged; if one part fails, the document fails. Several answers are sampled with the
        seeds 0, 1, 2 and so on, so that the same images and question give the same answers again.
        """
        sampled: dict[int, list[Answer]] = {}
        failed: dict[int, ReaderError] = {}
        for seed in range(max(question.look.samples for question in questions.values())):
            wanted = {row: question for row, question in questions.items() if seed < question.look.samples and row not in failed}
            for row, answer in self._ask_once(wanted, seed).items():
                if isinstance(answer, Answer):
                    sampled.setdefault(row, []).append(answer)
                else:
                    failed[row] = answer
        answered = {row: replace(answers[0], samples=tuple(answers[1:])) for row, answers in sampled.items()}
        return failed | answered  # an answer counts even if the next sample failed

    def _ask_once(self, questions: Mapping[int, Question], seed: int) -> dict[int, Answer | ReaderError]:
        views = {row: self._add_views(row, question.look) for row, question in questions.items()}
        requests = {part.row: self._request(row, questions[row], seed) for row, parts in views.items() for part in parts}
        replies = self._session.ask(requests)
        return {row: self._answer([(part.view, replies[part.row]) for part in parts]) for row, parts in views.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._session.close()

    def _add_views(self, row: int, look: Look) -> tuple[_SessionView, ...]:
        """Return the views of a document, added to the session unless the same pixels are there already."""
        key = row, look.page, look.crop
        if key not in self._views:
            self._views[key] = tuple(_SessionView(view, self._session.add(*view.images)) for view in views_of(self._documents[row], look))
        return self._views[key]

    def _request(self, row: int, question: Question, seed: int) -> ModelRequest:
        fields = asked_fields(question)
        is_short = not question.is_first and not LISTS.intersection(fields)
        max_tokens = min(self._max_tokens, TOKENS_PER_FIELD * (1 + len(fields))) if is_short else self._max_tokens
        draft = draft_of(question, self._documents[row].transcripts)
        sampling = Sampling(seed, TEMPERATURE) if question.look.samples > 1 else None
        return ModelRequest((prompt(question),), answer_schema(question), max_tokens, draft, sampling)

    @staticmethod
    def _answer(parts: Sequence[tuple[View, ModelReply | ReaderError]]) -> Answer | ReaderError:
        replies: list[tuple[View, ModelReply]] = []
        for view, reply in parts:
            if isinstance(reply, ReaderUnavailable | ReaderRefused | BadAnswer):
                return reply
            replies.append((view, reply))
        evidences = [evidence_of(reply.pieces, reply.logprobs, page=view.page) for view, reply in replies]
        if len(replies) == 1:
            text, evidence = replies[0][1].text, evidences[0]
        else:
            text, evidence = _merged([reply for _, reply in replies], evidences)
        return Answer(
            text=text,
            evidence=evidence,
            seconds=max(reply.seconds for _, reply in replies),
            tokens=sum(len(reply.tokens) for _, reply in replies),
            is_cut_off=any(reply.is_cut_off for _, reply in replies),
        )


def _merged(parts: Sequence[ModelReply], evidences: Sequence[Mapping[str, Evidence]]) -> tuple[str, dict[str, Evidence]]:
    """Return text and evidence of the merged answer; a part that was cut off counts as far as it is complete."""
    answers = [
        parse_answer(part.text, is_cut_off=part.is_cut_off).answer.model_dump(mode="json", exclude_unset=True) if part.text else {}
        for part in parts
    ]
    whole = merged(answers)
    found: dict[str, Evidence] = {}
    for offset, evidence in zip(item_offsets(answers), evidences, strict=True):
        for path, value in evidence.items():
            if path.startswith("items["):
                index, rest = path.removeprefix("items[").split("]", 1)
                found.setdefault(f"items[{int(index) + offset}]{rest}", value)
            elif whole.get(path) == value.text:
                found.setdefault(path, value)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")), found
