"""Ground truth of a rendered receipt: the printed values, under the keys of `extractor.evaluation.scoring.Truth` and more."""

from collections.abc import Iterable
from typing import Any

from training.render.money import plain
from training.render.placement import PlacedWord
from training.render.plan import Plan
from training.render.purchase import Entry
from training.render.rows import Role


def _printed(words: Iterable[PlacedWord], role: Role) -> str | None:
    """Join the words of this role on the first consecutive rows that have it; `None` where it is not printed."""
    found: list[PlacedWord] = []
    for word in words:
        if word.role is not role or (found and word.row > found[-1].row + 1):
            continue
        found.append(word)
    return " ".join(word.text for word in found) or None


def _item(plan: Plan, entry: Entry) -> dict[str, Any]:
    is_item = entry.kind in ("item", "free")
    return {
        "description": plan.text.format(entry.description),
        "quantity": str(entry.quantity) if is_item else None,
        "unit_price": str(entry.unit_price) if is_item else None,
        "total": plain(entry.amount, plan.money.digits),
        "kind": entry.kind,
    }


def truth_of(plan: Plan, words: Iterable[PlacedWord], name: str) -> dict[str, Any]:
    """Return the values of the receipt; `None` for values that are not printed.

    Keys beyond those of `Truth`: `discount`, `service`, `tip`, `rounding`, `tax_included`, `tax_lines`, `payments`, `change`,
    `date_order`, `country`, `language`, `merchant_legal`, `tax_id`, `phone`.
    """
    words = list(words)
    roles = {word.role for word in words}
    purchase, money = plan.purchase, plan.money

    def amount(value: int, role: Role) -> str | None:
        return plain(value, money.digits) if role in roles else None

    net = purchase.before_rounding - purchase.tax - purchase.tip
    subtotal = amount(purchase.subtotal, Role.SUBTOTAL) or amount(net, Role.NET)
    return {
        "image": name,
        "merchant": _printed(words, Role.MERCHANT),
        "merchant_legal": _printed(words, Role.LEGAL),
        "address": _printed(words, Role.ADDRESS),
        "phone": _printed(words, Role.PHONE),
        "tax_id": _printed(words, Role.TAX_ID),
        "date": plan.moment.date().isoformat() if Role.DATE in roles else None,
        "time": plan.moment.strftime("%H:%M:%S" if "{S" in plan.text.time_format else "%H:%M") if Role.TIME in roles else None,
        "total": amount(purchase.total, Role.TOTAL),
        "currency": plan.country.currency,
        "subtotal": subtotal,
        "discount": amount(purchase.discount, Role.DISCOUNT),
        "service": amount(purchase.service, Role.SERVICE),
        "tax": amount(purchase.tax, Role.TAX),
        "tax_included": purchase.tax_mode != "on_top",
        "tax_lines": [_tax_line(plan, index) for index in range(len(purchase.taxes))] if Role.TAX in roles else [],
        "tip": amount(purchase.tip, Role.TIP),
        "rounding": amount(purchase.rounding, Role.ROUNDING),
        "payments": [{"method": each.method, "amount": plain(each.amount, money.digits)} for each in purchase.payments],
        "change": amount(purchase.change, Role.CHANGE),
        "line_items": [_item(plan, entry) for entry in purchase.entries],
        "date_order": plan.date_order,
        "country": plan.country.code,
        "language": plan.language_code,
        "dataset": "rendered",
    }


def _tax_line(plan: Plan, index: int) -> dict[str, Any]:
    tax = plan.purchase.taxes[index]
    digits = plan.money.digits
    return {
        "description": plan.text.format(tax.rate.name),
        "code": tax.rate.code or None,
        "rate": str(tax.rate.percent),
        "net_amount": plain(tax.net, digits),
        "amount": plain(tax.tax, digits),
    }
