"""One document on its way through the ladder: what has been read of it, how far the looks agree, and what is worth asking again.

Every answer to a field is a vote. The value with the most votes counts, and how many looks agree on it is filed with it; a field
whose looks disagree stays a conflict until one value leads. A model that is asked twice about the same image has looked once: only another
image, another engine or another reader is another look. Lists (items, taxes, payments) cannot be voted on row by row: the later list is
taken where it leaves less to complain about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from extractor.config.settings import LocaleSettings
from extractor.errors import BadAnswer, ExtractorError, Remedy
from extractor.extraction.regions import part_to_enlarge
from extractor.readers.answer_parser import ParsedAnswer, parse_answer
from extractor.readers.base import Answer, Document, Evidence, Issue, Look, Question, ReaderError, root_of
from extractor.readers.prompts import ALL_FIELDS, again, asked_fields, field_of
from extractor.schemas.answer import MissingField, ReceiptAnswer
from extractor.schemas.record import Attempt
from extractor.schemas.values import FieldEvidence, FieldState, Origin
from extractor.validation.arithmetic import run_checks
from extractor.validation.decision import REQUIRED, Examination, examine, words_of
from extractor.validation.normalisation import Normalised, fractions, normalise
from extractor.validation.voting import VoteResult, agree, vote

ASKABLE = frozenset({"missing", "unconfirmed", "conflict", "unreadable", "invalid", "implausible", "cut_off"})
"""Kinds of issue that another look may settle; an ambiguous date stays ambiguous however often it is read."""

NEVER_NULLED = frozenset({"currency"})
"""Fields that the rest of the receipt may decide, whatever was read."""

NOTHING = FieldEvidence()

WORTH_ONE_LOOK = frozenset({"missing", "unreadable", "invalid"})
"""Kinds of issue that are asked about once although they do not block."""


@dataclass(frozen=True)
class Vote:
    """One look's value for one field.

    Attributes:
        sight: What was looked at; the same for several questions to a model about the same image.
        agreement: Share of the drawn answers that give this value, where some were drawn.
    """

    text: str
    evidence: Evidence | None
    sight: str
    agreement: float | None = None


Votes = dict[str, Vote]
"""By field."""


@dataclass
class ReadingSession:
    """One document on its way through the ladder.

    Attributes:
        origin: Who reads it.
        preferences: Tie-breaks for what a receipt does not decide.
        today: Gives the date of the reading, in local time.
        answer: What counts, of all answers.
        votes: By field, in the order of the looks.
        attempts: Every question that was asked.
        witness: What the witness reads.
        draft: The witness's answer.
        torn: By field that is null because no two looks agree on it, what was read.
        error: Why there is no answer at all.
        outcome: What follows from the answer.
    """

    document: Document
    origin: Origin
    preferences: LocaleSettings
    today: Callable[[], date]
    answer: ReceiptAnswer = field(default_factory=ReceiptAnswer)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    votes: dict[str, list[Vote]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    witness: Votes = field(default_factory=dict)
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

    def question(self, look: Look, *, enlarges: bool) -> Question | None:
        """What to ask next; `None` where it promises nothing.

        Args:
            look: How to look, but for the part to enlarge.
            enlarges: Whether a model is shown the part where the fields stand.
        """
        is_model = self.origin is not Origin.OCR
        issues = [issue for issue in self.open_issues if enlarges or not is_model or issue.kind != "unconfirmed"]
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
            changed = self._take_vote(vote([one.answer for one in parsed], [one.evidence for one in drawn], question), question)
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
        normalised = normalise(answer, evidence, self.document.transcripts, origin=self.origin, preferences=self.preferences)
        fields = {path: self._with_looks(path, seen) for path, seen in normalised.fields.items()}
        examination = examine(normalised.receipt, fields, run_checks(normalised.receipt, today=self.today()))
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

    def _seen_by_both(self, seen: FieldEvidence, witness: Vote) -> FieldEvidence:
        confidence = max(seen.confidence or 0.0, (witness.evidence and witness.evidence.confidence) or 0.0)
        return seen.model_copy(update={"origin": Origin.BOTH, "confidence": confidence})

    def _take_vote(self, result: VoteResult, question: Question) -> tuple[str, ...]:
        """Take what most of the drawn answers say; a field that no two looks agree on either becomes null, and what was read is kept."""
        changed = self._merge(result.answer, result.evidence, question, self._sight("vote", question), result.agreement)
        for name, texts in result.torn.items():
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
                self.votes.setdefault(name, []).append(Vote(value, evidence.get(name), sight, agreement.get(name)))
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


def votes_of(answer: Answer | ReaderError) -> Votes:
    """What a witness says, field by field; a witness that fails says nothing."""
    if isinstance(answer, ExtractorError):
        return {}
    stated = parse_answer(answer.text).answer
    texts = {name: value for name in ALL_FIELDS if isinstance(value := getattr(stated, name), str)}
    return {name: Vote(text, answer.evidence.get(name), "witness") for name, text in texts.items()}


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


def _supporters(name: str, vote: Vote, cast: Sequence[Vote]) -> int:
    """How many looks see what a vote says."""
    return len({other.sight for other in cast if agree(name, vote.text, other.text)})


def _winner(name: str, votes: Sequence[Vote]) -> Vote:
    """The vote that counts: of the value with the most votes, else of the surest look; of equals, the first."""
    return max(votes, key=lambda vote: (_supporters(name, vote, votes), (vote.evidence and vote.evidence.confidence) or 0.0))
