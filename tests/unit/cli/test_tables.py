"""Tables show people what they need, and nothing that a stranger's receipt wants them to see."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from rich.console import Console, RenderableType

from extractor.cli.display import describe_check, job_table, record_page, record_table, review_table
from extractor.jobs import Job, JobState
from extractor.schemas.receipt import Item, Payment, TaxLine
from extractor.schemas.record import Attempt, Check, Record, RecordStatus, ReviewReason
from extractor.schemas.values import FieldEvidence, Origin


@pytest.fixture
def record() -> Record:
    return Record(
        receipt_id="01JD0000000000000000000000",
        source_sha256="0" * 64,
        original_filename="lunch\x1b[2J.jpg",
        received_at=datetime(2026, 3, 10, 12, 0, tzinfo=UTC),
        status=RecordStatus.NEEDS_REVIEW,
        review_reasons=(ReviewReason(field="transaction_time", kind="missing", message="No time was found."),),
        reader="ocr",
        model="rules-1",
        merchant_name="Zum Löwen",
        transaction_date=date(2026, 3, 9),
        total=Decimal("12.50"),
        currency_code="EUR",
        items=(Item(description="Bier", quantity=Decimal(2), total_price=Decimal("8.40")), Item(description="Brezel")),
        tax_lines=(TaxLine(rate=Decimal(19), amount=Decimal("2.00")),),
        payments=(Payment(method="Visa", card_last4="4242"),),
        checks=(Check(name="items_sum", expected=Decimal("12.50"), actual=Decimal("8.40"), passed=False),),
        attempts=(Attempt(rung="first", fields=()),),
        fields={"total": FieldEvidence(raw_text="12,50 €", confidence=0.98, origin=Origin.BOTH)},
    )


def _text(shown: RenderableType) -> str:
    out = io.StringIO()
    Console(width=200, file=out).print(shown)
    return out.getvalue()


def test_a_row_says_what_where_and_how_much(record: Record) -> None:
    """One glance at the list tells which receipts need a person."""
    text = _text(record_table([({}, record)]))

    row = next(line for line in text.splitlines() if line.strip().startswith("00000000 "))
    for part in ("needs_review", "2026-03-09", "Zum Löwen", "12.50 EUR", ".jpg"):
        assert part in row


def test_a_row_fits_a_terminal_of_80_characters(record: Record) -> None:
    """Merchant and file are in the list also in a narrow terminal; long ones are wrapped, not dropped."""
    long = record.model_copy(update={"merchant_name": "Getränkemarkt am Bahnhof", "original_filename": "IMG_20260310_120000_HDR.jpg"})
    out = io.StringIO()
    Console(width=80, file=out).print(record_table([({}, long)]))

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    for part in ("00000000", "needs_review", "2026-03-09", "Getränkemarkt", "Bahnhof", "12.50 EUR", "IMG_", ".jpg"):
        assert part in out.getvalue()


@pytest.mark.parametrize(
    ("name", "expected", "actual", "passed", "sentence"),
    [
        ("date_plausible", "not before 1990-01-01", "1981-03-08", False, "The date 1981-03-08 is too old to be right."),
        ("date_plausible", "not after 2026-03-10", "2031-01-01", False, "The date 2031-01-01 is in the future."),
        ("items_sum", Decimal("12.50"), Decimal("8.40"), False, "The items add up to 8.40, not to 12.50."),
        ("items[2]", Decimal("2.50"), Decimal("2.40"), False, "Quantity times unit price is 2.50; the line says 2.40."),
        ("new_check", Decimal(1), Decimal(2), False, "Expected 1, found 2."),
        ("total_sum", Decimal(1), Decimal(1), True, "1"),
    ],
)
def test_checks_are_explained(name: str, expected: Decimal | str, actual: Decimal | str, passed: bool, sentence: str) -> None:
    """A failed check is a sentence about the receipt; one that passed shows the confirmed value."""
    assert describe_check(Check(name=name, expected=expected, actual=actual, passed=passed)) == sentence


def test_reasons_for_review_have_a_row_each(record: Record) -> None:
    """Whoever reviews sees which file, which field, and what to do."""
    row = next(line for line in _text(review_table([record])).splitlines() if "transaction_time" in line)

    assert "No time was found." in row


def test_the_path_that_was_given_stands_in_the_row(record: Record) -> None:
    """Whoever reads files by path finds them by path."""
    assert "in/a.jpg" in _text(record_table([({"image": "in/a.jpg"}, record)]))


def test_a_page_shows_all_that_is_known(record: Record) -> None:
    """Values with what was printed, items, taxes, payments, checks and reasons are all there."""
    text = _text(record_page(record))

    for part in (
        "12,50 €",
        "0.98",
        "both",
        "Bier",
        "8.40",
        "Brezel",
        "19",
        "Visa",
        "4242",
        "items_sum",
        "failed",
        "No time was found.",
        "rules-1",
    ):
        assert part in text
    assert "unit_price" not in text  # no column without a value


def test_names_cannot_steer_the_terminal(record: Record) -> None:
    """An escape sequence in a file name is shown as a replacement mark."""
    assert "\x1b" not in _text(record_table([({}, record)])) + _text(record_page(record))


def test_a_file_without_a_record_says_why() -> None:
    """Failures and duplicates are visible with their reason and place."""
    base = {
        "id": 1, "path": None, "sha256": None, "size_bytes": 1, "tags": (), "received_at": datetime(2026, 3, 10, tzinfo=UTC),
        "worker": None, "attempts": 1, "interruptions": 0, "waits": 0, "next_attempt_at": 0.0, "error_kind": None, "filed_at": None,
    }  # fmt: skip
    failed = {"receipt_id": "A", "name": "x.jpg", "state": JobState.FAILED, "error_message": "x.jpg is empty.", "duplicate_of": None}
    twin = {"receipt_id": "B", "name": "y.jpg", "state": JobState.DUPLICATE, "error_message": None, "duplicate_of": "C"}

    text = _text(job_table([Job(**base, **values, filed_as="failed/x.jpg") for values in (failed, twin)]))  # type: ignore[arg-type]

    for part in ("x.jpg is empty.", "failed/x.jpg", "same bytes as C"):
        assert part in text
