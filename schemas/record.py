"""What we file about a receipt: its values, whether they can be trusted and why, and where they came from."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from extractor.schemas.receipt import Receipt
from extractor.schemas.values import Amount, FieldEvidence, FractionBox, Frozen

SCHEMA_VERSION = "1"


class RecordStatus(StrEnum):
    """How far a record can be trusted."""

    ACCEPTED = "accepted"
    NEEDS_REVIEW = "needs_review"
    CORRECTED = "corrected"
    REJECTED = "rejected"


class Check(Frozen):
    """One test of the receipt against itself."""

    name: str = Field(description="Stable name, such as `subtotal_plus_tax`.")
    expected: Amount | str | None = None
    actual: Amount | str | None = None
    tolerance: Amount | None = None
    passed: bool


class ReviewReason(Frozen):
    """One thing that a person should look at."""

    field: str = Field(description="Path of the field, such as `total` or `items[2].total_price`.")
    kind: str = Field(
        description="`missing`, `unconfirmed`, `conflict`, `ambiguous`, `implausible`, `several_receipts` or `not_a_receipt`."
    )
    message: str = Field(description="The fact and the way out, for a person.")


class Attempt(Frozen):
    """One question put to a reader, and what it brought."""

    rung: str = Field(description="Name of the ladder's rung, `first` for the first question.")
    fields: tuple[str, ...] = Field(description="Fields asked for; empty for all.")
    changed: tuple[str, ...] = Field(default=(), description="Fields whose value this attempt set or confirmed.")
    seconds: Annotated[float, Field(ge=0)] = 0.0
    tokens: int | None = None
    error: str | None = None
    page: int | None = Field(default=None, ge=0, description="Page of which a part was shown enlarged, counted from 0.")
    box: FractionBox | None = Field(default=None, description="That part: left, top, right, bottom as fractions of the page.")
    samples: int = Field(default=1, ge=1, description="Answers drawn, for a vote.")


class Region(Frozen):
    """Where one of several receipts in a file is."""

    number: int = Field(ge=1, description="Which of them, from left to right, from 1.")
    count: int = Field(ge=2, description="How many the file shows; each has a record of its own.")
    page: int = Field(ge=0, description="Page of the file, counted from 0.")
    box: FractionBox = Field(description="Left, top, right, bottom as fractions of that upright page.")


class Record(Receipt):
    """One receipt as filed: the outbox file, and what the database returns."""

    receipt_id: str = Field(description="Stable identifier, 26 characters, sorts by time of arrival.")
    source_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file's raw bytes.")
    original_filename: str
    tags: tuple[str, ...] = Field(default=(), description="Names of the inbox subfolders that the file lay in.")
    region: Region | None = Field(
        default=None,
        description="Where in the file the receipt is, if the file shows several; boxes of fields are then fractions of this part.",
    )
    received_at: datetime
    status: RecordStatus
    review_reasons: tuple[ReviewReason, ...] = ()
    duplicate_of: str | None = Field(default=None, description="`receipt_id` of a record that seems to be the same receipt.")
    reader: str
    model: str | None = None
    prompt_version: str | None = None
    schema_version: str = SCHEMA_VERSION
    attempts: tuple[Attempt, ...] = ()
    checks: tuple[Check, ...] = ()
    fields: dict[str, FieldEvidence] = Field(default_factory=dict, description="Evidence by field path.")
    ocr_text: str | None = Field(default=None, description="The transcript as plain text, in reading order.")
