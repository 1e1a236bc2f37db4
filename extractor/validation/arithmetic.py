"""Checks of a receipt against its own arithmetic, and of its date. Pure.

Receipts print their arithmetic in several consistent ways (tax inside or on top, discounts above or below the subtotal, cash rounding), so
a check passes if any of them adds up. What a failed check means is decided in `extractor.validation.decision`.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from types import MappingProxyType

from extractor.parsing.currencies import cash_steps
from extractor.schemas.receipt import Receipt, TaxLine
from extractor.schemas.record import Check, CheckName
from extractor.schemas.values import clamped, minor_digits

# Cash rounding of a currency with cents that has no step in `parsing/data/currencies.toml`: the most common one. It is also the smallest
# step there; amounts in larger steps have to be multiples of them.
CENT_STEP = Decimal("0.05")

# Receipts with machine-readable dates are younger; an older date is a misread year.
OLDEST = date(1990, 1, 1)

# By country, the name of a tax that was introduced recently, and its first day: a receipt that prints it is not older.
# Source: the countries' tax authorities.
TAXES_SINCE: Mapping[str, tuple[str, date]] = MappingProxyType(
    {
        "AE": ("vat", date(2018, 1, 1)),
        "AU": ("gst", date(2000, 7, 1)),
        "BH": ("vat", date(2019, 1, 1)),
        "IN": ("gst", date(2017, 7, 1)),
        "MY": ("gst", date(2015, 4, 1)),
        "SA": ("vat", date(2018, 1, 1)),
    }
)


def run_checks(receipt: Receipt, *, today: date) -> tuple[Check, ...]:
    """Every check that the receipt allows, passed or not.

    Args:
        today: Date of the reading, in local time; a later date is implausible (one day is left for time zones).
    """
    return (*_arithmetic(receipt), *_plausibility(receipt, today))


def tolerance_of(receipt: Receipt) -> Decimal:
    """One minor unit of the currency: rounding of single lines adds up to that in ordinary receipts."""
    return Decimal(1).scaleb(-minor_digits(receipt.currency_code))


def cash_step(currency_code: str | None) -> Decimal:
    """What totals in this currency are rounded to when they are paid in cash; 0 where they are not rounded."""
    has_cents = minor_digits(currency_code) == 2
    return cash_steps().get(currency_code or "", CENT_STEP if has_cents else Decimal(0))


def _cash_tolerance(receipt: Receipt, paid: Decimal) -> Decimal:
    """How far an amount that was paid may be from the amount due, because cash is rounded."""
    step = cash_step(receipt.currency_code)
    return min(step, CENT_STEP) if step > CENT_STEP and paid % step else step


def _arithmetic(receipt: Receipt) -> list[Check]:
    found = [_total_sum(receipt), _items_sum(receipt), _cash(receipt), _payments_sum(receipt), _tax_sum(receipt)]
    checks = [check for check in found if check]
    checks += [check for index, line in enumerate(receipt.tax_lines) if (check := _tax_line(index, line, tolerance_of(receipt)))]
    checks += _item_products(receipt)
    return checks


def _closest(name: CheckName | str, actual: Decimal, expected: Iterable[Decimal], tolerance: Decimal) -> Check:
    """The check against the nearest of several amounts that would be right."""
    nearest = min(expected, key=lambda amount: abs(amount - actual))
    passed = abs(nearest - actual) <= tolerance
    return Check(name=name, expected=clamped(nearest), actual=clamped(actual), tolerance=tolerance, passed=passed)


def _optional(*amounts: Decimal | None) -> list[tuple[Decimal, ...]]:
    """Every combination of counting each printed amount in or not."""
    return list(product(*[(Decimal(0),) if not amount else (Decimal(0), amount) for amount in amounts]))


def _extras(receipt: Receipt, taxes: Iterable[Decimal]) -> list[Decimal]:
    """What may be between the goods and the total: one of the taxes, with tip, service, rounding and discount each counted or not."""
    discount = -receipt.discount_total if receipt.discount_total else None
    others = _optional(receipt.tip, receipt.service_charge, receipt.rounding, discount)
    return [tax + sum(choice, Decimal(0)) for tax in taxes for choice in others]


def _taxes_on_top(receipt: Receipt) -> list[Decimal]:
    """The tax that the total may hold beyond the subtotal: all of it where a rate proves that the subtotal is net, otherwise all or none.

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
    """`subtotal + tax + tip + service + rounding - discount = total`, each extra inside the subtotal or on top of it.

    In some countries cash is rounded without a line for it on the receipt.
    """
    if receipt.total is None or receipt.subtotal is None:
        return None
    sums = [receipt.subtotal + extra for extra in _extras(receipt, _taxes_on_top(receipt))]
    step = cash_step(receipt.currency_code)
    if receipt.amount_tendered is not None and receipt.rounding is None and step:
        sums += [(amount / step).quantize(Decimal(1)) * step for amount in sums]
    return _closest(CheckName.TOTAL_SUM, receipt.total, sums, tolerance_of(receipt))


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
        # Also where the subtotal is net, the prices of the items may contain the tax.
        sums += [receipt.total - extra for extra in _extras(receipt, {Decimal(0), receipt.tax_total or Decimal(0)})]
    return _closest(CheckName.ITEMS_SUM, goods, sums, tolerance_of(receipt))


def _cash(receipt: Receipt) -> Check | None:
    """Cash handed over less change is the total, within the cash rounding of the currency."""
    if receipt.amount_tendered is None or receipt.change_given is None or receipt.total is None:
        return None
    due = [receipt.total + extra for (extra,) in _optional(receipt.tip)]
    paid = receipt.amount_tendered - receipt.change_given
    return _closest(CheckName.CASH, paid, due, _cash_tolerance(receipt, paid))


def _payments_sum(receipt: Receipt) -> Check | None:
    """Payments add up to the total, with the tip where it is paid with them; cash may exceed it by the change."""
    amounts = [payment.amount for payment in receipt.payments if payment.amount is not None]
    if not amounts or receipt.total is None:
        return None
    paid = sum(amounts, Decimal(0))
    due = [receipt.total + tip + change for tip, change in _optional(receipt.tip, receipt.change_given)]
    return _closest(CheckName.PAYMENTS_SUM, paid, due, _cash_tolerance(receipt, paid))


def _tax_sum(receipt: Receipt) -> Check | None:
    """The taxes by rate add up to the printed tax total."""
    amounts = [line.amount for line in receipt.tax_lines if line.amount is not None]
    if not amounts or receipt.tax_total is None:
        return None
    return _closest(CheckName.TAX_SUM, receipt.tax_total, [sum(amounts, Decimal(0))], tolerance_of(receipt))


def _tax_line(index: int, line: TaxLine, tolerance: Decimal) -> Check | None:
    """Rate times net is the tax; where the printed base is gross, the tax is inside it."""
    if line.rate is None or line.net_amount is None or line.amount is None or line.rate <= 0:
        return None
    on_top = line.net_amount * line.rate / 100
    inside = line.net_amount * line.rate / (100 + line.rate)
    places = Decimal(1).scaleb(-4)
    return _closest(f"tax_lines[{index}]", line.amount, [on_top.quantize(places), inside.quantize(places)], 2 * tolerance)


def _item_products(receipt: Receipt) -> list[Check]:
    """Quantity times unit price is the row's total, before or after its discount."""
    checks = []
    for index, item in enumerate(receipt.items):
        if item.quantity is None or item.unit_price is None or item.total_price is None:
            continue
        full = item.quantity * item.unit_price
        sums = [(full - extra).quantize(Decimal(1).scaleb(-4)) for (extra,) in _optional(item.discount)]
        checks.append(_closest(f"items[{index}]", item.total_price, [*sums, *(-amount for amount in sums)], tolerance_of(receipt)))
    return checks


def _plausibility(receipt: Receipt, today: date) -> list[Check]:
    day, first = receipt.transaction_date, _first_day(receipt)
    if day is None:
        return []
    expected = f"not before {first.isoformat()}" if day < first else f"not after {today.isoformat()}"
    passed = first <= day <= today + timedelta(days=1)
    return [Check(name=CheckName.DATE_PLAUSIBLE, expected=expected, actual=day.isoformat(), passed=passed)]


def _first_day(receipt: Receipt) -> date:
    """The first day on which a receipt with such taxes could be printed."""
    word, since = TAXES_SINCE.get(receipt.merchant_country or "", ("", OLDEST))
    is_printed = any(word in (line.description or "").casefold() for line in receipt.tax_lines)
    return since if is_printed else OLDEST
