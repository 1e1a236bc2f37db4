"""Which of a receipt's rows are the merchant's address."""

from collections.abc import Sequence

from extractor.readers.ocr.header_rows import HeaderRow

_ADDRESS = {"street", "postal", "place", "house"}
_OTHER = {"phone", "registration", "title", "till", "date", "time", "amount", "web"}


def find_address(rows: Sequence[HeaderRow], merchant: HeaderRow | None) -> tuple[tuple[HeaderRow, ...], float]:
    """The pieces of the address in print order, with the probability that they are all of it and nothing else; none where none is printed."""
    start = merchant.index + 1 if merchant else 0
    found: list[HeaderRow] = []
    for row in rows[start : start + 10]:
        if row.classes & _ADDRESS and not row.classes & _OTHER:
            found.append(row)
        elif found:
            break
    return tuple(found), 0.6
