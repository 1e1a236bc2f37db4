"""The state of one receipt while a reader is asked about it: the answers so far, how far they agree, and what is worth asking next.

Every answer to a field is a vote. The value with the most votes counts, and the number of looks that agree on it is stored with it; a field
whose looks disagree is a conflict until one value leads. A model that is asked twice about the same image has looked once: only another
image, another engine or another reader is another look. Lists (items, taxes, payments) cannot be voted on row by row: a later list replaces
the earlier one if it leaves fewer issues.

The session collects facts; `extractor.validation.decision` decides on them.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from extractor.config.settings import LocaleSettings
from extractor.errors import BadAnswer, ExtractorError, Remedy
from extractor.extraction.regions import part_to_enlarge
from extractor.readers.answer_parser import ParsedAnswer, receipt_of
from extractor.readers.base import Answer, Document, Evidence, Issue, Look, Question, ReaderError, root_of
from extractor.readers.prompts import ALL_FIELDS, again, asked_fields, field_of
from extractor.schemas.answer import MissingField, ReceiptAnswer
from extractor.schemas.record import Attempt, ReasonKind, Region
from extractor.schemas.values import FieldEvidence, FieldState, Origin
from extractor.validation.agreement import agree
from extractor.validation.arithmetic import run_checks
from extractor.validation.decision import REASKED, Decision, Facts, Reask, decide, issues_to_ask
from extractor.validation.normalisation import fractions, normalise
from extractor.validation.voting import FieldVote, VoteResult, looks_for, vote, winning_vote

logger = logging.getLogger(__name__)

# Fields that stay as they are where no two looks agree: the rest of the receipt may decide them.
NEVER_NULLED = frozenset({"currency"})


@dataclass(frozen=True)
class ReceiptInput:
    """One receipt, ready to be read.

    Attributes:
        region: Its place in the file, if the file shows several.
        witness: A second reader's answer about it; `None` without one.
        may_be_several: It may be several receipts that could not be separated.
    """

    document: Document
    region: Region | None = None
    witness: Answer | ReaderError | None = None
    may_be_several: bool = False


@dataclass
class ReadingSession:
    """One receipt on the ladder.

    Attributes:
        origin: The kind of reader that is asked.
        preferences: Tie-breaks for what a receipt does not decide.
        today: Returns the date of the reading, in local time.
        answer: The values that count, of all answers.
        votes: By field, in the order of the looks.
        witness: The second reader's values; they confirm or contest, and are never taken themselves.
        invalid: By field, what did not fit the schema when it was last asked for.
        split: By field that is null because no two looks agree on it, the texts that were read.
        attempts: Every question that was asked.
        error: Why there is no answer at all.
        decision: What follows from the answers; `None` without any.
    """

    receipt: ReceiptInput
    origin: Origin
    preferences: LocaleSettings
    today: Callable[[], date]
    answer: ReceiptAnswer = field(default_factory=ReceiptAnswer)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    votes: dict[str, list[FieldVote]] = field(default_factory=dict)
    witness: Mapping[str, FieldVote] = field(default_factory=dict)
    invalid: dict[str, dict[str, str]] = field(default_factory=dict)
    is_cut_off: bool = False
    split: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    error: ExtractorError | None = None
    facts: Facts | None = None
    decision: Decision | None = None

    def __post_init__(self) -> None:
        self.witness = witness_votes(self.receipt.witness)

    @property
    def document(self) -> Document:
        return self.receipt.document

    # What to ask next

    @property
    def open_issues(self) -> tuple[Issue, ...]:
        """What another look may settle; empty once the record is accepted or a further question is not worth it."""
        if self.decision is None:
            is_askable = self.error is not None and self.error.remedy is Remedy.REASK
            return (Issue("*", ReasonKind.INVALID, str(self.error)),) if is_askable else ()
        return issues_to_ask(self.decision, is_first=len(self.attempts) == 1)

    def question(self, look: Look, *, enlarges: bool) -> Question | None:
        """The next question; `None` where none is worth it.

        Args:
            look: How to look, except for the part to enlarge.
            enlarges: A model is shown the part where the fields stand.
        """
        is_model = self.origin is not Origin.OCR
        issues = [issue for issue in self.open_issues if enlarges or not is_model or REASKED[issue.kind] is not Reask.CONFIRM]
        if not issues:
            return None
        question = again(issues, look)
        if not (is_model and enlarges and question.fields):
            return question
        seen = {name: vote.evidence for name, vote in self.witness.items() if vote.evidence is not None}
        by_weight = dict.fromkeys(field_of(issue) for issue in sorted(issues, key=lambda issue: not issue.blocking))
        part = part_to_enlarge([name for name in by_weight if name in question.fields], seen, self.document)
        issues = [issue for issue in issues if field_of(issue) in part.fields]
        return again(issues, replace(look, page=part.page, crop=part.box))

    # What an answer changes

    def take(self, rung: str, question: Question, answer: Answer | ReaderError) -> None:
        """Merge an answer. An error is recorded; after an earlier answer it changes nothing else."""
        if isinstance(answer, ExtractorError):
            self._fail(rung, question, answer)
            return
        samples, parsed, failure = list[Answer](), list[ParsedAnswer](), None
        for sample in (answer, *answer.samples):
            try:
                parsed.append(receipt_of(sample))
                samples.append(sample)
            except BadAnswer as error:
                failure = error
        if not parsed:
            self._fail(rung, question, failure or BadAnswer("The reader gave no answer.", text=""))
            return
        if len(samples) > 1:
            changed = self._take_vote(vote([one.answer for one in parsed], [one.evidence for one in samples], question), question)
        else:
            changed = self._merge(parsed[0].answer, samples[0].evidence, question, self._look_name(rung, question))
        self._take_issues(parsed, question)
        self.error = None
        self.facts = self._facts(self.answer, self.evidence)
        self.decision = decide(self.facts)
        tokens = [one.tokens for one in samples if one.tokens is not None]
        seconds = sum(max(0.0, one.seconds) for one in samples)
        self._record(rung, question, changed, seconds=seconds, tokens=sum(tokens) if tokens else None, samples=len(samples))

    def _look_name(self, rung: str, question: Question) -> str:
        """The look that an answer comes from: each rung of the OCR reader is one; a model sees the page or an enlarged part."""
        return rung if self.origin is Origin.OCR else "page" if question.look.crop is None else "enlarged"

    def _fail(self, rung: str, question: Question, error: ExtractorError) -> None:
        self._record(rung, question, (), error=str(error))
        if self.decision is None:
            self.error = error

    def _record(self, rung: str, question: Question, changed: tuple[str, ...], **more: Any) -> None:
        look = question.look
        box = None if look.page is None or look.crop is None else fractions(look.crop, self.document.transcripts[look.page])
        self.attempts.append(Attempt(rung=rung, fields=question.fields, changed=changed, page=look.page, box=box, **more))

    def _take_vote(self, result: VoteResult, question: Question) -> tuple[str, ...]:
        """Merge the majority of the samples. A field that no two looks agree on becomes null, and the texts that were read are kept."""
        changed = self._merge(result.answer, result.evidence, question, self._look_name("vote", question), result.agreement)
        for name, texts in result.split.items():
            votes = self.votes.get(name, [])
            if name in NEVER_NULLED or (votes and looks_for(name, winning_vote(name, votes).text, self._all_votes(name)) > 1):
                continue
            self._set(name, None, {})
            self._record_missing(MissingField(field=name, reason="unreadable"))
            self.split[name] = tuple(dict.fromkeys([*(vote.text for vote in votes), *texts]))
        return changed

    def _take_issues(self, parsed: Sequence[ParsedAnswer], question: Question) -> None:
        """Record what did not fit the schema in more than half of the samples; a single faulty sample of a vote is outvoted."""
        faulty = Counter(root for one in parsed for root in {issue.root for issue in one.issues})
        issues = {issue.field: issue for one in reversed(parsed) for issue in one.issues if faulty[issue.root] > len(parsed) / 2}
        self.is_cut_off = any(issue.kind is ReasonKind.CUT_OFF for issue in issues.values())
        for name in asked_fields(question):
            self.invalid[name] = {path: issue.message for path, issue in issues.items() if issue.root == name}

    def _merge(
        self,
        new: ReceiptAnswer,
        evidence: Mapping[str, Evidence],
        question: Question,
        look: str,
        agreement: Mapping[str, float] = MappingProxyType({}),
    ) -> tuple[str, ...]:
        """Add the new answer's votes on the fields that were asked for; returns the fields that got a vote or a better list."""
        changed = []
        for name in asked_fields(question):
            value = getattr(new, name)
            if isinstance(value, tuple):
                if value and self._is_better(name, value, evidence):
                    self._set(name, value, evidence)
                    changed.append(name)
            elif value is not None:
                self.votes.setdefault(name, []).append(FieldVote(value, evidence.get(name), look, agreement.get(name)))
                winner = winning_vote(name, self.votes[name])
                self._set(name, winner.text, {name: winner.evidence} if winner.evidence else {})
                changed.append(name)
        known = {absence.field for absence in self.answer.missing}
        self._record_missing(*(absence for absence in new.missing if absence.field not in known))
        return tuple(changed)

    def _record_missing(self, *absences: MissingField) -> None:
        """Record why fields have no value."""
        renewed = {absence.field for absence in absences}
        kept = (absence for absence in self.answer.missing if absence.field not in renewed)
        self.answer = self.answer.model_copy(update={"missing": (*kept, *absences)})

    def _is_better(self, name: str, rows: tuple[object, ...], evidence: Mapping[str, Evidence]) -> bool:
        """Whether a list leaves fewer issues than the present one."""
        if not getattr(self.answer, name):
            return True
        trial = self.answer.model_copy(update={name: rows})
        return self._weight(trial, _replaced(self.evidence, name, evidence)) < self._weight(self.answer, self.evidence)

    def _weight(self, answer: ReceiptAnswer, evidence: Mapping[str, Evidence]) -> tuple[int, int]:
        """The number of issues that an answer's values leave; blocking ones count first."""
        issues = decide(replace(self._facts(answer, evidence), invalid_parts={}, is_cut_off=False)).issues
        return sum(issue.blocking for issue in issues), len(issues)

    def _set(self, name: str, value: object, evidence: Mapping[str, Evidence]) -> None:
        self.answer = self.answer.model_copy(update={name: value})
        self.evidence = _replaced(self.evidence, name, evidence)
        self.split.pop(name, None)

    # What is known

    def _facts(self, answer: ReceiptAnswer, evidence: Mapping[str, Evidence]) -> Facts:
        normalised = normalise(answer, evidence, self.document.transcripts, origin=self.origin, preferences=self.preferences)
        return Facts(
            normalised.receipt,
            {path: self._with_looks(path, evidence) for path, evidence in normalised.fields.items()},
            run_checks(normalised.receipt, today=self.today()),
            unparsed=normalised.unparsed,
            currency_candidates=normalised.currency_candidates,
            invalid_parts={path: problem for parts in self.invalid.values() for path, problem in parts.items()},
            is_cut_off=self.is_cut_off,
            split_votes=dict(self.split),
            may_be_several=self.receipt.may_be_several,
        )

    def _with_looks(self, path: str, evidence: FieldEvidence) -> FieldEvidence:
        """The evidence with the number of looks that agree, the witness's included; a conflict where another value has as many."""
        name = "currency" if path == "currency_code" else path
        if not self.votes.get(name) or evidence.raw_text is None:
            return evidence
        own, witness, votes = winning_vote(name, self.votes[name]), self.witness.get(name), self._all_votes(name)
        looks = looks_for(name, own.text, votes)
        rivals = [looks_for(name, vote.text, votes) for vote in votes if not agree(name, own.text, vote.text)]
        if witness and agree(name, own.text, witness.text):
            confidence = max(evidence.confidence or 0.0, witness.confidence)
            evidence = evidence.model_copy(update={"origin": Origin.BOTH, "confidence": confidence})
        state = FieldState.CONFLICT if rivals and max(rivals) >= looks else evidence.state
        return evidence.model_copy(update={"looks": looks, "state": state, "agreement": own.agreement})

    def _all_votes(self, name: str) -> list[FieldVote]:
        """The reader's votes on a field and the witness's."""
        witness = self.witness.get(name)
        return [*self.votes.get(name, []), *([witness] if witness else [])]


def witness_votes(answer: Answer | ReaderError | None) -> dict[str, FieldVote]:
    """A witness's values by field; none where there is no witness, or it failed."""
    if answer is None or isinstance(answer, ExtractorError):
        return {}
    try:
        stated = receipt_of(answer).answer
    except BadAnswer as error:
        logger.warning("witness_unusable", extra={"error": str(error)})
        return {}
    texts = {name: value for name in ALL_FIELDS if isinstance(value := getattr(stated, name), str)}
    return {name: FieldVote(text, answer.evidence.get(name), "witness") for name, text in texts.items()}


def _replaced(evidence: Mapping[str, Evidence], name: str, by: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence with that of one top-level field replaced by another answer's."""
    kept = {path: one for path, one in evidence.items() if root_of(path) != name}
    return kept | {path: one for path, one in by.items() if root_of(path) == name}
