"""Which of a receipt's rows name the merchant."""

from collections.abc import Sequence

from extractor.readers.ocr.header_rows import HeaderRow

_NOT_A_NAME = {"title", "till", "greeting", "talk", "web", "date", "time", "phone", "amount"}


def find_merchant(rows: Sequence[HeaderRow]) -> tuple[HeaderRow, float] | None:
    """The piece that names the merchant, with the probability that it does; `None` where nothing reads like a name."""
    for row in rows[:12]:
        if row.is_print and "legal" in row.classes and not row.classes & {"web", "greeting"}:
            return row, 0.8
    for row in rows[:12]:
        if row.is_print and not row.classes & _NOT_A_NAME and row.letters > row.digits:
            return row, 0.6
    return None
