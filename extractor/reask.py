"""The ladder: ask again only what is missing or wrong, each rung looking differently, within a budget.

Every answer to a field is a vote. The value with the most votes counts, and how many looks agree on it is filed with it; a field
whose looks disagree stays a conflict until one value leads. A model that is asked twice about the same image has looked once: only another
image, another engine or another reader is another look. Lists (items, taxes, payments) cannot be voted on row by row: the later list is
taken where it leaves less to complain about.

A reader that is not the OCR reader has a witness: the field models' own reading of the OCR text. It answers nothing, but where it read the
same value, that is one look more, and where it read another one, that is a conflict.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from extractor.checks import run_checks
from extractor.errors import BadAnswer, ExtractorError, Remedy
from extractor.normalise import Normalised, fractions, normalise
from extractor.parse import ParsedAnswer, parse_answer
from extractor.poll import Poll, agree, poll
from extractor.questions import ALL_FIELDS, FIRST, again, asked_fields, field_of
from extractor.readers.interface import Answer, Document, Evidence, Issue, Look, Question, Reader, ReaderError, Reading, root_of
from extractor.settings import MOST_RUNGS, LocaleSettings
from extractor.trust import REQUIRED, Examination, examine, words_of
from extractor.whereabouts import part_to_enlarge
from schemas.answer import MissingField, ReceiptAnswer
from schemas.record import Attempt
from schemas.values import FieldEvidence, FieldState, Origin

ASKABLE = frozenset({"missing", "unconfirmed", "conflict", "unreadable", "invalid", "implausible", "cut_off"})
"""Kinds of issue that another look may settle; an ambiguous date stays ambiguous however often it is read."""

NEVER_NULLED = frozenset({"currency"})
"""Fields that the rest of the receipt may decide, whatever was read."""

NOTHING = FieldEvidence()

WORTH_ONE_LOOK = frozenset({"missing", "unreadable", "invalid"})
"""Kinds of issue that are asked about once although they do not block."""


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
class Policy:
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
    """One look's value for one field.

    Attributes:
        sight: What was looked at; the same for several questions to a model about the same image.
        agreement: Share of the drawn answers that give this value, where some were drawn.
    """

    text: str
    evidence: Evidence | None
    sight: str
    agreement: float | None = None


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
    torn: dict[str, tuple[str, ...]] = field(default_factory=dict)
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

    def question(self, rung: Rung) -> Question | None:
        """What to ask on a rung of the ladder; `None` where it promises nothing."""
        is_model = self.origin is not Origin.OCR
        issues = [issue for issue in self.open_issues if rung.enlarges or not is_model or issue.kind != "unconfirmed"]
        if not issues:
            return None
        question = again(issues, rung.look)
        if not (is_model and rung.enlarges and question.fields):
            return question
        seen = {name: vote.evidence for name, vote in self.witness.items() if vote.evidence is not None}
        by_weight = dict.fromkeys(field_of(issue) for issue in sorted(issues, key=lambda issue: not issue.blocking))
        part = part_to_enlarge([name for name in by_weight if name in question.fields], seen, self.document)
        issues = [issue for issue in issues if field_of(issue) in part.fields]
        return again(issues, replace(rung.look, page=part.page, crop=part.box))

    def take(self, rung: str, question: Question, answer: Answer | ReaderError) -> None:
        """Merge an answer, or note the error; an error of a later question leaves what is known as it is."""
        if isinstance(answer, ExtractorError):
            self._fail(rung, question, answer)
            return
        drawn, failure = list[Answer](), None
        parsed = list[ParsedAnswer]()
        for one in (answer, *answer.samples):
            try:
                parsed.append(parse_answer(one.text, is_cut_off=one.is_cut_off))
                drawn.append(one)
            except BadAnswer as error:
                failure = error
        if not parsed:
            self._fail(rung, question, failure or BadAnswer("The reader gave no answer.", text=""))
            return
        if len(drawn) > 1:
            changed = self._vote(poll([one.answer for one in parsed], [one.evidence for one in drawn], question), question)
        else:
            changed = self._merge(parsed[0].answer, drawn[0].evidence, question, self._sight(rung, question))
        self.error = None
        self.outcome = self._judge(self.answer, self.evidence, parsed[0])
        tokens = [one.tokens for one in drawn if one.tokens is not None]
        seconds = sum(max(0.0, one.seconds) for one in drawn)
        self._note(rung, question, changed, seconds=seconds, tokens=sum(tokens) if tokens else None, samples=len(drawn))

    def _sight(self, rung: str, question: Question) -> str:
        """What an answer was read from: the OCR reader looks anew each time, a model at the page, or at a part of it enlarged."""
        return rung if self.origin is Origin.OCR else "page" if question.look.crop is None else "enlarged"

    def _fail(self, rung: str, question: Question, error: ExtractorError) -> None:
        self._note(rung, question, (), error=str(error))
        if self.outcome is None:
            self.error = error

    def _note(self, rung: str, question: Question, changed: tuple[str, ...], **more: Any) -> None:
        look = question.look
        box = None if look.page is None or look.crop is None else fractions(look.crop, self.document.transcripts[look.page])
        self.attempts.append(Attempt(rung=rung, fields=question.fields, changed=changed, page=look.page, box=box, **more))

    def _judge(
        self, answer: ReceiptAnswer, evidence: Mapping[str, Evidence], parsed: ParsedAnswer | None
    ) -> tuple[Normalised, Examination]:
        normalised = normalise(answer, evidence, self.document.transcripts, origin=self.origin, preferences=self.policy.preferences)
        fields = {path: self._with_looks(path, seen) for path, seen in normalised.fields.items()}
        examination = examine(normalised.receipt, fields, run_checks(normalised.receipt, today=self.policy.today()))
        found = (*normalised.issues, *examination.issues, *(parsed.issues if parsed else ()))
        torn = {name: texts for name, texts in self.torn.items() if normalised.fields.get(name, NOTHING).raw_text is None}
        issues = (*(issue for issue in found if issue.field not in torn), *(_torn_issue(name, texts) for name, texts in torn.items()))
        return replace(normalised, fields=fields), replace(examination, issues=issues)

    def _with_looks(self, path: str, seen: FieldEvidence) -> FieldEvidence:
        """The evidence with the number of looks that agree, the witness's included, and whether another value has as many."""
        name = "currency" if path == "currency_code" else path
        votes = self.votes.get(name, [])
        if not votes or seen.raw_text is None:
            return seen
        own, witness = _winner(name, votes), self.witness.get(name)
        cast = [*votes, *([witness] if witness else [])]
        looks = _supporters(name, own, cast)
        rivals = [_supporters(name, vote, cast) for vote in cast if not agree(name, own.text, vote.text)]
        if witness and agree(name, own.text, witness.text):
            seen = self._seen_by_both(seen, witness)
        state = FieldState.CONFLICT if rivals and max(rivals) >= looks else seen.state
        return seen.model_copy(update={"looks": looks, "state": state, "agreement": own.agreement})

    def _seen_by_both(self, seen: FieldEvidence, witness: _Vote) -> FieldEvidence:
        confidence = max(seen.confidence or 0.0, (witness.evidence and witness.evidence.confidence) or 0.0)
        return seen.model_copy(update={"origin": Origin.BOTH, "confidence": confidence})

    def _vote(self, poll: Poll, question: Question) -> tuple[str, ...]:
        """Take what most of the drawn answers say; a field that no two looks agree on either becomes null, and what was read is kept."""
        changed = self._merge(poll.answer, poll.evidence, question, self._sight("vote", question), poll.agreement)
        for name, texts in poll.torn.items():
            votes, witness = self.votes.get(name, []), self.witness.get(name)
            cast = [*votes, *([witness] if witness else [])]
            if name in NEVER_NULLED or (votes and _supporters(name, _winner(name, votes), cast) > 1):
                continue
            self.torn[name] = tuple(dict.fromkeys([*(vote.text for vote in votes), *texts]))
            self._set(name, None, {})
            self._miss(MissingField(field=name, reason="unreadable"))
        return changed

    def _merge(
        self,
        new: ReceiptAnswer,
        evidence: Mapping[str, Evidence],
        question: Question,
        sight: str,
        agreement: Mapping[str, float] = MappingProxyType({}),
    ) -> tuple[str, ...]:
        """Let the new answer vote on the fields that were asked; gives those that changed or gained an agreeing look."""
        changed = []
        for name in asked_fields(question):
            value = getattr(new, name)
            if isinstance(value, tuple):
                if value and self._is_better(name, value, evidence):
                    self._set(name, value, evidence)
                    changed.append(name)
            elif value is not None:
                self.votes.setdefault(name, []).append(_Vote(value, evidence.get(name), sight, agreement.get(name)))
                winner = _winner(name, self.votes[name])
                own = {name: winner.evidence} if winner.evidence else {}
                self._set(name, winner.text, own)
                changed.append(name)
        known = {absence.field for absence in self.answer.missing}
        self._miss(*(absence for absence in new.missing if absence.field not in known))
        return tuple(changed)

    def _miss(self, *absences: MissingField) -> None:
        """Note why fields have no value."""
        renewed = {absence.field for absence in absences}
        kept = (absence for absence in self.answer.missing if absence.field not in renewed)
        self.answer = self.answer.model_copy(update={"missing": (*kept, *absences)})

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
        usual = OCR_RUNGS if origin is Origin.OCR else MOST_RUNGS
        most = usual if policy.max_rungs is None else policy.max_rungs
        for rung in LADDER[:most]:
            if policy.clock() > deadline or not any(row.open_issues for row in rows):
                break
            questions = {index: question for index, row in enumerate(rows) if (question := row.question(rung)) is not None}
            if questions:
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
    return {name: _Vote(text, answer.evidence.get(name), "witness") for name, text in texts.items()}


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


def _torn_issue(name: str, texts: Sequence[str]) -> Issue:
    read = ", ".join(repr(text) for text in texts)
    words = words_of(name)
    message = f"No two looks agree on the {words}: {read} were read. Look at the original and enter it."
    return Issue(name, "unreadable", message, blocking=name in REQUIRED)


def _supporters(name: str, vote: _Vote, cast: Sequence[_Vote]) -> int:
    """How many looks see what a vote says."""
    return len({other.sight for other in cast if agree(name, vote.text, other.text)})


def _winner(name: str, votes: Sequence[_Vote]) -> _Vote:
    """The vote that counts: of the value with the most votes, else of the surest look; of equals, the first."""
    return max(votes, key=lambda vote: (_supporters(name, vote, votes), (vote.evidence and vote.evidence.confidence) or 0.0))
