"""Records in SQLite: saved with their parts, found again whole. The only file that queries them."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Select, bindparam, column, delete, exists, func, insert, select, table, text

from extractor.parsing.text import letters_and_digits
from extractor.runtime.filenames import printable
from extractor.schemas.receipt import amounts_of
from extractor.schemas.record import Record, RecordStatus
from extractor.schemas.values import minor_digits, to_minor
from extractor.storage.database import tables
from extractor.storage.database.connection import Database
from extractor.storage.database.tables import LIVING, Base, JobRow, ReceiptRow

_PLAIN = (
    "receipt_id", "source_sha256", "original_filename", "tags", "received_at", "status", "duplicate_of", "document_type",
    "merchant_name", "merchant_address", "merchant_phone", "merchant_tax_id", "merchant_country", "receipt_number", "date_ambiguous",
    "currency_code", "locale", "category", "is_refund", "tax_included", "reader", "model", "prompt_version", "schema_version", "ocr_text",
)  # fmt: skip
"""Columns that hold the record's field of the same name as it is."""

RECORDS_AT_ONCE = 100

# Statements that every receipt needs are built once: building them costs several times what SQLite needs to run them.
_ROW_ID = select(ReceiptRow.id).where(ReceiptRow.receipt_id == bindparam("receipt_id"))
_JSON = select(ReceiptRow.record_json).where(ReceiptRow.receipt_id == bindparam("receipt_id"))
_JSON_OF_ROWS = select(ReceiptRow.id, ReceiptRow.record_json).where(ReceiptRow.id.in_(bindparam("row_ids", expanding=True)))
_DELETE = delete(ReceiptRow).where(ReceiptRow.id == bindparam("row_id"))
_INSERT: dict[type[Base], Insert] = {
    mapper.class_: insert(Base.metadata.tables[mapper.class_.__tablename__]) for mapper in Base.registry.mappers
}
_INSERT_RECEIPT = _INSERT[ReceiptRow].returning(ReceiptRow.id)
_INSERT_WORDS = text("INSERT INTO receipts_fts (rowid, merchant, items, ocr_text) VALUES (:id, :merchant, :items, :ocr_text)")
_DELETE_WORDS = text("DELETE FROM receipts_fts WHERE rowid = :id")
_TWIN = (
    select(ReceiptRow.receipt_id)
    .where(
        ReceiptRow.merchant_key == bindparam("merchant_key"),
        ReceiptRow.transaction_date == bindparam("transaction_date"),
        ReceiptRow.transaction_time.is_not_distinct_from(bindparam("transaction_time")),
        ReceiptRow.total_minor == bindparam("total_minor"),
        ReceiptRow.currency_code.is_not_distinct_from(bindparam("currency_code")),
        ReceiptRow.source_sha256 != bindparam("source_sha256"),
        ReceiptRow.receipt_id != bindparam("receipt_id"),
        ReceiptRow.duplicate_of.is_distinct_from(bindparam("receipt_id")),
    )
    .order_by(ReceiptRow.receipt_id)
    .limit(1)
)

_WORDS = table("receipts_fts", column("rowid"), column("rank"))


class ReceiptRepository:
    """The records of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, connection: Connection, record: Record) -> Record:
        """The record as saved, in the caller's transaction; it replaces one with the same `receipt_id`.

        `duplicate_of` is proposed where it is not set and another file's record has the same merchant, date, time, total and currency.
        """
        if record.duplicate_of is None and (twin := self._find_twin(connection, record)):
            record = record.model_copy(update={"duplicate_of": twin})
        row_id = connection.scalar(_ROW_ID, {"receipt_id": record.receipt_id})
        if row_id is not None:
            connection.execute(_DELETE_WORDS, {"id": row_id})
            connection.execute(_DELETE, {"row_id": row_id})  # its parts go with it
        row_id = connection.scalar(_INSERT_RECEIPT, _receipt_values(record) | ({"id": row_id} if row_id else {}))
        for part, rows in _parts(record).items():
            if rows:
                connection.execute(_INSERT[part], [{"receipt_id": record.receipt_id} | row for row in rows])
        items = "\n".join(item.description or "" for item in record.items)
        words = {"merchant": record.merchant_name, "items": items, "ocr_text": record.ocr_text}
        connection.execute(_INSERT_WORDS, {"id": row_id} | {name: _words_of(text) for name, text in words.items()})
        return record

    def get(self, receipt_id: str) -> Record | None:
        """The record with this identifier."""
        with self._database.read() as connection:
            record_json = connection.scalar(_JSON, {"receipt_id": printable(receipt_id)})
        return None if record_json is None else Record.model_validate_json(record_json)

    def json_of(self, receipt_ids: Collection[str]) -> dict[str, str]:
        """The records with these identifiers, as the JSON text that the database has, by identifier."""
        found = select(ReceiptRow.receipt_id, ReceiptRow.record_json).where(ReceiptRow.receipt_id.in_(receipt_ids))
        with self._database.read() as connection:
            return {row.receipt_id: row.record_json for row in connection.execute(found)}

    def counts_by_file(self, sha256s: Collection[str]) -> dict[str, int]:
        """How many records there are of each of these files, by the hash of their bytes; those without any are left out."""
        found = select(ReceiptRow.source_sha256, func.count()).where(ReceiptRow.source_sha256.in_(sha256s))
        with self._database.read() as connection:
            rows = connection.execute(found.group_by(ReceiptRow.source_sha256)).all()
        return {row.source_sha256: row[1] for row in rows}

    def without_file(self) -> tuple[str, ...]:
        """Identifiers of records that no file's job belongs to, which only damage can bring about."""
        own = exists().where(JobRow.receipt_id == ReceiptRow.receipt_id)
        of_same_file = exists().where(JobRow.sha256 == ReceiptRow.source_sha256, text(LIVING), JobRow.sha256.is_not(None))
        orphans = select(ReceiptRow.receipt_id).where(~own, ~of_same_file)
        with self._database.read() as connection:
            return tuple(connection.scalars(orphans))

    def list(
        self,
        *,
        status: RecordStatus | None = None,
        since: date | None = None,
        until: date | None = None,
        merchant: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Records that meet all conditions, newest arrival first, one at a time from the database.

        Args:
            status: How far they can be trusted.
            since: First day of the transaction, or of the arrival where the receipt has no date.
            until: Last such day.
            merchant: Part of the merchant's name; case, spaces and punctuation do not matter.
            tag: One of their tags.
            limit: At most so many.
        """
        has_tag = func.json_each(ReceiptRow.tags).table_valued("value")
        conditions: tuple[tuple[object, ColumnElement[bool]], ...] = (
            (status, ReceiptRow.status == status),
            (since, ReceiptRow.day >= str(since)),
            (until, ReceiptRow.day <= str(until)),
            (merchant, ReceiptRow.merchant_key.contains(_key(merchant or ""), autoescape=True)),
            (tag, exists(select(has_tag.c.value).where(has_tag.c.value == printable(tag or "")))),
        )
        chosen = [condition for value, condition in conditions if value is not None]
        return self._records(select(ReceiptRow.id).where(*chosen).order_by(ReceiptRow.receipt_id.desc()).limit(limit))

    def search(self, words: str, *, limit: int | None = None) -> Iterator[Record]:
        """Records with all these words in merchant, items or OCR text, best first. A word also finds longer ones that begin with it."""
        quoted = [f'"{word.replace(chr(34), "")}"*' for word in _words_of(words).split() if any(map(str.isalnum, word))]
        if not quoted:
            return iter(())
        found = select(_WORDS.c.rowid).where(text("receipts_fts MATCH :words").bindparams(words=" ".join(quoted)))
        return self._records(found.order_by(_WORDS.c.rank).limit(limit))

    def counts(self) -> dict[RecordStatus, int]:
        """How many records have each status that any has."""
        with self._database.read() as connection:
            rows = connection.execute(select(ReceiptRow.status, func.count()).group_by(ReceiptRow.status)).all()
        return {RecordStatus(status): count for status, count in rows}

    def _records(self, row_ids: Select[int]) -> Iterator[Record]:
        """The records of these rows, in their order, all of one moment. SQLite sorts row numbers alone, not whole records."""
        with self._database.read() as connection:
            for some in connection.scalars(row_ids).partitions(RECORDS_AT_ONCE):
                found = {row.id: row.record_json for row in connection.execute(_JSON_OF_ROWS, {"row_ids": some})}
                for row_id in some:
                    yield Record.model_validate_json(found[row_id])

    def _find_twin(self, connection: Connection, record: Record) -> str | None:
        """The oldest record of other bytes that seems to be the same receipt; merchant, date and total must be known."""
        key = _key(record.merchant_name)
        if not key or record.transaction_date is None or record.total is None:
            return None
        seen = {
            "merchant_key": key,
            "transaction_date": _iso(record.transaction_date),
            "transaction_time": _iso(record.transaction_time),
            "total_minor": to_minor(record.total, record.currency_code),
            "currency_code": record.currency_code,
            "source_sha256": record.source_sha256,
            "receipt_id": record.receipt_id,
        }
        return connection.scalar(_TWIN, seen)


def _receipt_values(record: Record) -> dict[str, Any]:
    amounts = {f"{name}_minor": to_minor(value, record.currency_code) for name, value in amounts_of(record).items()}
    return {name: getattr(record, name) for name in _PLAIN} | amounts | {
        "merchant_key": _key(record.merchant_name),
        "transaction_date": _iso(record.transaction_date),
        "transaction_time": _iso(record.transaction_time),
        "minor_factor": 10 ** minor_digits(record.currency_code),
        "record_json": record.model_dump_json(),
    }  # fmt: skip


def _parts(record: Record) -> Mapping[type[Base], list[dict[str, Any]]]:
    """The rows of every table that belongs to receipts."""
    return {
        tables.ItemRow: _rows(record, record.items, text=("quantity", "unit_price", "tax_rate"), minor=("discount", "total_price")),
        tables.TaxLineRow: _rows(record, record.tax_lines, text=("rate",), minor=("net_amount", "amount")),
        tables.PaymentRow: _rows(record, record.payments, minor=("amount",)),
        tables.CheckRow: _rows(record, record.checks, text=("expected", "actual", "tolerance")),
        tables.ReviewReasonRow: _rows(record, record.review_reasons),
        tables.AttemptRow: _rows(record, record.attempts),
        tables.FieldRow: [_field_values(path, evidence.model_dump()) for path, evidence in record.fields.items()],
    }


def _rows(record: Record, parts: Any, text: tuple[str, ...] = (), minor: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """One row a part; `text` numbers are kept as exact decimals, `minor` ones in minor units."""
    rows = []
    for position, part in enumerate(parts):
        values = dict(part) | {"position": position}
        for name in text:
            values[name] = format(value, "f") if isinstance(value := values[name], Decimal) else value
        for name in minor:
            value = values.pop(name)
            values[f"{name}_minor"] = None if value is None else to_minor(value, record.currency_code)
        rows.append(values)
    return rows


def _field_values(path: str, evidence: dict[str, Any]) -> dict[str, Any]:
    box = evidence.pop("box") or (None,) * 4
    return evidence | {"path": path} | dict(zip(("box_left", "box_top", "box_right", "box_bottom"), box, strict=True))


def _iso(value: Any) -> str | None:
    return None if value is None else value.isoformat()


def _key(name: str | None) -> str | None:
    """What two spellings of one merchant have in common: letters and digits in lower case."""
    return None if name is None else letters_and_digits(name.casefold())


def _words_of(text: str | None) -> str:
    """The text as it is indexed and searched: digits apart from letters (`RM12.50` is found by `12.50`), no NUL, no lone surrogates."""
    apart = re.sub(r"(?<=[^\W\d_])(?=\d)", " ", text or "")
    return apart.replace("\0", " ").encode("utf-8", "replace").decode()
