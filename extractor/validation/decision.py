"""Checks and evidence become issues: what is missing, contested, or not confirmed well enough to be accepted. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from extractor.parsing.lookalikes import is_other
from extractor.readers.base import Issue
from extractor.schemas.answer import DocumentType
from extractor.schemas.receipt import Receipt
from extractor.schemas.record import Check
from extractor.schemas.values import FieldEvidence, FieldState


@dataclass(frozen=True)
class Trust:
    """How sure a reader must be of a field before it is believed; calibrated confidence from 0 to 1.

    Attributes:
        alone: From here on nothing else is needed.
        backed: From here on it is believed if a second look or, for the total, arithmetic agrees; below, two looks may share a mistake.
        proven: From here on a total is believed if a second look agrees and it closes twice: with what was bought and with what was paid,
            or from the items over the subtotal to the total.
        despite: From here on a total is believed if a second look agrees although a sum gives another amount: the items where one may be
            lost, or the one side while it closes with the other.
    """

    alone: float
    backed: float
    proven: float = 1.0
    despite: float = 1.0


TRUST = {
    "merchant_name": Trust(0.9, 0.6),
    "transaction_date": Trust(0.995, 0.8),
    "currency_code": Trust(0.8, 0.8),
    "total": Trust(0.999, 0.9, proven=0.6, despite=0.99),
}
"""Of the required fields. Chosen on labelled receipts (`receipts eval`) so that less than one accepted record in a hundred is wrong."""

ONE_WITNESS = 0.78
"""Confidence from which a second look backs a merchant in Cyrillic, Greek or Thai letters: one recogniser reads both and may slip twice."""

CLEAR = 0.85
"""Confidence from which an address is not looked at again: below, every second one on labelled receipts has a wrong letter or row."""

REQUIRED = tuple(TRUST)
"""A record without one of these is never accepted."""


@dataclass(frozen=True)
class Examination:
    """What the checks found.

    Attributes:
        checks: Every check that could be made, passed or not.
        issues: What is missing or wrong; the record is acceptable where none of them blocks.
    """

    checks: tuple[Check, ...]
    issues: tuple[Issue, ...]

    @property
    def is_acceptable(self) -> bool:
        return not any(issue.blocking for issue in self.issues)


def examine(receipt: Receipt, fields: Mapping[str, FieldEvidence], checks: Sequence[Check]) -> Examination:
    """The checks and the issues that follow from them and from how well each required value is confirmed.

    Args:
        fields: Evidence by path; of the required fields, confidence, looks and state decide.
    """
    support = support_of(receipt, checks)
    issues = (
        *_kind_issues(receipt),
        *_missing(receipt, fields),
        *_unclear(fields),
        *_turned(receipt),
        *_failed(checks, support),
        *_unconfirmed(receipt, fields, support),
    )
    return Examination(tuple(checks), issues)


def _kind_issues(receipt: Receipt) -> list[Issue]:
    if receipt.document_type is DocumentType.NOT_A_RECEIPT:
        return [Issue("*", "not_a_receipt", "This does not look like a receipt. If it is one, take the photo again, closer and straight.")]
    return []


def _missing(receipt: Receipt, fields: Mapping[str, FieldEvidence]) -> list[Issue]:
    issues = [
        Issue(name, "missing", f"No {words_of(name)} was found. Look at the original and enter it.")
        for name in REQUIRED
        if getattr(receipt, name) is None and not (name == "transaction_date" and receipt.date_ambiguous)
    ]
    time = fields.get("transaction_time")
    if receipt.transaction_time is None and (time is None or time.state is not FieldState.NOT_PRINTED):
        issues.append(Issue("transaction_time", "missing", "No time was found; many receipts print none.", blocking=False))
    return issues


def _unclear(fields: Mapping[str, FieldEvidence]) -> list[Issue]:
    """An address that was not read well is worth a closer look; it never blocks."""
    seen = fields.get("merchant_address")
    if seen is None or seen.confidence is None or seen.confidence >= CLEAR or seen.looks > 1:
        return []
    return [Issue("merchant_address", "unreadable", f"The address {seen.raw_text!r} was not read clearly.", blocking=False)]


def _turned(receipt: Receipt) -> list[Issue]:
    """An issue where the total is what was bought with the other sign: tills book payments so, and it may be one."""
    if receipt.total is None or receipt.total >= 0:
        return []
    goods = sum((item.total_price for item in receipt.items if item.total_price is not None), Decimal(0))
    if -receipt.total not in {goods, receipt.subtotal}:
        return []
    return [Issue("total", "conflict", f"The total {receipt.total} is what was bought, with the other sign. Look whether it is a payment.")]


def _failed(checks: Sequence[Check], support: "Support") -> list[Issue]:
    """An issue for every check that fails; those that say something about the total block, unless another sum outweighs them."""
    issues = []
    for check in checks:
        if check.passed:
            continue
        is_change_of_more = check.name == "cash" and isinstance(check.actual, Decimal) and check.actual <= 0  # cash lines misread
        field, blocking = {
            "total_sum": ("total", True),
            "items_sum": ("items", False),
            "cash": ("amount_tendered", False) if is_change_of_more else ("total", True),
            "payments_sum": ("payments", False),
            "tax_sum": ("tax_total", False),
            "date_plausible": ("transaction_date", True),
        }.get(check.name, (check.name, False))
        kind = "implausible" if check.name == "date_plausible" else "conflict"
        message = f"Check {check.name} fails: expected {check.expected}, found {check.actual}."
        issues.append(Issue(field, kind, message, blocking=blocking and not (field == "total" and support.is_outweighed)))
    return issues


def _unconfirmed(receipt: Receipt, fields: Mapping[str, FieldEvidence], support: "Support") -> list[Issue]:
    issues = []
    if receipt.date_ambiguous:
        candidates = " or ".join(day.isoformat() for day in receipt.date_candidates)
        message = f"The date may be {candidates}; the receipt does not say which. Set [locale] date_order, or correct it."
        issues.append(Issue("transaction_date", "ambiguous", message))
    for name in REQUIRED:
        evidence = fields.get(name)
        if getattr(receipt, name) is None or evidence is None:
            continue
        if evidence.state is FieldState.CONFLICT:
            issues.append(
                Issue(name, "conflict", f"Two looks disagree about the {words_of(name)}; {evidence.raw_text!r} is the likelier one.")
            )
        elif not _is_confirmed(name, evidence, support):
            issues.append(
                Issue(name, "unconfirmed", f"The {words_of(name)} {evidence.raw_text!r} is not confirmed by a second reading or by sums.")
            )
    return issues


@dataclass(frozen=True)
class Support:
    """What the sums say of a total.

    Attributes:
        proofs: Independent sums that give it: what was bought, what was paid, and the items where a subtotal leads from them to it; 0 to 2.
        is_contested: True where a sum that should give the total gives another amount.
        is_denied: True where a little more than the total was paid without cash: something stands between them.
        is_outweighed: True where one side contests it while it closes with the other: a tax, a tip or a digit of the cash may be lost.
        is_doubted: True where only the items give another amount.
    """

    proofs: int
    is_contested: bool
    is_denied: bool
    is_outweighed: bool
    is_doubted: bool


BOTH_SIDES = 2

OVERPAID = Decimal("1.25")
"""Times the total that a levy or a tip may make of it; a payment of still more is no payment of this receipt."""


def support_of(receipt: Receipt, checks: Sequence[Check]) -> Support:
    """How far the checks support the receipt's total.

    Items prove the total only where no subtotal stands between them; where one does, they prove that. A subtotal that is the total itself
    proves less than one from which taxes or charges lead to it: one may have been taken for the other.
    """
    passed = {check.name: check.passed for check in checks}
    items = passed.get("items_sum") if receipt.subtotal is None else None
    bought, paid = [passed.get("total_sum"), items], [passed.get("cash"), passed.get("payments_sum")]
    leads = bought[0] is True and receipt.subtotal != receipt.total
    is_paid = True in paid and False not in paid
    is_denied = paid[1] is False and _is_overpaid(receipt)
    proofs = (True in bought) + (True in paid)
    return Support(
        proofs=BOTH_SIDES if leads and passed.get("items_sum") and not is_denied else proofs,
        is_contested=False in (bought[0], *paid),
        is_denied=is_denied,
        is_outweighed=(bought[0] is False and is_paid) or (passed.get("cash") is False and leads),
        is_doubted=items is False and True not in paid,
    )


def _is_overpaid(receipt: Receipt) -> bool:
    """Whether a payment is a little more than the total, and no cash was handed over."""
    if receipt.total is None or receipt.amount_tendered is not None:
        return False
    most = receipt.total * OVERPAID
    return any(payment.amount is not None and receipt.total < payment.amount <= most for payment in receipt.payments)


def _is_confirmed(name: str, evidence: FieldEvidence, support: Support) -> bool:
    """Whether a value may be trusted: its reader is sure, or it is likely and something independent agrees."""
    confidence, trust = evidence.confidence or 0.0, TRUST[name]
    if name != "total":
        backed = ONE_WITNESS if name == "merchant_name" and is_other(evidence.raw_text or "") else trust.backed
        return confidence >= trust.alone or (evidence.looks > 1 and confidence >= backed)
    if support.is_outweighed:
        return evidence.looks > 1 and confidence >= trust.despite
    if support.proofs == BOTH_SIDES:
        return evidence.looks > 1 and confidence >= trust.proven
    if support.proofs and not support.is_denied:
        return confidence >= trust.backed
    if support.is_contested:
        return False
    backed = trust.despite if support.is_doubted else trust.backed
    return confidence >= trust.alone or (evidence.looks > 1 and confidence >= backed)


def words_of(name: str) -> str:
    """A field as people call it."""
    return {"merchant_name": "merchant", "transaction_date": "date", "currency_code": "currency"}.get(name, name.replace("_", " "))
