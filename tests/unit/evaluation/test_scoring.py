"""Evaluation: what counts as right, what as wrong among the accepted, and why a field was missed."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from extractor.errors import InputError
from extractor.evaluation.contact_sheet import write_contact_sheet
from extractor.evaluation.scoring import Cause, Score, Truth, load_truth
from extractor.schemas.receipt import Item
from extractor.schemas.record import Record, RecordStatus
from extractor.schemas.values import FieldEvidence


def record(**values: Any) -> Record:
    defaults: dict[str, Any] = {
        "receipt_id": "0" * 26,
        "source_sha256": "0" * 64,
        "original_filename": "a.jpg",
        "received_at": datetime(2026, 1, 1, tzinfo=UTC),
        "status": RecordStatus.NEEDS_REVIEW,
        "reader": "ocr",
    }
    return Record(**(defaults | values))


def scored(truth: dict[str, Any], got: Record | None) -> Score:
    score = Score()
    score.add(Truth.model_validate({"image": "a.jpg"} | truth), got)
    return score


@pytest.mark.parametrize(
    ("field", "wanted", "name", "got", "right"),
    [
        ("merchant", "TEA & CO. SDN BHD", "merchant_name", "Tea&Co Sdn Bhd", True),
        ("merchant", "ALDI", "merchant_name", "ALDI SÜD", True),
        ("merchant", "Spar", "merchant_name", "Sparkasse", True),
        ("merchant", "BP", "merchant_name", "BP Shop", False),
        ("address", "1 Long Street, Town", "merchant_address", "1 Long Street Town 55100", False),
        ("date", "2018-03-30", "transaction_date", date(2018, 3, 30), True),
        ("date", "2018-03-30", "transaction_date", date(2018, 3, 31), False),
        ("time", "14:07:59", "transaction_time", time(14, 7), True),
        ("total", "1,234.50", "total", Decimal("1234.5"), True),
        ("total", "9.00", "total", Decimal("9.01"), False),
        ("currency", "MYR", "currency_code", "USD", False),
        ("merchant", ["Brand", "Legal Entity GmbH"], "merchant_name", "Legal Entity GmbH", True),
        ("merchant", ["Brand", "Legal Entity GmbH"], "merchant_name", "Somebody Else", False),
        ("date", ["2018-03-04", "2018-04-03"], "transaction_date", date(2018, 4, 3), True),
        ("total", [9.0, "9.05"], "total", Decimal("9.05"), True),
    ],
)
def test_a_field_is_right_by_its_own_rule(field: str, wanted: str | list[str | float], name: str, got: object, right: bool) -> None:
    """Names may differ in spelling, amounts and dates not at all, times only in their seconds; of several answers each is right."""
    score = scored({field: wanted}, record(**{name: got}))
    assert score.fields[field] == (int(right), 1)
    assert len(score.misses) == int(not right)


def test_totals_of_sroie_have_a_tolerance() -> None:
    """The data set's labels mix totals before and after cash rounding; those of other data sets, and other amounts, are exact."""
    found = record(total=Decimal("9.02"), subtotal=Decimal("9.02"))
    assert scored({"total": "9.00", "subtotal": "9.00", "dataset": "sroie"}, found).fields == {"total": (1, 1), "subtotal": (0, 1)}
    assert scored({"total": "9.00", "dataset": "own"}, found).fields == {"total": (0, 1)}


def test_a_field_without_label_is_not_scored() -> None:
    """What the label does not say cannot be wrong."""
    assert scored({"total": None, "merchant": "Tea", "date": [], "address": ""}, record(total=Decimal(1), merchant_name="Tea")).fields == {
        "merchant": (1, 1)
    }


def test_items_are_matched_by_price_and_description_each_once() -> None:
    """Two labelled teas need two found teas; a found item without label costs precision."""
    wanted = [{"description": "TEA", "total": "1.20"}, {"description": "TEA", "total": "1.20"}, {"description": "CAKE", "total": "3.10"}]
    found = (Item(description="Tea", total_price=Decimal("1.20")), Item(description="Cake", total_price=Decimal("9.99")))
    score = scored({"line_items": wanted}, record(items=found))
    assert score.items == (1, 2, 3)
    assert score.items_f1 == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("changes", "wrong", "wrong_values"),
    [
        ({}, 0, 0),
        ({"total": Decimal("1.01")}, 1, 1),
        ({"transaction_date": None}, 1, 1),
        ({"currency_code": "USD"}, 1, 1),
        ({"currency_code": None}, 0, 0),
        ({"merchant_name": "Other"}, 1, 0),
        ({"merchant_name": None}, 1, 0),
    ],
)
def test_a_wrong_accepted_record_is_counted(changes: dict[str, Any], wrong: int, wrong_values: int) -> None:
    """Accepted means right: a wrong or missing merchant, date or total is counted, and a wrong currency; also without merchants."""
    truth = {"date": "2018-03-30", "total": "1.00", "currency": "EUR", "merchant": "Tea Company"}
    values = {"transaction_date": date(2018, 3, 30), "total": Decimal("1.00"), "currency_code": "EUR", "merchant_name": "Tea Company"}
    score = scored(truth, record(status=RecordStatus.ACCEPTED, **(values | changes)))
    assert (score.accepted, score.wrong_accepted, score.wrong_accepted_values) == (1, wrong, wrong_values)


@pytest.mark.parametrize(
    ("text", "got", "cause"),
    [("Cash 5.00", None, Cause.NOT_READ), ("Total 9.00", None, Cause.NOT_FOUND), ("Total 9.00 Cash 10.00", Decimal(10), Cause.WRONG)],
)
def test_a_miss_says_whether_reading_or_understanding_failed(text: str, got: Decimal | None, cause: Cause) -> None:
    """Whoever improves the reader knows from the miss where to look."""
    assert [miss.cause for miss in scored({"total": "9.00"}, record(total=got, ocr_text=text)).misses] == [cause]


def test_a_receipt_that_could_not_be_read_misses_every_field() -> None:
    """A failed file is not left out of the count."""
    score = scored({"total": "9.00", "date": "2018-03-30"}, None)
    assert (score.absent, score.fields, score.headers) == (1, {"total": (0, 1), "date": (0, 1)}, (0, 1))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"image": "b.jpg", "date": "yesterday"}', "date is 'yesterday'. It must be a date as in 2023-10-31."),
        ('{"image": "b.jpg", "total": "9.5 EUR"}', "total is '9.5 EUR'. It must be an amount as in 1234.50."),
        ('{"image": "b.jpg", "time": "25:00"}', "time is '25:00'. It must be a time as in 18:05."),
        ('{"total": "9.00"}', "image is missing. It must be the path of a file, as text."),
        ("[1]", "[1] is not a JSON object."),
        ("{'image': 'b.jpg'}", " is not JSON. Write one object a line."),
    ],
)
def test_a_line_that_is_no_label_is_explained(tmp_path: Path, line: str, message: str) -> None:
    """A broken label file is refused with the line's number, the field and its form, in words that need no knowledge of Pydantic."""
    path = tmp_path / "truth.jsonl"
    path.write_text('{"image": "a.jpg", "total": "1,234.50"}\n\n' + line + "\n")
    with pytest.raises(InputError) as caught:
        load_truth(path)
    assert f"line 3{'' if message.startswith(' ') else ': '}{message}" in str(caught.value)


def test_the_contact_sheet_shows_every_miss_with_its_picture_and_escapes_what_was_read(tmp_path: Path) -> None:
    """A person sees all misses in one file; text from a receipt is never HTML."""
    got = record(merchant_name="<script>", fields={"merchant_name": FieldEvidence(page=0, box=(0.1, 0.1, 0.5, 0.2))})
    score = scored({"merchant": "Tea Company", "total": "1.00"}, got)
    path = tmp_path / "sheet.html"
    write_contact_sheet(path, score, {"a.jpg": got}, lambda _: [Image.new("RGB", (200, 400), "white")])
    text = path.read_text(encoding="utf-8")
    assert text.count("<tr><td>") == 2
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert text.count("data:image/jpeg;base64,") == 1


def test_reliability_compares_confidence_with_what_is_right() -> None:
    """Values are grouped by how sure the reader was; those without a confidence, or without a label, are left out."""
    score = Score()
    for total, confidence in (("9.00", 0.96), ("9.00", 0.98), ("8.00", 0.97), ("9.00", 1.0), ("9.00", None)):
        evidence = {"total": FieldEvidence(raw_text=total, confidence=confidence), "currency_code": FieldEvidence(confidence=0.9)}
        got = record(total=Decimal(total), currency_code="MYR", fields=evidence)
        score.add(Truth.model_validate({"image": "a.jpg", "total": "9.00"}), got)
    assert list(score.reliability) == ["total"]
    *_, sure, surest = score.reliability["total"]
    assert (sure.of, sure.right, round(sure.mean, 4)) == (3, 2, 0.97)
    assert (surest.of, surest.right) == (1, 1)
