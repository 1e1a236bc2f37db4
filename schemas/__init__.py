"""What we promise to users: the answer a reader may give, the receipt it means, and the record we file."""

from extractor.schemas.answer import ReceiptAnswer
from extractor.schemas.receipt import Item, Payment, Receipt, TaxLine
from extractor.schemas.record import Record, RecordStatus

__all__ = ["Item", "Payment", "Receipt", "ReceiptAnswer", "Record", "RecordStatus", "TaxLine"]
