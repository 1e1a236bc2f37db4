"""Votes on the value of a field: between several answers to one question, and between several looks at the receipt. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extractor.readers.base import Evidence, Question, root_of
from extractor.readers.prompts import asked_fields
from extractor.schemas.answer import MissingField, ReceiptAnswer
from extractor.validation.agreement import agree


@dataclass
class VoteResult:
    """The majority of several answers to one question.

    Attributes:
        answer: A field has the value that more than half of the answers give. It has none where more than half give none, and where no
            value has a majority.
        evidence: The evidence for the values in `answer`.
        agreement: By field with a value, the share of the answers that give it.
        split: By field without a majority, the values that were given.
    """

    answer: ReceiptAnswer = field(default_factory=ReceiptAnswer)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    split: dict[str, tuple[str, ...]] = field(default_factory=dict)


def vote(answers: Sequence[ReceiptAnswer], evidences: Sequence[Mapping[str, Evidence]], question: Question) -> VoteResult:
    """The majority for each field that was asked for; a list is voted on as a whole. Of agreeing texts the first is kept.

    Args:
        answers: Sampled independently of each other; at least one.
    """
    result, values, missing = VoteResult(), dict[str, Any](), list[MissingField]()
    for name in asked_fields(question):
        given = [getattr(answer, name) for answer in answers]
        sizes = [sum(_same(name, one, other) for other in given) for one in given]
        best = max(range(len(given)), key=lambda index: (sizes[index], -index))
        value, share = given[best], sizes[best] / len(given)
        if share <= 1 / 2:
            if not any(isinstance(one, tuple) for one in given):
                result.split[name] = tuple(dict.fromkeys(str(one) for one in given if one is not None))
        elif value is None or value == ():
            missing += [absence for absence in answers[best].missing if absence.field == name][:1]
        else:
            values[name], result.agreement[name] = value, share
            result.evidence |= {path: evidence for path, evidence in evidences[best].items() if root_of(path) == name}
    result.answer = ReceiptAnswer.model_validate(values | {"missing": tuple(missing)})
    return result


def _same(name: str, one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return agree(name, one, other)
    return bool(one == other)


@dataclass(frozen=True)
class FieldVote:
    """The value that one look gives a field.

    Attributes:
        look: What was looked at; several questions to a model about the same image are one look.
        agreement: Share of the sampled answers that give this value, where several were sampled.
    """

    text: str
    evidence: Evidence | None
    look: str
    agreement: float | None = None

    @property
    def confidence(self) -> float:
        return (self.evidence and self.evidence.confidence) or 0.0


def looks_for(name: str, text: str, votes: Sequence[FieldVote]) -> int:
    """The number of looks that give this value."""
    return len({vote.look for vote in votes if agree(name, text, vote.text)})


def winning_vote(name: str, votes: Sequence[FieldVote]) -> FieldVote:
    """The vote for the value with the most looks; of equally many the one with the highest confidence, then the first.

    Args:
        votes: At least one.
    """
    return max(votes, key=lambda vote: (looks_for(name, vote.text, votes), vote.confidence))
