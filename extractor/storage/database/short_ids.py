"""Records are found by a part of their identifier, such as the eight characters at the end of a filed file's name."""

from sqlalchemy import or_, select

from extractor.errors import InputError
from extractor.storage.database.connection import Database
from extractor.storage.database.tables import ReceiptRow

# Fewer characters would match by accident: of 100,000 records, six random ones fit another record in one of 10,000 look-ups.
MIN_CHARACTERS = 6
# An ambiguous part is answered with at most so many candidates.
MAX_CANDIDATES = 10


def is_part_of(text: str, receipt_id: str) -> bool:
    """Whether the text is the identifier, or at least six characters from its end or its beginning, in either case."""
    part = text.upper()
    return part == receipt_id or (len(part) >= MIN_CHARACTERS and (receipt_id.endswith(part) or receipt_id.startswith(part)))


def find_receipt_id(database: Database, text: str) -> str:
    """The identifier of the record that the text identifies; see `is_part_of`.

    Raises:
        InputError: No record has such an identifier, or several have.
    """
    part = text.upper() if text.isascii() and text.isalnum() else ""
    column = ReceiptRow.receipt_id
    is_match = column == part
    if len(part) >= MIN_CHARACTERS:
        is_match = or_(is_match, column.endswith(part), column.startswith(part))
    with database.read() as connection:
        found = connection.scalars(select(column).where(is_match).order_by(column).limit(MAX_CANDIDATES + 1)).all()
    if len(found) == 1:
        return found[0]
    if found:
        more = " and others" if len(found) > MAX_CANDIDATES else ""
        raise InputError(
            f"{text} fits several records: {', '.join(found[:MAX_CANDIDATES])}{more}. Give more characters of the one you mean."
        )
    hint = f" Give at least {MIN_CHARACTERS} characters of an id." if len(text) < MIN_CHARACTERS else ""
    raise InputError(f"There is no record {text}.{hint} See the ids with: receipts list")
