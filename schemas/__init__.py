"""The public data types: the answer a reader gives, the receipt it means, and the record that is stored."""

from extractor.schemas.answer import ReceiptAnswer
from extractor.schemas.receipt import Item, Payment, Receipt, TaxLine
from extractor.schemas.record import CheckName, ReasonKind, Record, RecordStatus

__all__ = ["CheckName", "Item", "Payment", "ReasonKind", "Receipt", "ReceiptAnswer", "Record", "RecordStatus", "TaxLine"]
