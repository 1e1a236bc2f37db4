"""How far the receipt's sums support its total. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from extractor.schemas.receipt import Receipt
from extractor.schemas.record import Check, CheckName

# Proofs of a total that both what was bought and what was paid give.
BOTH_SIDES = 2

# A payment of up to this many times the total may be the total with a levy or a tip; a larger one is no payment of this receipt.
OVERPAID = Decimal("1.25")


@dataclass(frozen=True)
class TotalSupport:
    """What the sums say about a total.

    Attributes:
        proofs: How many independent sums give it, 0 to 2: the purchase (subtotal or items), the payment, and the items where they add up to
            a subtotal from which taxes and charges lead to the total.
        is_contested: A sum that should give the total gives another amount.
        is_overpaid: A little more than the total was paid without cash, so that a charge is missing between the two.
        is_outweighed: Either the purchase or the payment contests the total while the other side gives it: a tax, a tip or a digit of the
            cash may be missing.
        is_doubted: Nothing but the items contests it.
    """

    proofs: int
    is_contested: bool
    is_overpaid: bool
    is_outweighed: bool
    is_doubted: bool


def support_of(receipt: Receipt, checks: Sequence[Check]) -> TotalSupport:
    """The support that the checks give to the receipt's total.

    Items prove the total only on a receipt without a subtotal; otherwise they prove the subtotal. A subtotal that equals the total proves
    less than one from which taxes or charges lead to the total: one may have been taken for the other.
    """
    passed = {check.name: check.passed for check in checks}
    items = passed.get(CheckName.ITEMS_SUM) if receipt.subtotal is None else None
    bought = [passed.get(CheckName.TOTAL_SUM), items]
    paid = [passed.get(CheckName.CASH), passed.get(CheckName.PAYMENTS_SUM)]
    leads_to_total = bought[0] is True and receipt.subtotal != receipt.total
    is_paid = True in paid and False not in paid
    is_overpaid = paid[1] is False and _has_larger_payment(receipt)
    proofs = (True in bought) + (True in paid)
    return TotalSupport(
        proofs=BOTH_SIDES if leads_to_total and passed.get(CheckName.ITEMS_SUM) and not is_overpaid else proofs,
        is_contested=False in (bought[0], *paid),
        is_overpaid=is_overpaid,
        is_outweighed=(bought[0] is False and is_paid) or (passed.get(CheckName.CASH) is False and leads_to_total),
        is_doubted=items is False and True not in paid,
    )


def _has_larger_payment(receipt: Receipt) -> bool:
    """Whether a payment is a little more than the total, and no cash was handed over."""
    if receipt.total is None or receipt.amount_tendered is not None:
        return False
    most = receipt.total * OVERPAID
    return any(payment.amount is not None and receipt.total < payment.amount <= most for payment in receipt.payments)
