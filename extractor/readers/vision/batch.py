"""A batch of receipts being read: questions become prompts about views, what the model says becomes answers."""

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
from extractor.readers.vision.engine import Ask, Said, Sight
from extractor.readers.vision.merging import LISTS, item_offsets, merged
from extractor.readers.vision.sampling import Draw
from extractor.readers.vision.views import View, views_of

TOKENS_PER_FIELD = 96
"""What one field that is no list takes at most in a narrowed answer, its reason in `missing` included."""


TEMPERATURE = 0.7
"""Of drawn answers: what the model is sure of stays, what it wavers over differs from draw to draw."""


@dataclass(frozen=True)
class _Shown:
    """A view and its row in the sight."""

    view: View
    row: int


class VisionReading:
    """Receipts before a vision model; see `Reading`.

    Args:
        max_tokens: Length of an answer at most.
    """

    def __init__(self, sight: Sight, documents: Sequence[Document], *, max_tokens: int) -> None:
        self._sight, self._documents, self._max_tokens = sight, documents, max_tokens
        self._shown: dict[tuple[int, int | None, Box | None], tuple[_Shown, ...]] = {}
        for row in range(len(documents)):  # so that pixels are being prepared while a batch opened earlier is still read
            self._show(row, Look())

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Answer | ReaderError]:
        """One answer or error for every row asked.

        A document that is shown in several parts gets one answer, merged; if one of its parts fails, the document fails. Where several
        answers are wanted, they are drawn with seeds 0, 1, 2 and so on, so that the same images and question are answered the same again.
        """
        drawn: dict[int, list[Answer]] = {}
        failed: dict[int, ReaderError] = {}
        for seed in range(max(question.look.samples for question in questions.values())):
            wanted = {row: question for row, question in questions.items() if seed < question.look.samples and row not in failed}
            for row, answer in self._asked(wanted, seed).items():
                if isinstance(answer, Answer):
                    drawn.setdefault(row, []).append(answer)
                else:
                    failed[row] = answer
        whole = {row: replace(answers[0], samples=tuple(answers[1:])) for row, answers in drawn.items()}
        return failed | whole  # an answer that was drawn counts, also where the next one failed

    def _asked(self, questions: Mapping[int, Question], seed: int) -> dict[int, Answer | ReaderError]:
        shown = {row: self._show(row, question.look) for row, question in questions.items()}
        asks = {part.row: self._ask(row, questions[row], seed) for row, parts in shown.items() for part in parts}
        said = self._sight.ask(asks)
        return {row: self._answer([(part.view, said[part.row]) for part in parts]) for row, parts in shown.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sight.close()

    def _show(self, row: int, look: Look) -> tuple[_Shown, ...]:
        """The views of a document; a look at the same pixels finds what the model already keeps of them."""
        key = row, look.page, look.crop
        if key not in self._shown:
            self._shown[key] = tuple(_Shown(view, self._sight.add(*view.images)) for view in views_of(self._documents[row], look))
        return self._shown[key]

    def _ask(self, row: int, question: Question, seed: int) -> Ask:
        fields = asked_fields(question)
        is_short = not question.is_first and not LISTS.intersection(fields)
        most = min(self._max_tokens, TOKENS_PER_FIELD * (1 + len(fields))) if is_short else self._max_tokens
        draft = draft_of(question, self._documents[row].transcripts)
        draw = Draw(seed, TEMPERATURE) if question.look.samples > 1 else None
        return Ask((prompt(question),), answer_schema(question), most, draft, draw)

    @staticmethod
    def _answer(parts: Sequence[tuple[View, Said | ReaderError]]) -> Answer | ReaderError:
        heard: list[tuple[View, Said]] = []
        for view, said in parts:
            if isinstance(said, ReaderUnavailable | ReaderRefused | BadAnswer):
                return said
            heard.append((view, said))
        evidences = [evidence_of(said.pieces, said.logprobs, page=view.page) for view, said in heard]
        if len(heard) == 1:
            text, evidence = heard[0][1].text, evidences[0]
        else:
            text, evidence = _merged([said for _, said in heard], evidences)
        return Answer(
            text=text,
            evidence=evidence,
            seconds=max(said.seconds for _, said in heard),
            tokens=sum(len(said.tokens) for _, said in heard),
            is_cut_off=any(said.is_cut_off for _, said in heard),
        )


def _merged(parts: Sequence[Said], evidences: Sequence[Mapping[str, Evidence]]) -> tuple[str, dict[str, Evidence]]:
    """One answer's text and evidence from those of several parts; of a part that was cut off, what was complete."""
    answers = [
        parse_answer(part.text, is_cut_off=part.is_cut_off).answer.model_dump(mode="json", exclude_unset=True) if part.text else {}
        for part in parts
    ]
    whole = merged(answers)
    found: dict[str, Evidence] = {}
    for offset, evidence in zip(item_offsets(answers), evidences, strict=True):
        for path, seen in evidence.items():
            if path.startswith("items["):
                index, rest = path.removeprefix("items[").split("]", 1)
                found.setdefault(f"items[{int(index) + offset}]{rest}", seen)
            elif whole.get(path) == seen.text:
                found.setdefault(path, seen)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")), found
