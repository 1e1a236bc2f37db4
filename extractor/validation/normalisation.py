"""Printed text becomes values: decimal mark, date order and currency are decided once, from the whole receipt. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from itertools import chain
from typing import Any

from extractor.config.settings import LocaleSettings
from extractor.ocr.transcript import Box, Transcript
from extractor.parsing.amounts import DecimalMark, decimal_mark, find_percentages, parse_amount
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.locale.resolution import LocaleGuess, weigh_locale
from extractor.parsing.times import find_times
from extractor.readers.base import Evidence, Issue
from extractor.schemas.answer import DocumentType, ItemAnswer, PaymentAnswer, ReceiptAnswer, TaxLineAnswer
from extractor.schemas.receipt import Item, ItemKind, Payment, Receipt, TaxLine
from extractor.schemas.values import MAX_AMOUNT, FieldEvidence, FieldState, Origin, clamped

AMOUNT_FIELDS = ("subtotal", "tax_total", "tip", "service_charge", "rounding", "total", "amount_tendered")
MAGNITUDE_FIELDS = ("discount_total", "change_given")
"""Amounts whose sign printers choose freely: the field's name says which way they count."""

TEXT_FIELDS = ("document_type", "merchant_name", "merchant_address", "merchant_phone", "merchant_tax_id", "receipt_number")
CARD_NETWORKS = {
    "visa": "Visa", "mastercard": "Mastercard", "master card": "Mastercard", "maestro": "Maestro", "amex": "American Express",
    "american express": "American Express", "girocard": "girocard", "discover": "Discover", "jcb": "JCB", "unionpay": "UnionPay",
}  # fmt: skip


@dataclass(frozen=True)
class Normalised:
    """A receipt's values, what each rests on, and what could not be understood."""

    receipt: Receipt
    fields: Mapping[str, FieldEvidence]
    issues: tuple[Issue, ...] = ()


def normalise(
    answer: ReceiptAnswer,
    evidence: Mapping[str, Evidence],
    transcripts: Sequence[Transcript],
    *,
    origin: Origin,
    preferences: LocaleSettings,
) -> Normalised:
    """The values that an answer means, decided from the answer and all text of the pages together.

    A text that cannot be understood leaves its value null, is kept in `raw_text`, and becomes an issue.

    Args:
        evidence: By answer path; fields without evidence get none but the text.
        transcripts: One a page; they decide the locale and turn evidence boxes into fractions of the page.
        origin: Who read the answer.
        preferences: Tie-breaks for what the receipt does not decide.
    """
    texts = [*(line.text for transcript in transcripts for line in transcript.lines), *_texts_of(answer)]
    locale = weigh_locale(texts, mark=answer.currency, preferences=preferences)
    work = _Work(answer, evidence, transcripts, origin, locale, locale.decimal_mark or decimal_mark(texts))
    return work.done()


def _texts_of(answer: ReceiptAnswer) -> list[str]:
    """Every text of the answer: the witness may have missed what a model saw."""
    plain = [value for name in ReceiptAnswer.model_fields if isinstance(value := getattr(answer, name), str)]
    rows = chain(answer.items, answer.tax_lines, answer.payments)
    return [*plain, *(value for row in rows for value in row.model_dump().values() if isinstance(value, str))]


@dataclass
class _Work:
    """One normalisation on its way; lives for one call."""

    answer: ReceiptAnswer
    evidence: Mapping[str, Evidence]
    transcripts: Sequence[Transcript]
    origin: Origin
    locale: LocaleGuess
    mark: DecimalMark | None
    fields: dict[str, FieldEvidence] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def done(self) -> Normalised:
        values: dict[str, Any] = {name: self._text(name) for name in TEXT_FIELDS}
        values |= {name: self._amount(name, getattr(self.answer, name)) for name in AMOUNT_FIELDS}
        values |= {name: _magnitude(self._amount(name, getattr(self.answer, name))) for name in MAGNITUDE_FIELDS}
        values |= self._date() | self._time() | self._place()
        values["items"] = tuple(self._item(index, row) for index, row in enumerate(self.answer.items))
        values["tax_lines"] = tuple(self._tax_line(index, row) for index, row in enumerate(self.answer.tax_lines))
        values["payments"] = tuple(self._payment(index, row) for index, row in enumerate(self.answer.payments))
        values["total"] = _as_bought(values)
        values |= _as_handed_over(values)
        self._sum_up_taxes(values)
        values["tax_included"] = _tax_included(values)
        values["is_refund"] = values["document_type"] is DocumentType.REFUND or (values["total"] or 0) < 0
        self._note_absences()
        return Normalised(Receipt(**values), self.fields, tuple(self.issues))

    def _note(self, path: str, text: str, *, answer_path: str | None = None, state: FieldState = FieldState.OK) -> None:
        """File what a field rests on."""
        seen = self.evidence.get(answer_path or path)
        self.fields[path] = FieldEvidence(
            raw_text=(seen.text if seen else text)[:2000],
            confidence=seen.confidence if seen else None,
            origin=self.origin,
            page=seen.page if seen else None,
            box=self._fractions(seen) if seen else None,
            state=state,
        )

    def _fractions(self, seen: Evidence) -> tuple[float, float, float, float] | None:
        if seen.box is None or not 0 <= seen.page < len(self.transcripts):
            return None
        return fractions(seen.box, self.transcripts[seen.page])

    def _not_understood(self, path: str, text: str, what: str) -> None:
        self._note(path, text, state=FieldState.UNREADABLE)
        self.issues.append(Issue(path, "unreadable", f"{text!r} was read here, which is not {what}. Look again.", blocking=False))

    def _text(self, name: str) -> Any:
        value = getattr(self.answer, name)
        if value is None or not value.strip():
            return None
        self._note(name, value)
        return value if isinstance(value, DocumentType) else " ".join(value.split())

    def _amount(self, path: str, text: str | None, *, is_noted: bool = True) -> Decimal | None:
        if text is None or not text.strip():
            return None
        value = parse_amount(text, self.mark)
        if value is None or abs(value) > MAX_AMOUNT:
            self._not_understood(path, text, "an amount")
            return None
        if is_noted:
            self._note(path, text)
        return value

    def _date(self) -> dict[str, Any]:
        text = self.answer.transaction_date
        if text is None or not text.strip():
            return {}
        found = find_dates(text)
        if not found:
            self._not_understood("transaction_date", text, "a date")
            return {}
        self._note("transaction_date", text)
        days = sorted(self.locale.days_of(found[0]))
        likeliest: date | None = self.locale.likeliest_day(found[0])
        return {"transaction_date": likeliest, "date_ambiguous": len(days) > 1, "date_candidates": tuple(days) if len(days) > 1 else ()}

    def _time(self) -> dict[str, time]:
        text = self.answer.transaction_time
        if text is None or not text.strip():
            return {}
        found = find_times(text)
        if not found:
            self._not_understood("transaction_time", text, "a time")
            return {}
        self._note("transaction_time", text)
        return {"transaction_time": found[0].value}

    def _place(self) -> dict[str, Any]:
        if self.locale.currency:
            self._note("currency_code", self.answer.currency or self.locale.currency, answer_path="currency")
            self.fields["currency_code"] = self.fields["currency_code"].model_copy(update={"confidence": self.locale.currency_confidence})
            if not self.locale.is_currency_decided:
                self.issues.append(Issue("currency_code", "ambiguous", _likely_currency(self.locale)))
        return {"currency_code": self.locale.currency, "merchant_country": self.locale.country, "locale": self.locale.tag}

    def _item(self, index: int, row: ItemAnswer) -> Item:
        path = f"items[{index}]"
        total, discount = self._amount(f"{path}.total_price", row.total_price), self._amount(f"{path}.discount", row.discount)
        return Item(
            description=" ".join(row.description.split()) if row.description else None,
            product_code=row.product_code,
            quantity=self._amount(f"{path}.quantity", row.quantity, is_noted=False),
            unit_of_measure=row.unit_of_measure,
            unit_price=self._amount(f"{path}.unit_price", row.unit_price, is_noted=False),
            discount=_magnitude(discount),
            total_price=total,
            tax_code=row.tax_code,
            kind=_kind_of(total),
        )

    def _tax_line(self, index: int, row: TaxLineAnswer) -> TaxLine:
        path = f"tax_lines[{index}]"
        rates = find_percentages(row.rate) or find_percentages(f"{row.rate}%") if row.rate else ()
        return TaxLine(
            description=row.description,
            code=row.code,
            rate=rates[0] if rates else None,
            net_amount=self._amount(f"{path}.net_amount", row.net_amount),
            amount=self._amount(f"{path}.amount", row.amount),
        )

    def _payment(self, index: int, row: PaymentAnswer) -> Payment:
        method = " ".join(row.method.split()) if row.method else None
        network = _card_network(method or "")
        amount = self._amount(f"payments[{index}].amount", row.amount)
        return Payment(method=method, amount=amount, card_network=network, card_last4=row.card_last4)

    def _sum_up_taxes(self, values: dict[str, Any]) -> None:
        """Where only the taxes by rate are printed, their sum is the tax total."""
        amounts = [line.amount for line in values["tax_lines"]]
        if values["tax_total"] is None and amounts and None not in amounts:
            values["tax_total"] = clamped(sum(amounts, Decimal(0)))
            self.fields["tax_total"] = FieldEvidence(origin=Origin.ARITHMETIC)

    def _note_absences(self) -> None:
        for absence in self.answer.missing:
            path = "currency_code" if absence.field == "currency" else absence.field
            if path not in self.fields:
                self.fields[path] = FieldEvidence(origin=self.origin, state=FieldState(absence.reason))


def fractions(box: Box, transcript: Transcript) -> tuple[float, float, float, float]:
    """A box in fractions of its page, as it is filed; a page without pixels counts as one of one pixel."""
    width, height = max(1, transcript.width), max(1, transcript.height)
    left, top, right, bottom = box
    parts = (left / width, top / height, right / width, bottom / height)
    return tuple(round(min(1.0, max(0.0, part)), 4) for part in parts)  # type: ignore[return-value]  # four parts in, four out


def _likely_currency(locale: LocaleGuess) -> str:
    others = [code for code in locale.currencies if code != locale.currency][:3]
    doubt = f"may be {' or '.join([str(locale.currency), *others])}" if others else f"is probably {locale.currency}"
    return f"The currency {doubt}; the receipt does not decide it. Set [locale] currency, or correct it."


def _magnitude(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else abs(amount)


def _as_bought(values: Mapping[str, Any]) -> Decimal | None:
    """The total, positive where goods of as much were bought: it was read beside a payment that the till books as negative."""
    total: Decimal | None = values["total"]
    if total is None or total >= 0:
        return total
    prices = [item.total_price or Decimal(0) for item in values["items"]]
    return -total if sum(prices, Decimal(0)) == -total else total


def _as_handed_over(values: Mapping[str, Any]) -> dict[str, Any]:
    """Payments and cash as positive amounts where something was bought: some tills book all of them as negative."""
    payments = values["payments"]
    if (values["total"] or 0) <= 0 or any(payment.amount is not None and payment.amount > 0 for payment in payments):
        return {}
    turned = tuple(payment.model_copy(update={"amount": _magnitude(payment.amount)}) for payment in payments)
    return {"payments": turned, "amount_tendered": _magnitude(values["amount_tendered"])}


def _tax_included(values: Mapping[str, Any]) -> bool | None:
    """Whether printed prices contain the tax; `None` where the receipt shows no tax or the sums do not tell."""
    total, tax, subtotal = values["total"], values["tax_total"], values["subtotal"]
    if total is None or not tax:
        return None
    prices = [item.total_price for item in values["items"] if item.total_price is not None]
    extras = sum((values[name] or Decimal(0) for name in ("tip", "service_charge", "rounding")), Decimal(0)) - (
        values["discount_total"] or 0
    )
    for goods in (sum(prices, Decimal(0)) if prices else None, subtotal):  # a net subtotal may stand below prices that contain the tax
        if goods is not None and goods + extras in {total, total - tax}:
            return bool(goods + extras == total)
    return None


def _kind_of(total: Decimal | None) -> ItemKind:
    return ItemKind.DISCOUNT if total is not None and total < 0 else ItemKind.ITEM


def _card_network(method: str) -> str | None:
    """Return the network of a card that a payment method names as a word, which may run into `card`, `debit` or `credit`."""
    words = "|".join(CARD_NETWORKS)
    match = re.search(rf"(?<![^\W\d_])({words})(?=(?:card|debit|credit|electron)|[\W\d_]|$)", method.casefold())
    return CARD_NETWORKS[match[1]] if match else None
