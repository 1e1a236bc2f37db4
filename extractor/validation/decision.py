"""Whether a record is accepted, and if not, for which reasons. No other module decides this.

`decide` is the rule. A record is accepted if no reason blocks it:

1. The document is one receipt: it is not something else, and does not seem to be several.
2. Merchant, date, currency and total have a value, and only one meaning.
3. No check contradicts the total or the date, unless another sum outweighs it.
4. Each of these values is confirmed: its confidence is high enough alone, or is high enough with a second look or with a sum that agrees
   (`validation.confidence` has the thresholds, `validation.total_support` the sums).
5. Every part of the answer that was read could be used.

Other findings (a missing time, an address that is hard to read, items that do not add up) do not block; they may be worth a further
question. `REASKED` states for every kind of reason whether it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from extractor.readers.base import Issue
from extractor.schemas.answer import DocumentType
from extractor.schemas.receipt import Receipt
from extractor.schemas.record import Check, CheckName, ReasonKind, RecordStatus, ReviewReason
from extractor.schemas.values import FieldEvidence, FieldState
from extractor.validation.confidence import CLEAR_ADDRESS, REQUIRED_FIELDS, THRESHOLDS, backed_threshold
from extractor.validation.normalisation import UnparsedText
from extractor.validation.total_support import BOTH_SIDES, TotalSupport, support_of


class Reask(Enum):
    """Whether a further look at the receipt may settle a reason."""

    NEVER = auto()  # another look reads the same
    CONFIRM = auto()  # a look at the value's place may confirm it; issues that do not block are not asked for with it
    BLOCKED = auto()  # asked for, together with all other issues, as long as the record is blocked
    ONCE = auto()  # as BLOCKED, and once more where it does not block


REASKED: Mapping[ReasonKind, Reask] = MappingProxyType(
    {
        ReasonKind.MISSING: Reask.ONCE,
        ReasonKind.UNREADABLE: Reask.ONCE,
        ReasonKind.INVALID: Reask.ONCE,
        ReasonKind.CONFLICT: Reask.BLOCKED,
        ReasonKind.IMPLAUSIBLE: Reask.BLOCKED,
        ReasonKind.CUT_OFF: Reask.BLOCKED,
        ReasonKind.UNCONFIRMED: Reask.CONFIRM,
        ReasonKind.AMBIGUOUS: Reask.NEVER,
        ReasonKind.SEVERAL_RECEIPTS: Reask.NEVER,
        ReasonKind.NOT_A_RECEIPT: Reask.NEVER,
    }
)


class FailedCheck(NamedTuple):
    """What the failure of a check means.

    Attributes:
        field: The field that it is about.
        message: For a person; `{expected}` and `{actual}` stand for the check's numbers.
        blocks: The record is not accepted, unless another sum outweighs the check.
    """

    field: str
    message: str
    blocks: bool


FAILED_CHECKS: Mapping[str, FailedCheck] = MappingProxyType(
    {
        CheckName.TOTAL_SUM: FailedCheck(
            "total", "Subtotal, taxes and charges give {expected}, but the total is {actual}. Check both.", blocks=True
        ),
        CheckName.ITEMS_SUM: FailedCheck("items", "The items add up to {actual}, not to {expected}.", blocks=False),
        CheckName.CASH: FailedCheck("total", "Cash less change is {actual}, but {expected} was due. Check both.", blocks=True),
        CheckName.PAYMENTS_SUM: FailedCheck("payments", "The payments add up to {actual}, but {expected} was due.", blocks=False),
        CheckName.TAX_SUM: FailedCheck("tax_total", "The taxes by rate add up to {expected}, but the tax total is {actual}.", blocks=False),
        CheckName.DATE_PLAUSIBLE: FailedCheck(
            "transaction_date", "The date {actual} is implausible: it should be {expected}. Check the year.", blocks=True
        ),
    }
)

# Names of fields in messages to people.
_LABELS = {"merchant_name": "merchant", "transaction_date": "date", "currency_code": "currency"}


@dataclass(frozen=True)
class Facts:
    """Everything that is known about one receipt when it is decided on.

    Attributes:
        fields: Evidence by field path, with the number of looks that agree.
        checks: The checks that could be made, passed or not.
        unparsed: Texts that are no value of their field's type.
        currency_candidates: The currencies that the receipt may be in, likeliest first; empty where it decides between them.
        invalid_parts: By field path, why a part of an answer does not fit the schema.
        is_cut_off: The reader's answer ended too soon.
        split_votes: By field that is null because no two looks agree on it, the texts that were read.
        may_be_several: The page may show several receipts beside one another.
    """

    receipt: Receipt
    fields: Mapping[str, FieldEvidence]
    checks: tuple[Check, ...] = ()
    unparsed: tuple[UnparsedText, ...] = ()
    currency_candidates: tuple[str, ...] = ()
    invalid_parts: Mapping[str, str] = field(default_factory=dict)
    is_cut_off: bool = False
    split_votes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    may_be_several: bool = False


@dataclass(frozen=True)
class Decision:
    """What was decided about a record.

    Attributes:
        issues: Everything missing or wrong; those that block are the reasons why the record needs a review.
    """

    status: RecordStatus
    issues: tuple[Issue, ...]
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[ReviewReason, ...]:
        """The reasons why the record is not accepted; empty where it is."""
        return tuple(ReviewReason(field=issue.field, kind=issue.kind, message=issue.message) for issue in self.issues if issue.blocking)


def decide(facts: Facts) -> Decision:
    """The status of a record, and the reasons for it."""
    support = support_of(facts.receipt, facts.checks)
    found = (
        *_not_one_receipt(facts),
        *_ambiguous_currency(facts),
        *_unparsed(facts),
        *_missing(facts),
        *_unclear_address(facts),
        *_reversed_sign(facts.receipt),
        *_failed_checks(facts.checks, support),
        *_ambiguous_date(facts.receipt),
        *_unconfirmed(facts, support),
        *_incomplete_answer(facts),
    )
    issues = (*(issue for issue in found if issue.field not in facts.split_votes), *_split_votes(facts))
    is_blocked = any(issue.blocking for issue in issues)
    return Decision(RecordStatus.NEEDS_REVIEW if is_blocked else RecordStatus.ACCEPTED, issues, facts.checks)


def issues_to_ask(decision: Decision, *, is_first: bool) -> tuple[Issue, ...]:
    """The issues that a further question is worth; empty where it would change nothing.

    Args:
        is_first: The receipt has been asked about once so far.
    """
    issues = [issue for issue in decision.issues if REASKED[issue.kind] is not Reask.NEVER]
    blocking = [issue for issue in issues if issue.blocking]
    if any(REASKED[issue.kind] is not Reask.CONFIRM for issue in blocking):
        return tuple(issues)
    once = (issue for issue in issues if is_first and not issue.blocking and REASKED[issue.kind] is Reask.ONCE)
    return (*blocking, *once)


def _not_one_receipt(facts: Facts) -> Iterator[Issue]:
    if facts.may_be_several:
        message = (
            "This may show several receipts beside one another. If it does, cut the picture between them, "
            "and drop each part as a file of its own."
        )
        yield Issue("*", ReasonKind.SEVERAL_RECEIPTS, message)
    if facts.receipt.document_type is DocumentType.NOT_A_RECEIPT:
        message = "This does not look like a receipt. If it is one, take the photo again, closer and straight."
        yield Issue("*", ReasonKind.NOT_A_RECEIPT, message)


def _ambiguous_currency(facts: Facts) -> Iterator[Issue]:
    if facts.currency_candidates:
        likeliest, *others = facts.currency_candidates
        doubt = f"may be {' or '.join([likeliest, *others[:3]])}" if others else f"is probably {likeliest}"
        message = f"The currency {doubt}; the receipt does not decide it. Set [locale] currency, or correct it."
        yield Issue("currency_code", ReasonKind.AMBIGUOUS, message)


def _unparsed(facts: Facts) -> Iterator[Issue]:
    for one in facts.unparsed:
        yield Issue(one.path, ReasonKind.UNREADABLE, f"{one.text!r} was read here, which is not {one.expected}.", blocking=False)


def _missing(facts: Facts) -> Iterator[Issue]:
    receipt = facts.receipt
    for name in REQUIRED_FIELDS:
        if getattr(receipt, name) is None and not (name == "transaction_date" and receipt.date_ambiguous):
            yield Issue(name, ReasonKind.MISSING, f"No {label(name)} was found. Enter it from the original.")
    time = facts.fields.get("transaction_time")
    if receipt.transaction_time is None and (time is None or time.state is not FieldState.NOT_PRINTED):
        yield Issue("transaction_time", ReasonKind.MISSING, "No time was found; many receipts print none.", blocking=False)


def _unclear_address(facts: Facts) -> Iterator[Issue]:
    evidence = facts.fields.get("merchant_address")
    if evidence and evidence.confidence is not None and evidence.confidence < CLEAR_ADDRESS and evidence.looks == 1:
        message = f"The address {evidence.raw_text!r} was not read clearly."
        yield Issue("merchant_address", ReasonKind.UNREADABLE, message, blocking=False)


def _reversed_sign(receipt: Receipt) -> Iterator[Issue]:
    """A negative total whose amount was bought: some tills print payments so, and the total may be one."""
    if receipt.total is None or receipt.total >= 0:
        return
    goods = sum((item.total_price for item in receipt.items if item.total_price is not None), Decimal(0))
    if -receipt.total in {goods, receipt.subtotal}:
        message = f"The total {receipt.total} is the amount of the purchase with the opposite sign. Check whether it is a payment."
        yield Issue("total", ReasonKind.CONFLICT, message)


def _failed_checks(checks: Sequence[Check], support: TotalSupport) -> Iterator[Issue]:
    for check in checks:
        if check.passed:
            continue
        # A check of one row is about that row, and does not block.
        row = FailedCheck(check.name, "The row gives {expected}, but {actual} is printed.", blocks=False)
        name, message, blocks = FAILED_CHECKS.get(check.name, row)
        if check.name == CheckName.CASH and isinstance(check.actual, Decimal) and check.actual <= 0:
            name, blocks = "amount_tendered", False  # more change than cash: the cash lines are misread, not the total
        if name == "total" and support.is_outweighed:
            blocks = False
        kind = ReasonKind.IMPLAUSIBLE if check.name == CheckName.DATE_PLAUSIBLE else ReasonKind.CONFLICT
        yield Issue(name, kind, message.format(expected=check.expected, actual=check.actual), blocking=blocks)


def _ambiguous_date(receipt: Receipt) -> Iterator[Issue]:
    if receipt.date_ambiguous:
        candidates = " or ".join(day.isoformat() for day in receipt.date_candidates)
        message = f"The date may be {candidates}; the receipt does not say which. Set [locale] date_order, or correct it."
        yield Issue("transaction_date", ReasonKind.AMBIGUOUS, message)


def _unconfirmed(facts: Facts, support: TotalSupport) -> Iterator[Issue]:
    for name in REQUIRED_FIELDS:
        evidence = facts.fields.get(name)
        if getattr(facts.receipt, name) is None or evidence is None:
            continue
        if evidence.state is FieldState.CONFLICT:
            message = f"Two looks disagree about the {label(name)}; {evidence.raw_text!r} is the likelier one. Check it."
            yield Issue(name, ReasonKind.CONFLICT, message)
        elif not _is_confirmed(name, evidence, support):
            yield Issue(name, ReasonKind.UNCONFIRMED, _doubt(name, evidence))


def _is_confirmed(name: str, evidence: FieldEvidence, support: TotalSupport) -> bool:
    """Whether a value can be trusted: its confidence is high alone, or high enough together with something independent that agrees."""
    confidence, thresholds = evidence.confidence or 0.0, THRESHOLDS[name]
    is_seen_twice = evidence.looks > 1
    if name != "total":
        return confidence >= thresholds.alone or (is_seen_twice and confidence >= backed_threshold(name, evidence.raw_text or ""))
    if support.is_outweighed:
        return is_seen_twice and confidence >= thresholds.despite
    if support.proofs == BOTH_SIDES:
        return is_seen_twice and confidence >= thresholds.proven
    if support.proofs and not support.is_overpaid:
        return confidence >= thresholds.backed
    if support.is_contested:
        return False
    backed = thresholds.despite if support.is_doubted else thresholds.backed
    return confidence >= thresholds.alone or (is_seen_twice and confidence >= backed)


def _doubt(name: str, evidence: FieldEvidence) -> str:
    what = f"the {label(name)} {evidence.raw_text!r}"
    if evidence.looks > 1:
        return f"{what[0].upper()}{what[1:]} was read {evidence.looks} times, but not clearly enough. Check it."
    return f"Only one look found {what}{', and no sum proves it' if name == 'total' else ''}. Check it."


def _incomplete_answer(facts: Facts) -> Iterator[Issue]:
    for path, problem in facts.invalid_parts.items():
        yield Issue(path, ReasonKind.INVALID, f"The answer for {path} does not fit: {problem}. Enter it from the original.")
    if facts.is_cut_off:
        message = "The reader's answer ended too soon; what was complete is kept."
        yield Issue("*", ReasonKind.CUT_OFF, message, blocking=False)
    for name in ("items", "tax_lines", "payments"):
        evidence, rows = facts.fields.get(name), getattr(facts.receipt, name)
        if rows and evidence is not None and evidence.state is FieldState.CUT_OFF:
            yield Issue(name, ReasonKind.CUT_OFF, f"Only the first {len(rows)} {label(name)} were kept. Check the rest in the original.")


def _split_votes(facts: Facts) -> Iterator[Issue]:
    for name, texts in facts.split_votes.items():
        read = ", ".join(repr(text) for text in texts)
        message = f"No two looks agree on the {label(name)}: {read} were read. Enter it from the original."
        yield Issue(name, ReasonKind.UNREADABLE, message, blocking=name in REQUIRED_FIELDS)


def label(name: str) -> str:
    """A field's name as it stands in messages to people."""
    return _LABELS.get(name, name.replace("_", " "))
