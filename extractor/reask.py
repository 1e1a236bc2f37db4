"""The ladder: ask again only what is missing or wrong, each rung looking differently, within a budget.

Every answer to a field is a vote. The value with the most votes counts, and how many looks agree on it is filed with it; a field
whose looks disagree stays a conflict until one value leads. Lists (items, taxes, payments) cannot be voted on row by row: the later
list is taken where it leaves less to complain about.

A reader that is not the OCR reader has a witness: the field models' own reading of the OCR text. It answers nothing, but where it read the
same value, that is one look more, and where it read another one, that is a conflict.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import SequenceMatcher

from extractor.checks import run_checks
from extractor.errors import BadAnswer, ExtractorError, Remedy
from extractor.normalise import AMOUNT_FIELDS, MAGNITUDE_FIELDS, Normalised, normalise
from extractor.parse import ParsedAnswer, parse_answer
from extractor.printed.dates import find_dates
from extractor.printed.times import find_times
from extractor.questions import ALL_FIELDS, FIRST, again, asked_fields
from extractor.readers.interface import Answer, Document, Evidence, Issue, Look, Question, Reader, ReaderError, Reading, root_of
from extractor.settings import LocaleSettings
from extractor.trust import Examination, examine
from schemas.answer import ReceiptAnswer
from schemas.record import Attempt
from schemas.values import FieldEvidence, FieldState, Origin

ASKABLE = frozenset({"missing", "unconfirmed", "conflict", "unreadable", "invalid", "implausible", "cut_off"})
"""Kinds of issue that another look may settle; an ambiguous date stays ambiguous however often it is read."""

ALIKE = {"merchant_name": 0.93, "merchant_address": 0.85}
"""Names and addresses of two looks agree from this similarity on: looks differ in spaces, accents and, in long texts, a letter."""

WORTH_ONE_LOOK = frozenset({"missing", "unreadable", "invalid"})
"""Kinds of issue that are asked about once although they do not block."""


@dataclass(frozen=True)
class Rung:
    """One step of the ladder."""

    name: str
    look: Look


LADDER = (Rung("larger", Look(effort=1)), Rung("enhanced", Look(effort=2)), Rung("vote", Look(effort=3, samples=3)))
"""Source: each rung changes model, pixels or sampling, since a greedy decoder that is asked the same repeats itself."""


@dataclass(frozen=True)
class Policy:
    """How far to go.

    Attributes:
        max_rungs: Rungs of the ladder that may be climbed.
        seconds: Time after which no further rung is begun, counted from the start of the batch.
        preferences: Tie-breaks for what a receipt does not decide.
        today: Gives the date of the reading, in local time.
        clock: Gives seconds; monotonic.
    """

    max_rungs: int = 2
    seconds: float = 60.0
    preferences: LocaleSettings = field(default_factory=LocaleSettings)
    today: Callable[[], date] = date.today
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Outcome:
    """What all questions to one document brought.

    Attributes:
        examination: Its issues hold everything that is left to complain about, also parts of answers that were not valid.
    """

    normalised: Normalised
    examination: Examination
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class _Vote:
    """One look's value for one field."""

    text: str
    evidence: Evidence | None


_Votes = dict[str, _Vote]


@dataclass
class _Row:
    """One document on its way through the ladder."""

    document: Document
    origin: Origin
    policy: Policy
    answer: ReceiptAnswer = field(default_factory=ReceiptAnswer)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    votes: dict[str, list[_Vote]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    witness: _Votes = field(default_factory=dict)
    draft: str = ""
    error: ExtractorError | None = None
    outcome: tuple[Normalised, Examination] | None = None

    @property
    def open_issues(self) -> tuple[Issue, ...]:
        """What another look may settle; empty once the record is acceptable or nothing can be asked."""
        if self.outcome is None:
            is_askable = self.error is not None and self.error.remedy is Remedy.REASK
            return (Issue("*", "invalid", str(self.error)),) if is_askable else ()
        issues = [issue for issue in self.outcome[1].issues if issue.kind in ASKABLE]
        blocking = tuple(issue for issue in issues if issue.blocking)
        if any(issue.kind != "unconfirmed" for issue in blocking):
            return tuple(issues)
        # Confirming is cheap, since it is known where to look; what does not block is worth one look if it is missing, else none.
        missing = (issue for issue in issues if not issue.blocking and issue.kind in WORTH_ONE_LOOK and len(self.attempts) == 1)
        return (*blocking, *missing)

    def take(self, rung: str, question: Question, answer: Answer | ReaderError) -> None:
        """Merge an answer, or note the error; an error of a later question leaves what is known as it is."""
        if isinstance(answer, ExtractorError):
            self._fail(rung, question, answer)
            return
        try:
            parsed = parse_answer(answer.text, is_cut_off=answer.is_cut_off)
        except BadAnswer as error:
            self._fail(rung, question, error)
            return
        changed = self._merge(parsed.answer, answer.evidence, question)
        self.error = None
        self.outcome = self._judge(self.answer, self.evidence, parsed)
        self.attempts.append(
            Attempt(rung=rung, fields=question.fields, changed=changed, seconds=max(0.0, answer.seconds), tokens=answer.tokens)
        )

    def _fail(self, rung: str, question: Question, error: ExtractorError) -> None:
        self.attempts.append(Attempt(rung=rung, fields=question.fields, error=str(error)))
        if self.outcome is None:
            self.error = error

    def _judge(
        self, answer: ReceiptAnswer, evidence: Mapping[str, Evidence], parsed: ParsedAnswer | None
    ) -> tuple[Normalised, Examination]:
        normalised = normalise(answer, evidence, self.document.transcripts, origin=self.origin, preferences=self.policy.preferences)
        fields = {path: self._with_looks(path, seen) for path, seen in normalised.fields.items()}
        examination = examine(normalised.receipt, fields, run_checks(normalised.receipt, today=self.policy.today()))
        issues = (*normalised.issues, *examination.issues, *(parsed.issues if parsed else ()))
        return replace(normalised, fields=fields), replace(examination, issues=issues)

    def _with_looks(self, path: str, seen: FieldEvidence) -> FieldEvidence:
        """The evidence with the number of looks that agree, the witness's included, and whether another value has as many."""
        name = "currency" if path == "currency_code" else path
        votes = self.votes.get(name, [])
        if not votes:
            return seen
        own, witness = _winner(name, votes), self.witness.get(name)
        cast = [*votes, *([witness] if witness else [])]
        looks = _supporters(name, own, cast)
        rivals = [_supporters(name, vote, cast) for vote in cast if not agree(name, own.text, vote.text)]
        if witness and agree(name, own.text, witness.text):
            seen = self._seen_by_both(seen, witness)
        state = FieldState.CONFLICT if rivals and max(rivals) >= looks else seen.state
        return seen.model_copy(update={"looks": looks, "state": state})

    def _seen_by_both(self, seen: FieldEvidence, witness: _Vote) -> FieldEvidence:
        confidence = max(seen.confidence or 0.0, (witness.evidence and witness.evidence.confidence) or 0.0)
        return seen.model_copy(update={"origin": Origin.BOTH, "confidence": confidence})

    def _merge(self, new: ReceiptAnswer, evidence: Mapping[str, Evidence], question: Question) -> tuple[str, ...]:
        """Let the new answer vote on the fields that were asked; gives those that changed or gained an agreeing look."""
        changed = []
        for name in asked_fields(question):
            value = getattr(new, name)
            if isinstance(value, tuple):
                if value and self._is_better(name, value, evidence):
                    self._set(name, value, evidence)
                    changed.append(name)
            elif value is not None:
                self.votes.setdefault(name, []).append(_Vote(value, evidence.get(name)))
                winner = _winner(name, self.votes[name])
                own = {name: winner.evidence} if winner.evidence else {}
                self._set(name, winner.text, own)
                changed.append(name)
        known = {absence.field for absence in self.answer.missing}
        absences = (absence for absence in new.missing if absence.field not in known)
        self.answer = self.answer.model_copy(update={"missing": (*self.answer.missing, *absences)})
        return tuple(changed)

    def _is_better(self, name: str, rows: tuple[object, ...], evidence: Mapping[str, Evidence]) -> bool:
        """Whether a list leaves less to complain about than the one we have."""
        if not getattr(self.answer, name):
            return True
        trial = self.answer.model_copy(update={name: rows})
        before = self._judge(self.answer, self.evidence, None)[1]
        after = self._judge(trial, _replaced(self.evidence, name, evidence), None)[1]
        return _weight(after.issues) < _weight(before.issues)

    def _set(self, name: str, value: object, evidence: Mapping[str, Evidence]) -> None:
        self.answer = self.answer.model_copy(update={name: value})
        self.evidence = _replaced(self.evidence, name, evidence)


def read_documents(
    reader: Reader, documents: Sequence[Document], policy: Policy, *, witness: Reader | None = None
) -> list[Outcome | ExtractorError]:
    """Read a batch and ask again until every record is acceptable, the ladder ends, or the budget is spent.

    Args:
        witness: A second, independent reader whose values confirm or contest the first one's; `None` where `reader` is the OCR reader.
    Returns:
        By document: everything that is known about it, or the error where not even the first question brought an answer.
    """
    origin = Origin.OCR if reader.name == "ocr" else Origin.VISION
    rows = [_Row(document, origin, policy) for document in documents]
    deadline = policy.clock() + policy.seconds
    if witness is not None:
        with witness.open(documents) as reading:
            for index, answer in reading.ask(dict.fromkeys(range(len(rows)), FIRST)).items():
                rows[index].witness, rows[index].draft = _votes_of(answer), answer.text if isinstance(answer, Answer) else ""
    with reader.open(documents) as reading:
        _ask(reading, rows, "first", dict.fromkeys(range(len(rows)), FIRST))
        for rung in LADDER[: policy.max_rungs]:
            questions = {index: again(row.open_issues, rung.look) for index, row in enumerate(rows) if row.open_issues}
            if not questions or policy.clock() > deadline:
                break
            _ask(reading, rows, rung.name, questions)
    return [_outcome(row) for row in rows]


def _ask(reading: Reading, rows: Sequence[_Row], rung: str, questions: Mapping[int, Question]) -> None:
    answers = reading.ask({index: replace(question, draft=rows[index].draft) for index, question in questions.items()})
    for index, question in questions.items():
        rows[index].take(rung, question, answers[index])


def _votes_of(answer: Answer | ReaderError) -> _Votes:
    """What a witness says, field by field; a witness that fails says nothing."""
    if isinstance(answer, ExtractorError):
        return {}
    stated = parse_answer(answer.text).answer
    texts = {name: value for name in ALL_FIELDS if isinstance(value := getattr(stated, name), str)}
    return {name: _Vote(text, answer.evidence.get(name)) for name, text in texts.items()}


def _outcome(row: _Row) -> Outcome | ExtractorError:
    if row.outcome is None:
        return row.error or BadAnswer(f"{row.document.name}: the reader gave no answer.", text="")
    return Outcome(*row.outcome, tuple(row.attempts))


def _weight(issues: Sequence[Issue]) -> tuple[int, int]:
    """How much there is to complain about: blocking issues first."""
    return sum(issue.blocking for issue in issues), len(issues)


def _replaced(evidence: Mapping[str, Evidence], name: str, by: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence with all of one top-level field's taken from another answer."""
    kept = {path: seen for path, seen in evidence.items() if root_of(path) != name}
    return kept | {path: seen for path, seen in by.items() if root_of(path) == name}


def agree(name: str, one: str, other: str) -> bool:
    """Whether two printed texts say the same about a field: the same digits of an amount, a common day, the same minute, a like name."""
    if one == other:
        return True
    if name in AMOUNT_FIELDS or name in MAGNITUDE_FIELDS:
        return re.sub(r"\D", "", one) == re.sub(r"\D", "", other)
    if name == "transaction_date":
        days = [{day for printed in find_dates(text) for day in printed.days} for text in (one, other)]
        return bool(days[0] & days[1])
    if name == "transaction_time":
        minutes = [{(printed.value.hour, printed.value.minute) for printed in find_times(text)} for text in (one, other)]
        return bool(minutes[0] & minutes[1])
    a, b = (re.sub(r"[\W_]", "", text.casefold()) for text in (one, other))
    if name in ALIKE and a and b:
        return a in b or b in a or SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE[name]
    return a == b


def _supporters(name: str, vote: _Vote, cast: Sequence[_Vote]) -> int:
    return sum(agree(name, vote.text, other.text) for other in cast)


def _winner(name: str, votes: Sequence[_Vote]) -> _Vote:
    """The vote that counts: of the value with the most votes, else of the surest look; of equals, the first."""
    return max(votes, key=lambda vote: (_supporters(name, vote, votes), (vote.evidence and vote.evidence.confidence) or 0.0))
