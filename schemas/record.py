"""The record that is stored for a receipt: its values, its status with the reasons, and the evidence for each value."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from extractor.schemas.receipt import Receipt
from extractor.schemas.values import Amount, FieldEvidence, FractionBox, Frozen

SCHEMA_VERSION = "1"


class RecordStatus(StrEnum):
    """Whether a record's values can be used."""

    ACCEPTED = "accepted"  # every required value is confirmed
    NEEDS_REVIEW = "needs_review"  # a person has to check it; the review reasons say what
    CORRECTED = "corrected"  # a person entered or confirmed the values
    REJECTED = "rejected"  # a person decided that it is no receipt


class ReasonKind(StrEnum):
    """Why a value, or the whole record, needs a person. Members are never removed: stored records name them."""

    MISSING = "missing"  # a required value was not found
    UNCONFIRMED = "unconfirmed"  # found, but neither sure enough nor confirmed by a second look or by a sum
    CONFLICT = "conflict"  # looks or sums contradict each other
    AMBIGUOUS = "ambiguous"  # the printed text has several meanings, such as 03/04 for a date or $ for a currency
    IMPLAUSIBLE = "implausible"  # a value that no receipt has, such as a date in the future
    UNREADABLE = "unreadable"  # text was found, but it is no value of the field's type, or no two looks agree on it
    INVALID = "invalid"  # a part of a model's answer does not fit the schema
    CUT_OFF = "cut_off"  # an answer or a list ends before the receipt does
    SEVERAL_RECEIPTS = "several_receipts"  # the page may show several receipts beside one another
    NOT_A_RECEIPT = "not_a_receipt"


class CheckName(StrEnum):
    """The checks of a whole receipt; those of one row are named by its path, such as `items[2]`."""

    TOTAL_SUM = "total_sum"  # subtotal, taxes and charges give the total
    ITEMS_SUM = "items_sum"  # the items give the subtotal, or the total
    CASH = "cash"  # cash less change is the total
    PAYMENTS_SUM = "payments_sum"  # the payments give the total
    TAX_SUM = "tax_sum"  # the taxes of all rates give the tax total
    DATE_PLAUSIBLE = "date_plausible"  # neither in the future nor older than machine-readable receipts


class Check(Frozen):
    """One check of the receipt against itself."""

    name: CheckName | str = Field(
        union_mode="left_to_right", description="Stable name; for a check of one row its path, such as `items[2]` or `tax_lines[0]`."
    )
    expected: Amount | str | None = None
    actual: Amount | str | None = None
    tolerance: Amount | None = None
    passed: bool


class ReviewReason(Frozen):
    """One thing that a person has to check."""

    field: str = Field(description="Path of the field, such as `total` or `items[2].total_price`.")
    kind: ReasonKind
    message: str = Field(description="What was found and what to do about it, in words for a person.")


class Attempt(Frozen):
    """One question to a reader, and the fields that its answer set."""

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
    """The part of a page that one of several receipts in a file takes up."""

    number: int = Field(ge=1, description="Which of them, from left to right, from 1.")
    count: int = Field(ge=2, description="How many the file shows; each has a record of its own.")
    page: int = Field(ge=0, description="Page of the file, counted from 0.")
    box: FractionBox = Field(description="Left, top, right, bottom as fractions of that upright page.")


class Record(Receipt):
    """One receipt as it is stored: the JSON file in the outbox, and what the database returns."""

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
