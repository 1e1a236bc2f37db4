"""Values become checks and issues: arithmetic, plausibility, confirmation. Pure.

A receipt shows its arithmetic in several consistent ways (tax inside or on top, discounts above or below the subtotal, cash rounding), so a
check passes if any of them closes. A check that fails flags; it never blocks filing and never drops a value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import product

from extractor.readers.interface import Issue
from schemas.answer import DocumentType
from schemas.receipt import Receipt, TaxLine
from schemas.record import Check
from schemas.values import FieldEvidence, FieldState, clamped, minor_digits

CASH_STEP = Decimal("0.05")
"""Largest common cash rounding in currencies with cents (Switzerland, Canada, Malaysia, the Netherlands)."""

SUMS = frozenset({"total_sum", "items_sum", "cash", "payments_sum"})
"""Checks that prove the total where they pass. Where some fail and none passes, no look is enough: looks share a stroke over a digit."""

OLDEST_YEAR = 1990
"""Thermal receipts with machine-readable dates are younger; an older date is a misread year."""


@dataclass(frozen=True)
class Trust:
    """How sure a reader must be of a field before it is believed; calibrated confidence from 0 to 1.

    Attributes:
        alone: From here on nothing else is needed.
        backed: From here on it is believed if a second look or, for the total, arithmetic agrees; below, two looks may share a mistake.
    """

    alone: float
    backed: float


TRUST = {
    "merchant_name": Trust(0.9, 0.6),
    "transaction_date": Trust(0.995, 0.8),
    "currency_code": Trust(0.9, 0.8),
    "total": Trust(0.999, 0.9),
}
"""Of the required fields. Chosen on labelled receipts (`receipts eval`) so that less than one accepted record in a hundred is wrong."""

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


def examine(receipt: Receipt, fields: Mapping[str, FieldEvidence], *, today: date) -> Examination:
    """Every check that the receipt allows, and the issues that follow from them and from how well each value is confirmed.

    Args:
        fields: Evidence by path; of the required fields, confidence, looks and state decide.
        today: Date of the reading, in local time; a receipt cannot be younger (one day is left for time zones).
    """
    checks = (*_arithmetic(receipt), *_plausibility(receipt, today))
    issues = (*_kind_issues(receipt), *_missing(receipt, fields), *_failed(checks), *_unconfirmed(receipt, fields, checks))
    return Examination(checks, issues)


def tolerance_of(receipt: Receipt) -> Decimal:
    """One minor unit: what rounding each line by itself may add up to in ordinary receipts."""
    return Decimal(1).scaleb(-minor_digits(receipt.currency_code))


def _arithmetic(receipt: Receipt) -> list[Check]:
    found = [_total_sum(receipt), _items_sum(receipt), _cash(receipt), _payments_sum(receipt), _tax_sum(receipt)]
    checks = [check for check in found if check]
    checks += [check for index, line in enumerate(receipt.tax_lines) if (check := _tax_line(index, line, tolerance_of(receipt)))]
    checks += _item_products(receipt)
    return checks


def _closest(name: str, actual: Decimal, expected: Iterable[Decimal], tolerance: Decimal) -> Check:
    """The check against the nearest of several legitimate expectations."""
    nearest = min(expected, key=lambda amount: abs(amount - actual))
    passed = abs(nearest - actual) <= tolerance
    return Check(name=name, expected=clamped(nearest), actual=clamped(actual), tolerance=tolerance, passed=passed)


def _optional(*amounts: Decimal | None) -> list[tuple[Decimal, ...]]:
    """Every choice of counting an amount in or not, where it is printed at all."""
    return list(product(*[(Decimal(0),) if not amount else (Decimal(0), amount) for amount in amounts]))


def _extras(receipt: Receipt) -> list[Decimal]:
    """What may lie between the goods and the total: every sum of tax, tip, service, rounding and discount counted or not."""
    discount = -receipt.discount_total if receipt.discount_total else None
    others = _optional(receipt.tip, receipt.service_charge, receipt.rounding, discount)
    return [tax + sum(choice, Decimal(0)) for tax in _taxes_on_top(receipt) for choice in others]


def _taxes_on_top(receipt: Receipt) -> list[Decimal]:
    """How much of the tax the total may hold beyond the subtotal: all of it where a rate says that the subtotal is net, else all or none.

    Without this, `subtotal = total` would prove a subtotal that was taken for the total.
    """
    if not receipt.tax_total:
        return [Decimal(0)]
    step = 2 * tolerance_of(receipt)
    for line in receipt.tax_lines:
        if line.rate and line.amount and line.net_amount and line.net_amount == receipt.subtotal:
            is_on_top = abs(line.rate * line.net_amount / 100 - line.amount) <= step
            return [receipt.tax_total] if is_on_top else [Decimal(0), receipt.tax_total]
    return [Decimal(0), receipt.tax_total]


def _total_sum(receipt: Receipt) -> Check | None:
    """`subtotal + tax + tip + service + rounding - discount = total`, each extra inside the subtotal or on top of it."""
    if receipt.total is None or receipt.subtotal is None:
        return None
    sums = [receipt.subtotal + extra for extra in _extras(receipt)]
    return _closest("total_sum", receipt.total, sums, tolerance_of(receipt))


def _items_sum(receipt: Receipt) -> Check | None:
    """Items add up to the subtotal, or to the total less what is on top."""
    prices = [item.total_price for item in receipt.items if item.total_price is not None]
    if not prices or (receipt.subtotal is None and receipt.total is None):
        return None
    goods = sum(prices, Decimal(0))
    sums = [] if receipt.subtotal is None else [receipt.subtotal]
    if receipt.subtotal is not None and receipt.discount_total:
        sums.append(receipt.subtotal + receipt.discount_total)
    if receipt.total is not None:
        sums += [receipt.total - extra for extra in _extras(receipt)]
    return _closest("items_sum", goods, sums, tolerance_of(receipt))


def _cash(receipt: Receipt) -> Check | None:
    """Cash handed over less change is the total, within cash rounding where the currency has cents."""
    if receipt.amount_tendered is None or receipt.change_given is None or receipt.total is None:
        return None
    step = CASH_STEP if minor_digits(receipt.currency_code) == 2 else Decimal(0)
    due = [receipt.total + extra for (extra,) in _optional(receipt.tip)]
    return _closest("cash", receipt.amount_tendered - receipt.change_given, due, step)


def _payments_sum(receipt: Receipt) -> Check | None:
    """Payments add up to the total, with the tip where it is paid with them; cash may exceed it by the change."""
    amounts = [payment.amount for payment in receipt.payments if payment.amount is not None]
    if not amounts or receipt.total is None:
        return None
    paid = sum(amounts, Decimal(0))
    due = [receipt.total + tip + change for tip, change in _optional(receipt.tip, receipt.change_given)]
    step = CASH_STEP if minor_digits(receipt.currency_code) == 2 else Decimal(0)
    return _closest("payments_sum", paid, due, step)


def _tax_sum(receipt: Receipt) -> Check | None:
    """The taxes of all rates add up to the printed tax total."""
    amounts = [line.amount for line in receipt.tax_lines if line.amount is not None]
    if not amounts or receipt.tax_total is None:
        return None
    return _closest("tax_sum", receipt.tax_total, [sum(amounts, Decimal(0))], tolerance_of(receipt))


def _tax_line(index: int, line: TaxLine, tolerance: Decimal) -> Check | None:
    """Rate times net is the tax; where the printed base is gross, the tax is inside it."""
    if line.rate is None or line.net_amount is None or line.amount is None or line.rate <= 0:
        return None
    on_top = line.net_amount * line.rate / 100
    inside = line.net_amount * line.rate / (100 + line.rate)
    places = Decimal(1).scaleb(-4)
    return _closest(f"tax_lines[{index}]", line.amount, [on_top.quantize(places), inside.quantize(places)], 2 * tolerance)


def _item_products(receipt: Receipt) -> list[Check]:
    """Quantity times unit price is the line's total, before or after the line's discount."""
    checks = []
    for index, item in enumerate(receipt.items):
        if item.quantity is None or item.unit_price is None or item.total_price is None:
            continue
        full = item.quantity * item.unit_price
        sums = [(full - extra).quantize(Decimal(1).scaleb(-4)) for (extra,) in _optional(item.discount)]
        checks.append(_closest(f"items[{index}]", item.total_price, [*sums, *(-amount for amount in sums)], tolerance_of(receipt)))
    return checks


def _plausibility(receipt: Receipt, today: date) -> list[Check]:
    if receipt.transaction_date is None:
        return []
    days_ahead = (receipt.transaction_date - today).days
    passed = days_ahead <= 1 and receipt.transaction_date.year >= OLDEST_YEAR
    return [
        Check(name="date_plausible", expected=f"not after {today.isoformat()}", actual=receipt.transaction_date.isoformat(), passed=passed)
    ]


def _kind_issues(receipt: Receipt) -> list[Issue]:
    if receipt.document_type is DocumentType.NOT_A_RECEIPT:
        return [Issue("*", "not_a_receipt", "This does not look like a receipt. If it is one, take the photo again, closer and straight.")]
    return []


def _missing(receipt: Receipt, fields: Mapping[str, FieldEvidence]) -> list[Issue]:
    issues = [
        Issue(name, "missing", f"No {_words(name)} was found. Look at the original and enter it.")
        for name in REQUIRED
        if getattr(receipt, name) is None and not (name == "transaction_date" and receipt.date_ambiguous)
    ]
    time = fields.get("transaction_time")
    if receipt.transaction_time is None and (time is None or time.state is not FieldState.NOT_PRINTED):
        issues.append(Issue("transaction_time", "missing", "No time was found; many receipts print none.", blocking=False))
    return issues


def _failed(checks: Sequence[Check]) -> list[Issue]:
    """An issue for every check that fails; those that say something about the total block."""
    issues = []
    for check in checks:
        if check.passed:
            continue
        field, blocking = {
            "total_sum": ("total", True),
            "items_sum": ("items", False),
            "cash": ("total", True),
            "payments_sum": ("payments", False),
            "tax_sum": ("tax_total", False),
            "date_plausible": ("transaction_date", True),
        }.get(check.name, (check.name, False))
        kind = "implausible" if check.name == "date_plausible" else "conflict"
        message = f"Check {check.name} fails: expected {check.expected}, found {check.actual}."
        issues.append(Issue(field, kind, message, blocking=blocking))
    return issues


def _unconfirmed(receipt: Receipt, fields: Mapping[str, FieldEvidence], checks: Sequence[Check]) -> list[Issue]:
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
                Issue(name, "conflict", f"Two looks disagree about the {_words(name)}; {evidence.raw_text!r} is the likelier one.")
            )
        elif not _is_confirmed(name, evidence, checks):
            issues.append(
                Issue(name, "unconfirmed", f"The {_words(name)} {evidence.raw_text!r} is not confirmed by a second reading or by sums.")
            )
    return issues


def _is_confirmed(name: str, evidence: FieldEvidence, checks: Sequence[Check]) -> bool:
    """Whether a value may be trusted: its reader is sure, or it is likely and something independent agrees."""
    confidence, trust = evidence.confidence or 0.0, TRUST[name]
    sums = [check for check in checks if check.name in SUMS] if name == "total" else []
    is_proven, is_contested = any(check.passed for check in sums), any(not check.passed for check in sums)
    if confidence >= trust.alone and (is_proven or not is_contested):
        return True
    return (is_proven or (evidence.looks > 1 and not is_contested)) and confidence >= trust.backed


def _words(name: str) -> str:
    return {"merchant_name": "merchant", "transaction_date": "date", "currency_code": "currency"}.get(name, name.replace("_", " "))
