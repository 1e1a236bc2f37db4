"""All money fields of a receipt, as printed, each with its evidence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final

from extractor.ocr.interface import Transcript
from extractor.printed.amounts import DecimalMark
from extractor.printed.currencies import find_marks
from extractor.printed.keywords import Role
from extractor.readers.interface import Evidence
from extractor.readers.ocr.charges import Charges, find_charges
from extractor.readers.ocr.conversions import without_conversions
from extractor.readers.ocr.fuel import find_fuel, with_grade
from extractor.readers.ocr.items import find_items
from extractor.readers.ocr.part import Part
from extractor.readers.ocr.payments import Payments, find_payments
from extractor.readers.ocr.repair import is_contested, is_unread, repair_items, repair_subtotal
from extractor.readers.ocr.rows import Entry, Rows, read_rows
from extractor.readers.ocr.slots import FoundItem
from extractor.readers.ocr.sums import Sums
from extractor.readers.ocr.taxes import Taxes, find_taxes
from extractor.readers.ocr.totals import choose_total

MOST: Final = 1500
"""Amounts of the longest receipt whose money is read: which of them add up is searched among all pairs. Bank statements have more."""
FEW: Final = 3
"""Below this, items that do not add up may be a misunderstood pump receipt."""
IN_DOUBT: Final = 0.5
"""Confidence of a total that is printed under the label of one in another way, at most: sums that share its misread digit prove nothing."""


def read_amounts(transcripts: Sequence[Transcript], mark: DecimalMark | None = None) -> Part:
    """Items, taxes, charges, total, payments and currency mark of the receipt on these pages; fields that are not printed are left out.

    Where there are more than `MOST` amounts, all are left out, so that a person looks.

    Args:
        mark: The decimal mark, where it is known from elsewhere.
    """
    rows = without_conversions(read_rows(transcripts, mark))
    if len(rows.entries) > MOST:
        return Part({}, {})
    money = _read_money(rows)
    part = _Builder()
    if money.total is not None:
        part.put("total", money.total, confidence=money.confidence)
    _put_charges(part, money.charges)
    _put_taxes(part, money.taxes)
    _put_items(part, money.items)
    _put_payments(part, money.payments)
    _put_currency(part, money.rows, money.total)
    return Part(part.values, part.evidence)


@dataclass(frozen=True)
class _Money:
    rows: Rows
    total: Entry | None
    confidence: float
    taxes: Taxes
    charges: Charges
    items: Sequence[FoundItem]
    payments: Payments


def _read_money(rows: Rows) -> _Money:
    """The total first, since all else is judged by whether it leads to it; then taxes, charges, items and payments."""
    sums = Sums(rows)
    choices = choose_total(rows, sums)
    total = choices[0].candidate.best if choices else None
    is_in_doubt = bool(choices) and (is_contested(choices, rows.mark) or is_unread(choices[0], rows))
    confidence = min(choices[0].confidence, IN_DOUBT if is_in_doubt else 1.0) if choices else 0.0
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


def _less_charges(total: Decimal | None, taxes: Taxes, charges: Charges) -> list[Decimal]:
    """What the items may add up to where no subtotal is printed: the total less any of tax, service, tip and rounding."""
    if not total:
        return []
    found = {total}
    for charge in (taxes.total, *(entry.value for entry in (charges.service, charges.tip, charges.rounding) if entry is not None)):
        found |= {base - charge for base in found} if charge else set()
    return sorted(value for value in found - {total} if value * total > 0)


def _items(rows: Rows, known: Sequence[Entry], taxes: Taxes, charges: Charges, total: Decimal | None) -> Sequence[FoundItem]:
    extras = [charges.service, charges.tip, charges.rounding, taxes.source, *(line.amount for line in taxes.lines)]
    taken = {entry.row for entry in extras if entry is not None}
    items = find_items(rows, known, _less_charges(total, taxes, charges), taken)
    is_closed = sum((item.total.value for item in items), Decimal(0)) in {entry.value for entry in known}
    fuel = find_fuel(rows, known) if len(items) < FEW and not is_closed else None
    return (fuel,) if fuel is not None else with_grade(rows, items)


class _Builder:
    """Collects values and evidence by path."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.evidence: dict[str, Evidence] = {}

    def put(self, name: str, entry: Entry | None, *, confidence: float | None = None) -> None:
        if entry is not None:
            self.values[name] = entry.printed.text
            self.note(name, entry, confidence)

    def note(self, path: str, entry: Entry, confidence: float | None = None) -> None:
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


def _put_currency(part: _Builder, rows: Rows, total: Entry | None) -> None:
    """The mark at the total, else the one that most amounts carry, else the one that stands alone most often."""
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
