"""The ladder: ask again only what is missing or wrong, each rung looking differently, within a budget.

A reader that is not the OCR reader has a witness: the field models' own reading of the OCR text. It answers nothing, but where it read the
same value, that is one look more, and where it read another one, that is a conflict.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from extractor.config.settings import MAX_RUNGS, LocaleSettings
from extractor.errors import BadAnswer, ExtractorError
from extractor.extraction.session import ReadingSession, votes_of
from extractor.readers.base import Answer, Document, Look, Question, Reader, Reading
from extractor.readers.prompts import FIRST
from extractor.schemas.record import Attempt
from extractor.schemas.values import Origin
from extractor.validation.decision import Examination
from extractor.validation.normalisation import Normalised


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes:
        look: How to look, but for the part to enlarge, which depends on the document.
        enlarges: Whether a model is shown the part where the fields stand, enlarged, beside the whole page. Where it is not, it is asked
            about the image that it knows, which costs little and confirms nothing.
    """

    name: str
    look: Look
    enlarges: bool = False


LADDER = (
    Rung("again", Look(effort=1)),
    Rung("closer", Look(effort=2), enlarges=True),
    Rung("vote", Look(effort=3, samples=5), enlarges=True),
)
"""A model is asked for the missing and failing fields alone; is shown their place enlarged; answers several times, by chance, and the
majority counts: a greedy decoder that is asked the same repeats itself. What has no majority even then is null, with the reason. The OCR
reader looks with more effort on each rung."""

OCR_RUNGS = 2
"""Rungs that the OCR reader climbs unless told otherwise: what its accuracy and speed are measured with."""


@dataclass(frozen=True)
class ReaskPolicy:
    """How far to go.

    Attributes:
        max_rungs: Rungs of the ladder that may be climbed; `None` for all of them, or `OCR_RUNGS` by the OCR reader.
        seconds: Time after which no further rung is begun, counted from the start of the batch.
        preferences: Tie-breaks for what a receipt does not decide.
        today: Gives the date of the reading, in local time.
        clock: Gives seconds; monotonic.
    """

    max_rungs: int | None = None
    seconds: float = 60.0
    preferences: LocaleSettings = field(default_factory=LocaleSettings)
    today: Callable[[], date] = date.today
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class DocumentResult:
    """What all questions to one document brought.

    Attributes:
        examination: Its issues hold everything that is left to complain about, also parts of answers that were not valid.
    """

    normalised: Normalised
    examination: Examination
    attempts: tuple[Attempt, ...]


def read_documents(
    reader: Reader, documents: Sequence[Document], policy: ReaskPolicy, *, witness: Reader | None = None
) -> list[DocumentResult | ExtractorError]:
    """Read a batch and ask again until every record is acceptable, the ladder ends, or the budget is spent.

    Args:
        witness: A second, independent reader whose values confirm or contest the first one's; `None` where `reader` is the OCR reader.
    Returns:
        By document: everything that is known about it, or the error where not even the first question brought an answer.
    """
    origin = Origin.OCR if reader.name == "ocr" else Origin.VISION
    rows = [ReadingSession(document, origin, policy.preferences, policy.today) for document in documents]
    deadline = policy.clock() + policy.seconds
    if witness is not None:
        with witness.open(documents) as reading:
            for index, answer in reading.ask(dict.fromkeys(range(len(rows)), FIRST)).items():
                rows[index].witness, rows[index].draft = votes_of(answer), answer.text if isinstance(answer, Answer) else ""
    with reader.open(documents) as reading:
        _ask(reading, rows, "first", dict.fromkeys(range(len(rows)), FIRST))
        usual = OCR_RUNGS if origin is Origin.OCR else MAX_RUNGS
        most = usual if policy.max_rungs is None else policy.max_rungs
        for rung in LADDER[:most]:
            if policy.clock() > deadline or not any(row.open_issues for row in rows):
                break
            questions = {
                index: question
                for index, row in enumerate(rows)
                if (question := row.question(rung.look, enlarges=rung.enlarges)) is not None
            }
            if questions:
                _ask(reading, rows, rung.name, questions)
    return [_outcome(row) for row in rows]


def _ask(reading: Reading, rows: Sequence[ReadingSession], rung: str, questions: Mapping[int, Question]) -> None:
    answers = reading.ask({index: replace(question, draft=rows[index].draft) for index, question in questions.items()})
    for index, question in questions.items():
        rows[index].take(rung, question, answers[index])


def _outcome(row: ReadingSession) -> DocumentResult | ExtractorError:
    if row.outcome is None:
        return row.error or BadAnswer(f"{row.document.name}: the reader gave no answer.", text="")
    return DocumentResult(*row.outcome, tuple(row.attempts))
