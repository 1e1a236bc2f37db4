"""A reader's answer: the receipt's texts as printed, not interpreted. Prompts and grammars are made from its JSON schema."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from extractor.schemas.values import Frozen

Short = Annotated[str, StringConstraints(max_length=40)]
Line = Annotated[str, StringConstraints(max_length=120)]
Block = Annotated[str, StringConstraints(max_length=300)]


class DocumentType(StrEnum):
    """What kind of document the pages show."""

    RECEIPT = "receipt"
    CARD_SLIP = "card_slip"
    REFUND = "refund"
    INVOICE = "invoice"
    FUEL = "fuel"
    HOTEL = "hotel"
    PARKING = "parking"
    OTHER = "other"
    NOT_A_RECEIPT = "not_a_receipt"


class ItemAnswer(Frozen):
    """One line item, each part as printed."""

    description: Line | None
    product_code: Short | None = None
    quantity: Short | None = None
    unit_of_measure: Short | None = None
    unit_price: Short | None = None
    discount: Short | None = None
    total_price: Short | None = None
    tax_code: Short | None = None


class TaxLineAnswer(Frozen):
    """One row of the tax table, or one printed tax amount."""

    description: Line | None = None
    code: Short | None = None
    rate: Short | None = None
    net_amount: Short | None = None
    amount: Short | None = None


class PaymentAnswer(Frozen):
    """One means of payment."""

    method: Line | None
    amount: Short | None = None
    card_last4: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] | None = None


class MissingField(Frozen):
    """A field that the reader did not find, and why."""

    field: Short
    reason: Literal["not_printed", "unreadable", "cut_off"]


class ReceiptAnswer(Frozen):
    """A receipt's texts as printed. `None` means that the reader did not find the field; `missing` may say why."""

    document_type: DocumentType | None = Field(default=None, description="What kind of document this is.")
    merchant_name: Line | None = Field(default=None, description="The shop or company that sold, as printed.")
    merchant_address: Block | None = Field(default=None, description="The seller's address, on one line.")
    merchant_phone: Short | None = Field(default=None, description="The seller's telephone number.")
    merchant_tax_id: Short | None = Field(default=None, description="The seller's VAT, GST or tax registration number.")
    receipt_number: Short | None = Field(default=None, description="Number of this receipt, bill or invoice.")
    transaction_date: Short | None = Field(default=None, description="Date of the sale, as printed.")
    transaction_time: Short | None = Field(default=None, description="Time of the sale, as printed.")
    currency: Short | None = Field(default=None, description="Currency mark or code as printed, such as RM, $, EUR.")
    items: Annotated[tuple[ItemAnswer, ...], Field(max_length=300)] = Field(default=(), description="Line items in print order.")
    subtotal: Short | None = Field(default=None, description="Amount before tax, tip and rounding, as printed.")
    discount_total: Short | None = Field(default=None, description="Sum of discounts on the whole receipt.")
    tax_lines: Annotated[tuple[TaxLineAnswer, ...], Field(max_length=20)] = Field(default=(), description="Printed taxes, one a rate.")
    tax_total: Short | None = Field(default=None, description="Sum of all taxes, if printed.")
    tip: Short | None = Field(default=None, description="Tip or gratuity.")
    service_charge: Short | None = Field(default=None, description="Service charge.")
    rounding: Short | None = Field(default=None, description="Rounding adjustment, with its sign.")
    total: Short | None = Field(default=None, description="Amount that the customer owed in the end.")
    payments: Annotated[tuple[PaymentAnswer, ...], Field(max_length=10)] = Field(default=(), description="How it was paid.")
    amount_tendered: Short | None = Field(default=None, description="Cash handed over.")
    change_given: Short | None = Field(default=None, description="Change handed back.")
    missing: Annotated[tuple[MissingField, ...], Field(max_length=40)] = Field(
        default=(), description="Fields that were looked for and are not there, with the reason."
    )
