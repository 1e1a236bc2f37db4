"""The tables, as SQLAlchemy maps them. Only the job queue and the receipt repository import this; rows never leave those two.

Money is an integer in minor units (cents) of the receipt's currency; an unknown currency counts as one with two digits.
Numbers that may have more digits than a currency has (quantities, unit prices such as 1.659 for fuel, tax rates, the amounts of
checks) are exact decimal text. `receipts.record_json` holds the whole record, and records are read back from it, so that nothing is
rounded. All other columns repeat parts of it for queries; `ReceiptRepository.altered` finds those that differ.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import BLOB, CheckConstraint, Computed, Dialect, ForeignKey, Index, Text, TypeDecorator, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcText(TypeDecorator[datetime]):
    """A time as ISO 8601 text in UTC, which SQLite's own date functions understand and which sorts."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- SQLAlchemy's signature
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- as above
        return None if value is None else datetime.fromisoformat(value)


class PathBytes(TypeDecorator[Path]):
    """A relative path as the bytes that the file system gave: names need not be UTF-8."""

    impl = BLOB
    cache_ok = True

    def process_bind_param(self, value: Path | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 -- SQLAlchemy's signature
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Path | None:  # noqa: ARG002 -- as above
        return None if value is None else Path(os.fsdecode(value))


class TextList(TypeDecorator[tuple[str, ...]]):
    """Strings as a JSON array, for SQLite's `json_each`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- SQLAlchemy's signature
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002 -- as above
        return None if value is None else tuple(json.loads(value))


class Base(DeclarativeBase):
    """All tables' metadata."""

    type_annotation_map = {str: Text, datetime: UtcText, Path: PathBytes, tuple[str, ...]: TextList}  # noqa: RUF012 -- SQLAlchemy's attribute


# Conditions of partial indexes as SQL text: SQLite uses such an index only for a query that has the same condition.
LIVING = "state in ('queued', 'reading', 'stored', 'done')"  # jobs of which no other may have the same content
REFUSED = "error_kind = 'Refused'"


class JobRow(Base):
    """One file between inbox and outbox; see `extractor.storage.database.job_queue`."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("state in ('queued', 'reading', 'stored', 'done', 'failed', 'duplicate', 'withdrawn')", name="known_state"),
        Index("one_open_job_a_path", "path", unique=True, sqlite_where=text("filed_at is null")),
        Index(
            "one_job_a_content",
            "sha256",
            unique=True,
            sqlite_where=text("state in ('queued', 'reading', 'stored', 'done') and sha256 is not null"),
        ),
        Index("jobs_due", "state", "next_attempt_at", "id", sqlite_where=text("filed_at is null")),
        Index("jobs_state", "state", "filed_at"),
        Index("jobs_filed", "filed_as"),
        Index("jobs_refused", "path", sqlite_where=text(REFUSED)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    receipt_id: Mapped[str] = mapped_column(unique=True)
    path: Mapped[Path]
    name: Mapped[str]
    sha256: Mapped[str | None]
    size_bytes: Mapped[int]
    tags: Mapped[tuple[str, ...]]
    received_at: Mapped[datetime]
    state: Mapped[str]
    worker: Mapped[str | None]
    lease_until: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(default=0)
    interruptions: Mapped[int] = mapped_column(default=0)
    waits: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[float]
    error_kind: Mapped[str | None]
    error_message: Mapped[str | None]
    duplicate_of: Mapped[str | None]
    filed_as: Mapped[str | None]
    filed_at: Mapped[datetime | None]


class ReceiptRow(Base):
    """One record: the columns that queries want, and the whole of it as JSON."""

    __tablename__ = "receipts"
    __table_args__ = (
        Index("receipts_twins", "merchant_key", "transaction_date", "total_minor"),
        Index("receipts_status", "status", "receipt_id"),
        Index("receipts_day", "day"),
        Index("receipts_duplicates", "duplicate_of", sqlite_where=text("duplicate_of is not null")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    receipt_id: Mapped[str] = mapped_column(unique=True)
    source_sha256: Mapped[str] = mapped_column(index=True)
    original_filename: Mapped[str]
    tags: Mapped[tuple[str, ...]]
    received_at: Mapped[datetime]
    status: Mapped[str]
    duplicate_of: Mapped[str | None]
    document_type: Mapped[str | None]
    merchant_name: Mapped[str | None]
    merchant_key: Mapped[str | None]
    merchant_address: Mapped[str | None]
    merchant_phone: Mapped[str | None]
    merchant_tax_id: Mapped[str | None]
    merchant_country: Mapped[str | None]
    receipt_number: Mapped[str | None]
    transaction_date: Mapped[str | None] = mapped_column(index=True)
    transaction_time: Mapped[str | None]
    date_ambiguous: Mapped[bool]
    currency_code: Mapped[str | None]
    minor_factor: Mapped[int]
    locale: Mapped[str | None]
    category: Mapped[str | None]
    is_refund: Mapped[bool]
    subtotal_minor: Mapped[int | None]
    discount_total_minor: Mapped[int | None]
    tax_total_minor: Mapped[int | None]
    tax_included: Mapped[bool | None]
    tip_minor: Mapped[int | None]
    service_charge_minor: Mapped[int | None]
    rounding_minor: Mapped[int | None]
    total_minor: Mapped[int | None]
    amount_tendered_minor: Mapped[int | None]
    change_given_minor: Mapped[int | None]
    reader: Mapped[str]
    model: Mapped[str | None]
    prompt_version: Mapped[str | None]
    schema_version: Mapped[str]
    ocr_text: Mapped[str | None]
    record_json: Mapped[str]
    day: Mapped[str | None] = mapped_column(Computed("coalesce(transaction_date, substr(received_at, 1, 10))", persisted=False))


class _Part:
    """Columns of every part of a receipt: its receipt, and its place in print order, from 0."""

    receipt_id: Mapped[str] = mapped_column(ForeignKey("receipts.receipt_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)


class ItemRow(_Part, Base):
    """One line item."""

    __tablename__ = "items"

    description: Mapped[str | None]
    product_code: Mapped[str | None]
    quantity: Mapped[str | None]
    unit_of_measure: Mapped[str | None]
    unit_price: Mapped[str | None]
    discount_minor: Mapped[int | None]
    total_price_minor: Mapped[int | None]
    tax_rate: Mapped[str | None]
    tax_code: Mapped[str | None]
    kind: Mapped[str]


class TaxLineRow(_Part, Base):
    """One tax at one rate."""

    __tablename__ = "tax_lines"

    description: Mapped[str | None]
    code: Mapped[str | None]
    rate: Mapped[str | None]
    net_amount_minor: Mapped[int | None]
    amount_minor: Mapped[int | None]


class PaymentRow(_Part, Base):
    """One means of payment."""

    __tablename__ = "payments"

    method: Mapped[str | None]
    amount_minor: Mapped[int | None]
    card_network: Mapped[str | None]
    card_last4: Mapped[str | None]


class CheckRow(_Part, Base):
    """One check of the receipt against itself."""

    __tablename__ = "checks"

    name: Mapped[str]
    expected: Mapped[str | None]
    actual: Mapped[str | None]
    tolerance: Mapped[str | None]
    passed: Mapped[bool]


class ReviewReasonRow(_Part, Base):
    """One thing that a person has to check."""

    __tablename__ = "review_reasons"

    field: Mapped[str]
    kind: Mapped[str]
    message: Mapped[str]


class AttemptRow(_Part, Base):
    """One question to a reader; the box is that of the enlarged part, in fractions of the page."""

    __tablename__ = "attempts"

    rung: Mapped[str]
    fields: Mapped[tuple[str, ...]]
    changed: Mapped[tuple[str, ...]]
    seconds: Mapped[float]
    tokens: Mapped[int | None]
    error: Mapped[str | None]
    page: Mapped[int | None]
    box_left: Mapped[float | None]
    box_top: Mapped[float | None]
    box_right: Mapped[float | None]
    box_bottom: Mapped[float | None]
    samples: Mapped[int] = mapped_column(server_default=text("1"))


class FieldRow(Base):
    """The evidence of one field; the box is in fractions of the page."""

    __tablename__ = "fields"

    receipt_id: Mapped[str] = mapped_column(ForeignKey("receipts.receipt_id", ondelete="CASCADE"), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    raw_text: Mapped[str | None]
    confidence: Mapped[float | None]
    origin: Mapped[str | None]
    page: Mapped[int | None]
    box_left: Mapped[float | None]
    box_top: Mapped[float | None]
    box_right: Mapped[float | None]
    box_bottom: Mapped[float | None]
    state: Mapped[str]
    looks: Mapped[int] = mapped_column(server_default=text("1"))
    agreement: Mapped[float | None]
