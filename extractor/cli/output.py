"""Records become data on stdout: JSON, JSON lines and CSV. Nothing here is for people alone; see `tables`."""

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

from extractor.cli.common_options import Format
from extractor.cli.terminal import safe
from extractor.jobs import Job
from extractor.schemas.receipt import Receipt
from extractor.schemas.record import Record

if TYPE_CHECKING:
    from extractor.storage.verify import Discrepancy

Row = tuple[Mapping[str, str], Record]
"""Keys that stand in front of the record's own, such as the path it was read from, and the record."""


RECORD_COLUMNS = (
    *("receipt_id", "status", "received_at", "original_filename"),
    *(name for name in Receipt.model_fields if name not in {"items", "tax_lines", "payments", "date_candidates"}),
    *("duplicate_of", "reader", "model", "source_sha256", "review_reasons"),
)
"""CSV of records: every single value of a record, and its reasons for review as one text."""

ITEM_COLUMNS = (
    *("receipt_id", "status", "merchant_name", "transaction_date", "currency_code", "line"),
    *(
        "description",
        "product_code",
        "quantity",
        "unit_of_measure",
        "unit_price",
        "discount",
        "total_price",
        "tax_rate",
        "tax_code",
        "kind",
    ),
)
"""CSV of items: what identifies the receipt, then the item; `line` counts from 1."""

JOB_KEYS = ("receipt_id", "name", "state", "error_kind", "error_message", "duplicate_of", "filed_as", "attempts", "received_at", "filed_at")
"""What is told of a file: where it is on its way, why it has no record, and where it lies in the outbox."""

_FORMULA_MARKS = tuple("=+-@\t\r\n＝＋－＠")
"""Source: OWASP, "CSV Injection": cells that start like this are run by spreadsheets."""


def write_json(rows: Iterable[Row], out: TextIO) -> None:
    """A JSON array with one object a record, written record by record."""
    before = "[\n"
    for row in rows:
        out.write(before + _json(row, indent=2))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def write_jsonl(rows: Iterable[Row], out: TextIO) -> None:
    """One JSON object a line, each written as soon as its record is there."""
    for row in rows:
        out.write(_json(row) + "\n")
        out.flush()


def write_csv(rows: Iterable[Row], out: TextIO) -> None:
    """A header line, then one line a record; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    writer = csv.writer(out, lineterminator="\n")
    keys: tuple[str, ...] | None = None
    for extra, record in rows:
        if keys is None:
            keys = tuple(extra)
            writer.writerow((*keys, *RECORD_COLUMNS))
        reasons = "; ".join(reason.message for reason in record.review_reasons)
        values = [reasons if name == "review_reasons" else getattr(record, name) for name in RECORD_COLUMNS]
        writer.writerow([_cell(value) for value in (*extra.values(), *values)])
    if keys is None:
        writer.writerow(RECORD_COLUMNS)


def write_items_csv(rows: Iterable[Row], out: TextIO) -> None:
    """A header line, then one line a line item, with the same protection as `write_csv`."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ITEM_COLUMNS)
    for _, record in rows:
        head = [getattr(record, name) for name in ITEM_COLUMNS[:5]]
        for line, item in enumerate(record.items, start=1):
            writer.writerow([_cell(value) for value in (*head, line, *(getattr(item, name) for name in ITEM_COLUMNS[6:]))])


def write_jobs(jobs: Sequence[Job], output: Format, out: TextIO) -> None:
    """Files and their states, in one of the formats for programs."""
    if output is Format.CSV:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(JOB_KEYS)
        writer.writerows([_cell(getattr(job, key)) for key in JOB_KEYS] for job in jobs)
        return
    values = [{key: getattr(job, key) for key in JOB_KEYS} for job in jobs]
    if output is Format.JSON:
        out.write(json.dumps(values, ensure_ascii=False, indent=2, default=datetime.isoformat) + "\n")
    else:
        out.writelines(json.dumps(value, ensure_ascii=False, default=datetime.isoformat) + "\n" for value in values)


FINDING_KEYS = ("path", "what", "fact", "what_to_do")


def write_findings_text(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """How many lines were written, one a finding: what, path, fact and way out."""
    return _count(
        findings, lambda finding: out.write(f"{finding.what:<10} {safe(finding.path)}: {safe(finding.fact)}. {safe(finding.what_to_do)}\n")
    )


def write_findings_jsonl(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """How many JSON objects were written, one a line."""
    return _count(findings, lambda finding: out.write(_finding_json(finding) + "\n"))


def write_findings_json(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """How many objects the JSON array has that was written."""
    before = itertools.chain(["[\n"], itertools.repeat(",\n"))
    count = _count(findings, lambda finding: out.write(next(before) + _finding_json(finding)))
    out.write("\n]\n" if count else "[]\n")
    return count


def write_findings_csv(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """How many rows were written below the header."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FINDING_KEYS)
    return _count(findings, lambda finding: writer.writerow([_cell(str(getattr(finding, key))) for key in FINDING_KEYS]))


def _count(findings: "Iterable[Discrepancy]", write: "Callable[[Discrepancy], object]") -> int:
    count = 0
    for count, finding in enumerate(findings, start=1):  # noqa: B007 -- how many there were
        write(finding)
    return count


def _finding_json(finding: "Discrepancy") -> str:
    values = {key: str(getattr(finding, key)) for key in FINDING_KEYS}
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


FINDING_WRITERS: "Mapping[str, Callable[[Iterable[Discrepancy], TextIO], int]]" = {
    "text": write_findings_text,
    "json": write_findings_json,
    "jsonl": write_findings_jsonl,
    "csv": write_findings_csv,
}

WRITERS: Mapping[Format, Callable[[Iterable[Row], TextIO], None]] = {
    Format.JSON: write_json,
    Format.JSONL: write_jsonl,
    Format.CSV: write_csv,
}


def _json(row: Row, indent: int | None = None) -> str:
    extra, record = row
    text = json.dumps({**extra, **record.model_dump(mode="json")}, ensure_ascii=False, indent=indent)
    # A path may hold bytes that are not UTF-8 (Python keeps them as lone surrogates); \udc80 is how JSON spells them.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case date() | datetime() | time():
            return value.isoformat()
        case str():
            # A lone carriage return would not be quoted, and what follows it would begin a new row.
            text = value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
            return "'" + text if text.lstrip(" ").startswith(_FORMULA_MARKS) else text
        case _:
            return str(value)
