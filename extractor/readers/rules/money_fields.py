"""All money fields of a receipt, as printed, each with its evidence: total, taxes, charges, items and payments."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final

from extractor.ocr.transcript import Transcript
from extractor.parsing.amounts import DecimalMark
from extractor.parsing.currencies import find_marks
from extractor.parsing.keywords import Role
from extractor.readers.base import Evidence
from extractor.readers.rules.amount_rows import AmountRow, AmountRows, LabelledAmount, read_rows, without_conversions
from extractor.readers.rules.field_values import FieldValues
from extractor.readers.rules.item_selection import FoundItem
from extractor.readers.rules.items import find_fuel, find_items, with_grade
from extractor.readers.rules.sums import Sums
from extractor.readers.rules.taxes import Taxes, find_taxes
from extractor.readers.rules.totals import choose_total, is_contested, is_unread, repair_items, repair_subtotal

# Amounts of the longest receipt whose money fields are read. Which of them add up is searched among all pairs, and bank statements have
# more.
MAX_AMOUNTS: Final = 1500
# Below this many items, items that do not add up may come from a fuel receipt.
_FEW_ITEMS: Final = 3
# Upper bound of the confidence of a total that another labelled total contradicts by one misread digit: sums that share the digit prove
# nothing.
CONTESTED_CONFIDENCE: Final = 0.5
# Rows between two sums of one receipt at most; further down stands the card slip.
_SUM_REACH: Final = 6
# Largest amount that counts as rounding where it is above one percent of the total.
MAX_ROUNDING: Final = Decimal("0.99")
# The last four digits of a card behind its masked ones, or behind a label.
_LAST4: Final = re.compile(r"(?:[*xX#•.·关美★女兴长大×]{2,}[\s-]*|\b(?:ending|acct|account|card|no\.?)\D{0,12})(\d{4})(?!\d)")


@dataclass(frozen=True)
class Charges:
    """Subtotal and charges of a receipt; `None` where one is not printed."""

    subtotal: LabelledAmount | None
    discount: LabelledAmount | None
    tip: LabelledAmount | None
    service: LabelledAmount | None
    rounding: LabelledAmount | None


@dataclass(frozen=True)
class FoundPayment:
    """One payment as printed."""

    method: str
    amount: LabelledAmount
    last4: str | None


@dataclass(frozen=True)
class Payments:
    """All payments, with the cash tendered and the change."""

    payments: tuple[FoundPayment, ...]
    tendered: LabelledAmount | None
    change: LabelledAmount | None


@dataclass(frozen=True)
class _Money:
    """Everything that the money rules found on one receipt."""

    rows: AmountRows
    total: LabelledAmount | None
    confidence: float
    taxes: Taxes
    charges: Charges
    items: Sequence[FoundItem]
    payments: Payments


def read_amounts(transcripts: Sequence[Transcript], mark: DecimalMark | None = None) -> FieldValues:
    """Return items, taxes, charges, total, payments and currency mark of the receipt; fields that are not printed are left out.

    All are left out where there are more than `MAX_AMOUNTS` amounts, so that a person reviews the document.

    Args:
        mark: The decimal mark, where it is known from elsewhere.
    """
    rows = without_conversions(read_rows(transcripts, mark))
    if len(rows.entries) > MAX_AMOUNTS:
        return FieldValues({}, {})
    money = _read_money(rows)
    part = _Builder()
    if money.total is not None:
        part.put("total", money.total, confidence=money.confidence)
    _put_charges(part, money.charges)
    _put_taxes(part, money.taxes)
    _put_items(part, money.items)
    _put_payments(part, money.payments)
    _put_currency(part, money.rows, money.total)
    return FieldValues(part.values, part.evidence)


def _read_money(rows: AmountRows) -> _Money:
    """Choose the total first, since everything else is judged by whether it leads to it; then taxes, charges, items and payments."""
    sums = Sums(rows)
    choices = choose_total(rows, sums)
    total = choices[0].candidate.best if choices else None
    is_in_doubt = bool(choices) and (is_contested(choices, rows.mark) or is_unread(choices[0], rows))
    confidence = min(choices[0].confidence, CONTESTED_CONFIDENCE if is_in_doubt else 1.0) if choices else 0.0
    value = total.value if total is not None else None
    taxes = find_taxes(rows, sums, value)
    charges = find_charges(rows, sums, total, taxes)
    items = _items(rows, [entry for entry in (charges.subtotal, total) if entry is not None], taxes, charges, value)
    proven: list[Decimal] = []
    if value is not None and charges.subtotal is not None:
        leads = partial(sums.leads, total=value, tax=taxes.total or Decimal(0))
        charges = replace(charges, subtotal=repair_subtotal(charges.subtotal, items, leads, rows.mark))
        proven += [charges.subtotal.value] if charges.subtotal is not None and leads(charges.subtotal.value) else []
    if value is not None and value in sums.paid_surely | sums.taxed:
        proven.append(value)
    items = repair_items(items, proven, rows.mark)
    payments = find_payments(rows, value, total.row if total is not None else None)
    return _Money(rows, total, confidence, taxes, charges, items, payments)


def _targets_without_charges(total: Decimal | None, taxes: Taxes, charges: Charges) -> list[Decimal]:
    """Return what the items may add up to where no subtotal is printed: the total less any of tax, service charge, tip and rounding."""
    if not total:
        return []
    found = {total}
    for charge in (taxes.total, *(entry.value for entry in (charges.service, charges.tip, charges.rounding) if entry is not None)):
        found |= {base - charge for base in found} if charge else set()
    return sorted(value for value in found - {total} if value * total > 0)


def _items(rows: AmountRows, known: Sequence[LabelledAmount], taxes: Taxes, charges: Charges, total: Decimal | None) -> Sequence[FoundItem]:
    """Return the line items, or the fuel of a fuel receipt."""
    extras = [charges.service, charges.tip, charges.rounding, taxes.source, *(line.amount for line in taxes.lines)]
    taken = {entry.row for entry in extras if entry is not None}
    items = find_items(rows, known, _targets_without_charges(total, taxes, charges), taken)
    is_closed = sum((item.total.value for item in items), Decimal(0)) in {entry.value for entry in known}
    fuel = find_fuel(rows, known) if len(items) < _FEW_ITEMS and not is_closed else None
    return (fuel,) if fuel is not None else with_grade(rows, items)


def find_charges(rows: AmountRows, sums: Sums, total: LabelledAmount | None, taxes: Taxes) -> Charges:
    """Return the subtotal and the charges that lead to the total."""
    return Charges(
        subtotal=_subtotal(rows, sums, total, taxes),
        discount=_discount(rows, sums),
        tip=_last_labelled(rows, Role.TIP, total),
        service=_last_labelled(rows, Role.SERVICE, total),
        rounding=_rounding(rows, total),
    )


def _subtotal(rows: AmountRows, sums: Sums, total: LabelledAmount | None, taxes: Taxes) -> LabelledAmount | None:
    """Return the amount labelled as subtotal that fits best; else the printed amount from which the charges lead to the total."""
    named = [entry for entry in rows.entries if Role.SUBTOTAL in entry.roles]
    plain = [entry for entry in named if not entry.roles & {Role.NET, Role.TAX, Role.COUNT, Role.DISCOUNT}] or named
    if plain:
        return max(plain, key=lambda entry: (_subtotal_support(entry, sums, total, taxes), not entry.is_adjacent, -entry.index))
    if total is None:
        return None
    last = max((entry.row for entry in rows.entries if entry.row < sums.first_sum), default=0)
    bases = [entry for entry in sums.bases(total.value, taxes.total or Decimal(0)) if entry.row >= min(last, sums.first_sum - 1)]
    return bases[0] if bases else _earlier_sum(rows, total)


def _subtotal_support(entry: LabelledAmount, sums: Sums, total: LabelledAmount | None, taxes: Taxes) -> int:
    """Count how many sums support an amount as the subtotal; the tax alone leading from it to the total weighs most."""
    fits = sums.last_items is not None and entry.value == sums.last_items
    if total is None:
        return fits
    tax = taxes.total or Decimal(0)
    closes = any(base is entry for base in sums.bases(total.value, tax))
    return 2 * fits + 3 * closes + 3 * (bool(tax) and entry.value + tax == total.value) + (entry.value == total.value)


def _earlier_sum(rows: AmountRows, total: LabelledAmount) -> LabelledAmount | None:
    """Return a sum equal to the total that is printed above it under another label."""
    others = {Role.CASH, Role.CARD, Role.PAYMENT, Role.CHANGE, Role.COUNT, Role.NOISE, Role.TAX}
    same = [e for e in rows.entries if e.value == total.value and e.roles & {Role.TOTAL, Role.GRAND} and not e.roles & others]
    return same[0] if len(same) > 1 and same[0].label != same[-1].label and same[-1].row - same[0].row <= _SUM_REACH else None


def _last_labelled(rows: AmountRows, role: Role, total: LabelledAmount | None) -> LabelledAmount | None:
    """Return the last amount with a role that is smaller than the total."""
    others = {Role.GRAND, Role.TAX, Role.SUBTOTAL, Role.NOISE, Role.CASH, Role.CHANGE}
    found = [e for e in rows.entries if role in e.roles and not e.roles & others and (total is None or abs(e.value) < abs(total.value))]
    return found[-1] if found else None


def _rounding(rows: AmountRows, total: LabelledAmount | None) -> LabelledAmount | None:
    found = [
        e
        for e in rows.entries
        if Role.ROUNDING in e.roles and not e.roles & {Role.GRAND, Role.SUBTOTAL} and abs(e.value) <= _max_rounding(total)
    ]
    return found[0] if found else None


def _max_rounding(total: LabelledAmount | None) -> Decimal:
    return max(MAX_ROUNDING, abs(total.value) / 100) if total is not None else MAX_ROUNDING


def _discount(rows: AmountRows, sums: Sums) -> LabelledAmount | None:
    below = [e for e in rows.entries if e.roles & {Role.DISCOUNT} and not e.roles & {Role.SAVINGS, Role.GRAND, Role.SUBTOTAL}]
    summed: Sequence[LabelledAmount] = [entry for entry in below if entry.row >= sums.first_sum]
    return summed[0] if summed else None


def find_payments(rows: AmountRows, total: Decimal | None, total_row: int | None) -> Payments:
    """Return payments, cash tendered and change; amounts above the total are no payments."""
    below = [entry for entry in rows.entries if total_row is None or entry.row >= total_row - 2]
    changes = [entry for entry in below if Role.CHANGE in entry.roles and Role.CASH not in entry.roles]
    cash = [entry for entry in below if _is_cash(entry)]
    tendered, change = _matching_cash_and_change(cash, changes, total)
    cards = [
        entry for entry in below if entry.roles & {Role.CARD} and not entry.roles & {Role.CHANGE, Role.GRAND, Role.NOISE, Role.SUBTOTAL}
    ]
    last4 = next((match[1] for row in rows if (match := _LAST4.search(row.text))), None)
    found: dict[Decimal, FoundPayment] = {}
    for entry in cards:
        if entry.value and (total is None or abs(entry.value) <= abs(total) * 2):
            # By magnitude: the till prints `-8.35`, and the slip of the terminal `8.35` for the same payment.
            found.setdefault(abs(entry.value), FoundPayment(_method(rows.rows[entry.row], entry), entry, last4))
    if tendered is not None and not found:
        found[abs(tendered.value)] = FoundPayment(_method(rows.rows[tendered.row], tendered), tendered, None)
    return Payments(tuple(found.values()), tendered, change)


def _is_cash(entry: LabelledAmount) -> bool:
    return Role.CASH in entry.roles and not entry.roles & {Role.CHANGE, Role.GRAND, Role.SUBTOTAL, Role.TAX, Role.ROUNDING}


def _matching_cash_and_change(
    cash: list[LabelledAmount], changes: list[LabelledAmount], total: Decimal | None
) -> tuple[LabelledAmount | None, LabelledAmount | None]:
    """Return cash and change whose difference is the total, or else the first of each."""
    for tendered in cash:
        for change in changes:
            if total is not None and abs(abs(tendered.value) - abs(change.value) - total) <= Decimal("0.05"):
                return tendered, change
    enough = [entry for entry in cash if total is None or abs(entry.value) >= abs(total)]
    return next(iter(enough or cash), None), next(iter(changes), None)


def _method(row: AmountRow, entry: LabelledAmount) -> str:
    return (entry.label or row.label).strip(" :.*-=\t")[:120]


class _Builder:
    """Collects values and evidence by field path."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.evidence: dict[str, Evidence] = {}

    def put(self, name: str, entry: LabelledAmount | None, *, confidence: float | None = None) -> None:
        if entry is not None:
            self.values[name] = entry.printed.text
            self.note(name, entry, confidence)

    def note(self, path: str, entry: LabelledAmount, confidence: float | None = None) -> None:
        sure = entry.confidence if confidence is None else confidence
        self.evidence[path] = Evidence(entry.seen or entry.printed.text, entry.page, entry.box, round(min(1.0, max(0.0, sure)), 4))


def _put_charges(part: _Builder, charges: Charges) -> None:
    for name, entry in {
        "subtotal": charges.subtotal,
        "discount_total": charges.discount,
        "tip": charges.tip,
        "service_charge": charges.service,
        "rounding": charges.rounding,
    }.items():
        part.put(name, entry)


def _put_taxes(part: _Builder, taxes: Taxes) -> None:
    if taxes.total is None:
        return
    if taxes.source is not None:
        part.put("tax_total", taxes.source)
    lines = []
    for number, line in enumerate(taxes.lines):
        lines.append(
            {
                "description": line.row.label[:120] or None,
                "code": line.code,
                "rate": f"{line.rate:f}%" if line.rate is not None else None,
                "net_amount": line.net.printed.text if line.net else None,
                "amount": line.amount.printed.text,
            }
        )
        part.note(f"tax_lines[{number}].amount", line.amount)
        if line.net:
            part.note(f"tax_lines[{number}].net_amount", line.net)
    part.values["tax_lines"] = lines


def _put_items(part: _Builder, items: Sequence[FoundItem]) -> None:
    listed: list[Mapping[str, str | None]] = []
    for number, item in enumerate(items):
        listed.append(
            {
                "description": item.description[:120] or None,
                "product_code": item.product_code,
                "quantity": item.quantity,
                "unit_of_measure": item.unit,
                "unit_price": item.unit_price.printed.text if item.unit_price else None,
                "total_price": item.total.printed.text,
            }
        )
        part.evidence[f"items[{number}]"] = Evidence(item.description, item.total.page, item.box, round(item.total.confidence, 3))
        part.note(f"items[{number}].total_price", item.total)
        if item.unit_price:
            part.note(f"items[{number}].unit_price", item.unit_price)
    if listed:
        part.values["items"] = listed


def _put_payments(part: _Builder, payments: Payments) -> None:
    part.put("amount_tendered", payments.tendered)
    part.put("change_given", payments.change)
    listed = []
    for number, payment in enumerate(payments.payments[:10]):
        listed.append({"method": payment.method or None, "amount": payment.amount.printed.text, "card_last4": payment.last4})
        part.note(f"payments[{number}].amount", payment.amount)
    if listed:
        part.values["payments"] = listed


def _put_currency(part: _Builder, rows: AmountRows, total: LabelledAmount | None) -> None:
    """Add the currency mark at the total, else the one that most amounts carry, else the one that most often stands alone."""
    attached = Counter(entry.printed.mark for entry in rows.entries if entry.printed.mark and Role.EXCHANGE not in entry.roles)
    marks: Counter[str] = Counter()
    for row in rows:
        if Role.EXCHANGE not in row.roles and (
            row.entries or row.roles or len(row.text.split()) == 1
        ):  # elsewhere `OMR` is the name of a road
            marks.update(mark.text for mark in find_marks(row.text))
    if total is not None and total.printed.mark:
        mark, source = total.printed.mark, total
    elif attached:
        mark = attached.most_common(1)[0][0]
        source = next(entry for entry in rows.entries if entry.printed.mark == mark)
    elif marks:
        part.values["currency"] = marks.most_common(1)[0][0]
        return
    else:
        return
    part.values["currency"] = mark.strip()
    part.evidence["currency"] = Evidence(mark.strip(), source.page, source.box, round(source.confidence, 3))
