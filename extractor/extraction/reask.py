"""Asks a reader about a batch of receipts, and again for what is missing or wrong: each rung of the ladder looks differently.

A model has a witness: the OCR reader's answer about the same receipt. The witness's values are never taken, but one that agrees is a second
look, and one that differs is a conflict.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from extractor.config.settings import MAX_RUNGS, LocaleSettings
from extractor.errors import BadAnswer, ExtractorError
from extractor.extraction.session import ReadingSession, ReceiptInput
from extractor.readers.base import Answer, Look, Question, Reader, ReaderError, Reading
from extractor.readers.prompts import FIRST
from extractor.schemas.receipt import Receipt
from extractor.schemas.record import Attempt
from extractor.schemas.values import FieldEvidence, Origin
from extractor.validation.decision import Decision


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes:
        look: How to look, except for the part to enlarge, which depends on the receipt.
        enlarges: A model is shown the part where the fields stand, enlarged, beside the whole page. Otherwise it is asked about the image
            that it has seen, which costs little and confirms nothing.
    """

    name: str
    look: Look
    enlarges: bool = False


# A model is asked for the missing and contradictory fields alone; is then shown an enlarged part of the page; and finally gives several
# sampled answers, of which the majority counts: greedy decoding repeats itself. What has no majority even then is null, with the reason.
# The OCR reader looks with more effort on each rung.
LADDER = (
    Rung("again", Look(effort=1)),
    Rung("closer", Look(effort=2), enlarges=True),
    Rung("vote", Look(effort=3, samples=5), enlarges=True),
)
# The rungs that the OCR reader climbs by default: its published accuracy and speed are measured with them.
OCR_RUNGS = 2


@dataclass(frozen=True)
class ReaskPolicy:
    """How often to ask again.

    Attributes:
        max_rungs: How many rungs may be climbed; `None` for all of them, or for `OCR_RUNGS` with the OCR reader.
        seconds: Time after which no further rung is begun, counted from the start of the batch.
        preferences: Tie-breaks for what a receipt does not decide.
        today: Returns the date of the reading, in local time.
        clock: Returns seconds; monotonic.
    """

    max_rungs: int | None = None
    seconds: float = 60.0
    preferences: LocaleSettings = field(default_factory=LocaleSettings)
    today: Callable[[], date] = date.today
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class DocumentResult:
    """What all questions about one receipt led to.

    Attributes:
        receipt: Its values.
        fields: The evidence for them, by field path.
        decision: Whether they are accepted.
        attempts: The questions that were asked.
    """

    receipt: Receipt
    fields: Mapping[str, FieldEvidence]
    decision: Decision
    attempts: tuple[Attempt, ...]


def read_documents(reader: Reader, receipts: Sequence[ReceiptInput], policy: ReaskPolicy) -> list[DocumentResult | ExtractorError]:
    """Read a batch, and ask again until every record is accepted, the ladder ends, or the time is over.

    Returns:
        By receipt: its result, or the error where no question brought an answer.
    """
    origin = Origin.OCR if reader.name == "ocr" else Origin.VISION
    sessions = [ReadingSession(receipt, origin, policy.preferences, policy.today) for receipt in receipts]
    deadline = policy.clock() + policy.seconds
    with reader.open([receipt.document for receipt in receipts]) as reading:
        _ask(reading, sessions, "first", dict.fromkeys(range(len(sessions)), FIRST))
        usual = OCR_RUNGS if origin is Origin.OCR else MAX_RUNGS
        for rung in LADDER[: usual if policy.max_rungs is None else policy.max_rungs]:
            if policy.clock() > deadline or not any(session.open_issues for session in sessions):
                break
            questions = {
                row: question
                for row, session in enumerate(sessions)
                if (question := session.question(rung.look, enlarges=rung.enlarges)) is not None
            }
            if questions:
                _ask(reading, sessions, rung.name, questions)
    return [_result(session) for session in sessions]


def _ask(reading: Reading, sessions: Sequence[ReadingSession], rung: str, questions: Mapping[int, Question]) -> None:
    answers = reading.ask({row: replace(question, draft=_draft(sessions[row].receipt.witness)) for row, question in questions.items()})
    for row, question in questions.items():
        sessions[row].take(rung, question, answers[row])


def _draft(witness: Answer | ReaderError | None) -> str:
    """The witness's answer as JSON text, for a model to guess ahead from; empty without one."""
    if not isinstance(witness, Answer):
        return ""
    return witness.text if witness.receipt is None else witness.receipt.model_dump_json(exclude_defaults=True)


def _result(session: ReadingSession) -> DocumentResult | ExtractorError:
    if session.facts is None or session.decision is None:
        return session.error or BadAnswer(f"{session.document.name}: the reader gave no answer.", text="")
    return DocumentResult(session.facts.receipt, session.facts.fields, session.decision, tuple(session.attempts))
