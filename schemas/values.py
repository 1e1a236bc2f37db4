"""Types of single values: bounded amounts, ISO codes, and the evidence for a value."""

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

# Larger than any receipt; a million of them add up without overflow.
MAX_AMOUNT = Decimal("999999999999.999")


def _bounded(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value) > MAX_AMOUNT:
        raise ValueError(f"amount must be a number within ±{MAX_AMOUNT}")
    return value


def clamped(value: Decimal) -> Decimal:
    """The nearest amount within bounds: sums and products of bounded amounts may leave them."""
    return max(-MAX_AMOUNT, min(MAX_AMOUNT, value))


# Money or a quantity: a finite Decimal, written to JSON as a plain string such as "12.50".
Amount = Annotated[
    Decimal,
    # The bound is checked here and not by Field(le=...), which leaks decimal exceptions for values such as 9E999999.
    AfterValidator(_bounded),
    PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json"),
]

CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]  # ISO 4217 alphabetic code
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]  # ISO 3166-1 alpha-2 code

_NO_MINOR_UNIT = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
_THREE_DIGITS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())


def minor_digits(currency_code: str | None) -> int:
    """How many decimal digits the currency has; 2 where it is not known. Source: ISO 4217, table A.1."""
    if currency_code in _NO_MINOR_UNIT:
        return 0
    return 3 if currency_code in _THREE_DIGITS else 2


def to_minor(amount: Decimal, currency_code: str | None) -> int:
    """The amount in minor units (cents), rounded half up where it is printed with more digits than the currency has."""
    scaled = amount.scaleb(minor_digits(currency_code))
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP))


class Origin(StrEnum):
    """Where a value comes from."""

    VISION = "vision"  # a model that sees the pages
    OCR = "ocr"  # the OCR text
    BOTH = "both"  # a model, and the OCR text agrees
    ARITHMETIC = "arithmetic"  # computed from other values of the receipt
    ALIAS = "alias"  # a table of names
    USER = "user"  # a person


class FieldState(StrEnum):
    """Whether a field has a value; if it has none, why."""

    OK = "ok"
    NOT_PRINTED = "not_printed"
    UNREADABLE = "unreadable"
    CUT_OFF = "cut_off"
    CONFLICT = "conflict"


class Frozen(BaseModel):
    """A value: cannot be changed, refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


FractionBox = tuple[float, float, float, float]


class FieldEvidence(Frozen):
    """The evidence for one field's value."""

    raw_text: str | None = Field(default=None, max_length=2000, description="The text as printed.")
    confidence: float | None = Field(default=None, ge=0, le=1, description="0 to 1, calibrated where the reader says so.")
    origin: Origin | None = None
    page: int | None = Field(default=None, ge=0, description="Page of the file, counted from 0.")
    box: FractionBox | None = Field(
        default=None, description="Left, top, right, bottom as fractions of the upright page's width and height."
    )
    looks: int = Field(
        default=1, ge=1, description="Independent looks (another model, another image, another engine) that agree on the value."
    )
    agreement: float | None = Field(
        default=None, ge=0, le=1, description="Share of a model's drawn answers that give the value, where several were drawn."
    )
    state: FieldState = FieldState.OK
