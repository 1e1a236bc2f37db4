"""A receipt as typed, normalised values. Every value may be null; none is invented."""

from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from extractor.schemas.answer import DocumentType
from extractor.schemas.values import Amount, CountryCode, CurrencyCode, Frozen

Text = Annotated[str, Field(max_length=300)]
TaxRate = Annotated[Amount, Field(description="Per cent: 19 for 19 %.")]


class ItemKind(StrEnum):
    """What a line item is."""

    ITEM = "item"
    DISCOUNT = "discount"
    DEPOSIT = "deposit"
    FEE = "fee"
    RETURN = "return"


class Item(Frozen):
    """One line item; amounts are in the receipt's currency and negative where they are given back."""

    description: Text | None = None
    product_code: Text | None = None
    quantity: Amount | None = None
    unit_of_measure: Text | None = None
    unit_price: Amount | None = None
    discount: Amount | None = Field(default=None, description="Magnitude of a discount that total_price already contains.")
    total_price: Amount | None = None
    tax_rate: TaxRate | None = None
    tax_code: Text | None = None
    kind: ItemKind = ItemKind.ITEM


class TaxLine(Frozen):
    """One tax at one rate."""

    description: Text | None = None
    code: Text | None = None
    rate: TaxRate | None = None
    net_amount: Amount | None = None
    amount: Amount | None = None


class Payment(Frozen):
    """One payment: its means and its amount."""

    method: Text | None = None
    amount: Amount | None = None
    card_network: Text | None = None
    card_last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None


class Receipt(Frozen):
    """One receipt's values."""

    document_type: DocumentType | None = None
    merchant_name: Text | None = None
    merchant_address: Text | None = None
    merchant_phone: Text | None = None
    merchant_tax_id: Text | None = None
    merchant_country: CountryCode | None = None
    receipt_number: Text | None = None
    transaction_date: date | None = Field(default=None, description="Where `date_ambiguous` is true: the likelier candidate, if one is.")
    transaction_time: time | None = Field(default=None, description="Local time as printed, without a zone.")
    date_ambiguous: bool = Field(default=False, description="True where the receipt does not decide between day and month.")
    date_candidates: tuple[date, ...] = Field(default=(), description="Every date that the printed text may mean.")
    currency_code: CurrencyCode | None = None
    locale: Annotated[str, Field(max_length=35)] | None = Field(default=None, description="BCP 47 tag, such as de-DE.")
    category: Text | None = None
    is_refund: bool = False
    items: tuple[Item, ...] = ()
    subtotal: Amount | None = None
    discount_total: Amount | None = Field(default=None, description="Magnitude of the discounts on the whole receipt.")
    tax_total: Amount | None = None
    tax_lines: tuple[TaxLine, ...] = ()
    tax_included: bool | None = Field(default=None, description="True where printed prices contain the tax.")
    tip: Amount | None = None
    service_charge: Amount | None = None
    rounding: Amount | None = None
    total: Amount | None = None
    payments: tuple[Payment, ...] = ()
    amount_tendered: Amount | None = None
    change_given: Amount | None = None


def amounts_of(receipt: Receipt) -> dict[str, Decimal]:
    """The receipt's own amounts by field name (not those of items, taxes and payments), where they have a value."""
    names = ("subtotal", "discount_total", "tax_total", "tip", "service_charge", "rounding", "total", "amount_tendered", "change_given")
    return {name: value for name in names if (value := getattr(receipt, name)) is not None}
