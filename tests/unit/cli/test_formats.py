"""Records on stdout are data that programs can take as they are."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from extractor.cli.output import ITEM_COLUMNS, RECORD_COLUMNS, write_csv, write_items_csv, write_json, write_jsonl
from extractor.schemas.receipt import Item
from extractor.schemas.record import Record, RecordStatus, ReviewReason


def _record(**values: object) -> Record:
    base: dict[str, object] = {
        "receipt_id": "01JD0000000000000000000000",
        "source_sha256": "0" * 64,
        "original_filename": "lunch.jpg",
        "received_at": datetime(2026, 3, 10, 12, 0, tzinfo=UTC),
        "status": RecordStatus.ACCEPTED,
        "reader": "ocr",
    }
    return Record.model_validate(base | values)


def test_jsonl_is_one_record_a_line_and_reads_back() -> None:
    """A line is the record, whole, and begins with the keys that stand in front."""
    record = _record(merchant_name="Zum Löwen\nKöln", total=Decimal("12.50"), items=(Item(description="Bier"),))
    out = io.StringIO()

    write_jsonl([({"image": "in/lunch.jpg"}, record)] * 2, out)

    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    values = json.loads(lines[0])
    assert next(iter(values)) == "image"
    assert values.pop("image") == "in/lunch.jpg"
    assert Record.model_validate(values) == record


def test_a_path_that_is_not_utf8_comes_back_as_it_was_given() -> None:
    """Any path that the shell can give is in the output, and the output is valid UTF-8."""
    path = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    out = io.StringIO()

    write_jsonl([({"image": path}, _record())], out)

    assert json.loads(out.getvalue().encode("utf-8"))["image"] == path


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_one_array_whatever_the_number(count: int) -> None:
    """No record, one and several are all an array."""
    out = io.StringIO()

    write_json([({}, _record())] * count, out)

    assert len(json.loads(out.getvalue())) == count


@pytest.mark.parametrize("text", ["=1+1", "+49 30 1234", "-2", "@SUM(A1)", "\t=1", "\n=1", "  =1", "＝1"])
def test_csv_runs_nothing(text: str) -> None:
    """A shop cannot put a formula into its customers' spreadsheets."""
    out = io.StringIO()

    write_csv([({}, _record(merchant_name=text))], out)

    row = next(csv.DictReader(io.StringIO(out.getvalue())))
    assert row["merchant_name"] == "'" + text


@pytest.mark.parametrize("text", ["\r=1+1", "Kopi\r=1+1", "Kopi\r\n=1+1", "Kopi\n=1+1", 'Kopi",=1+1', "Kopi;=1+1"])
def test_csv_text_stays_in_its_cell(text: str) -> None:
    """Line ends, commas and quotation marks within a text begin no row and no cell, in which a formula could stand."""
    out = io.StringIO()

    write_csv([({}, _record(merchant_name=text))], out)

    [_, row] = csv.reader(io.StringIO(out.getvalue(), newline=""))
    cells = [cell for cell in row if "=" in cell]
    assert len(cells) == 1
    assert cells[0].lstrip("'").replace("\n", "") == text.replace("\r", "").replace("\n", "")
    assert not cells[0].startswith(("=", "\r", "\n"))


def test_csv_keeps_numbers_as_numbers() -> None:
    """Refunds stay negative amounts that a spreadsheet can add up."""
    record = _record(total=Decimal("-3.20"), transaction_date=date(2026, 3, 10), is_refund=True, merchant_name="Rema 1000")
    out = io.StringIO()

    write_csv([({"image": "a.jpg"}, record)], out)

    row = next(csv.DictReader(io.StringIO(out.getvalue())))
    assert (row["image"], row["total"], row["transaction_date"], row["is_refund"]) == ("a.jpg", "-3.20", "2026-03-10", "true")
    assert row["subtotal"] == ""
    assert row["merchant_name"] == "Rema 1000"


def test_csv_says_why_a_record_needs_review() -> None:
    """The reasons stand in one column."""
    reasons = tuple(ReviewReason(field=name, kind="missing", message=f"{name} is not there.") for name in ("total", "transaction_date"))
    out = io.StringIO()

    write_csv([({}, _record(status=RecordStatus.NEEDS_REVIEW, review_reasons=reasons))], out)

    row = next(csv.DictReader(io.StringIO(out.getvalue())))
    assert row["review_reasons"] == "total is not there.; transaction_date is not there."


def test_csv_has_a_header_without_records() -> None:
    """A program that reads the columns by name needs no special case for an empty list."""
    records, items = io.StringIO(), io.StringIO()

    write_csv([], records)
    write_items_csv([], items)

    assert records.getvalue().strip().split(",") == list(RECORD_COLUMNS)
    assert items.getvalue().strip().split(",") == list(ITEM_COLUMNS)


def test_items_csv_has_one_row_an_item() -> None:
    """Each line item is a row that names its receipt."""
    items = (Item(description="Milk", total_price=Decimal("1.19")), Item(description="=Bread", quantity=Decimal(2)))
    out = io.StringIO()

    write_items_csv([({}, _record(items=items, currency_code="EUR"))], out)

    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [(row["line"], row["description"], row["total_price"], row["quantity"], row["currency_code"]) for row in rows] == [
        ("1", "Milk", "1.19", "", "EUR"),
        ("2", "'=Bread", "", "2", "EUR"),
    ]
