"""Records, files and findings as data on stdout: JSON, JSON Lines and CSV. Tables for people are in `display`."""

import csv
import itertools
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from extractor.cli.common_options import Format
from extractor.cli.terminal import quoted, safe
from extractor.jobs import Job, JobState
from extractor.runtime.filenames import printable
from extractor.schemas.receipt import Payment, Receipt, TaxLine
from extractor.schemas.record import Record

if TYPE_CHECKING:
    from extractor.storage.database.job_queries import JobQueries
    from extractor.storage.verify import Discrepancy

# A record, and values that go before its own, such as the path that it was read from.
Row = tuple[Mapping[str, str], Record]

# Byte order mark: Excel takes a CSV file without it for the system's old 8-bit encoding. In front of UTF-8 it has no other use.
BOM = "\ufeff"

# Columns whose cell summarises a list, and the text of each entry.
_SUMMARIES: "Mapping[str, Callable[[Record], Iterable[str]]]" = {
    "tags": lambda record: record.tags,
    "tax_lines": lambda record: map(_tax_text, record.tax_lines),
    "payments": lambda record: map(_payment_text, record.payments),
    "review_reasons": lambda record: (reason.message for reason in record.review_reasons),
}

# CSV of records: every single value of a record; tags, taxes by rate, payments and reasons for review as one text each.
RECORD_COLUMNS = (
    *("receipt_id", "status", "received_at", "original_filename", "tags"),
    *(name for name in Receipt.model_fields if name not in {"items", "date_candidates"}),
    *("duplicate_of", "reader", "model", "source_sha256", "review_reasons"),
)

# CSV of items: what identifies the receipt, then the item; `line` counts from 1.
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

# What is written of a file: its state, why it has no record, and where it lies in the outbox.
JOB_KEYS = ("receipt_id", "name", "state", "error_kind", "error_message", "duplicate_of", "filed_as", "attempts", "received_at", "filed_at")

# Spreadsheets run cells that start with one of these. Source: OWASP, "CSV Injection".
_FORMULA_MARKS = tuple("=+-@\t\r\n＝＋－＠")
_JOBS_AT_ONCE = 100


def write_json(rows: Iterable[Row], out: TextIO) -> None:
    """Write a JSON array with one object for each record, record by record."""
    before = "[\n"
    for row in rows:
        out.write(before + _json(row, indent=2))
        before = ",\n"
    out.write("[]\n" if before == "[\n" else "\n]\n")


def write_jsonl(rows: Iterable[Row], out: TextIO) -> None:
    """Write one JSON object a line, each as soon as its record is available."""
    for row in rows:
        out.write(_json(row) + "\n")
        out.flush()


def write_csv(rows: Iterable[Row], out: TextIO, keys: tuple[str, ...] | None = None) -> None:
    """Write a header and one row for each record. A text that a spreadsheet would run as a formula gets an apostrophe in front.

    Args:
        keys: The keys in front of each record's own; by default those of the first row.
    """
    writer = csv.writer(out, lineterminator="\n")
    remaining = iter(rows)
    first = next(remaining, None)
    names = keys if keys is not None else tuple(first[0]) if first else ()
    writer.writerow((*names, *RECORD_COLUMNS))
    for extra, record in itertools.chain([] if first is None else [first], remaining):
        values = [_SUMMARIES[name](record) if name in _SUMMARIES else getattr(record, name) for name in RECORD_COLUMNS]
        writer.writerow([_cell(value) for value in (*(extra[name] for name in names), *values)])


def write_items_csv(rows: Iterable[Row], out: TextIO) -> None:
    """Write a header and one row for each line item, with the same protection as `write_csv`."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ITEM_COLUMNS)
    for _, record in rows:
        head = [getattr(record, name) for name in ITEM_COLUMNS[:5]]
        for line, item in enumerate(record.items, start=1):
            writer.writerow([_cell(value) for value in (*head, line, *(getattr(item, name) for name in ITEM_COLUMNS[6:]))])


def export_rows(records: Iterable[Record], jobs: "JobQueries") -> Iterator[Row]:
    """Rows for `write_csv` in which `filed_as` comes first: where the original lies, relative to the outbox."""
    remaining = iter(records)
    while batch := list(itertools.islice(remaining, _JOBS_AT_ONCE)):
        places = {job.sha256: job.filed_as or "" for record in batch for job in jobs.with_bytes(record.source_sha256) if _has_record(job)}
        yield from (({"filed_as": places.get(record.source_sha256, "")}, record) for record in batch)


def _has_record(job: Job) -> bool:
    return job.state in {JobState.STORED, JobState.DONE}


def is_file(out: TextIO) -> bool:
    """Whether the stream is written to a regular file, not to a pipe or a terminal."""
    try:
        return stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):  # it has no descriptor
        return False


def write_jobs(jobs: Sequence[Job], output: Format, out: TextIO, untaken: Iterable[Path] = ()) -> None:
    """Write files and their states in one of the formats for programs. Files that no service has taken yet have the state `untaken`."""
    waiting = [{key: {"name": printable(path), "state": "untaken"}.get(key) for key in JOB_KEYS} for path in untaken]
    values = [*waiting, *({key: getattr(job, key) for key in JOB_KEYS} for job in jobs)]
    if output is Format.CSV:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(JOB_KEYS)
        writer.writerows([_cell(value[key]) for key in JOB_KEYS] for value in values)
    elif output is Format.JSON:
        out.write(json.dumps(values, ensure_ascii=False, indent=2, default=datetime.isoformat) + "\n")
    else:
        out.writelines(json.dumps(value, ensure_ascii=False, default=datetime.isoformat) + "\n" for value in values)


FINDING_KEYS = ("path", "what", "fact", "what_to_do")


def write_findings_text(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """Write one line for each finding: what it is, the quoted path, the fact and what to do. Returns how many."""
    return _count(
        findings,
        lambda finding: out.write(f"{finding.what:<10} {quoted(finding.path)}: {safe(finding.fact)}. {safe(finding.what_to_do)}\n"),
    )


def write_findings_jsonl(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """Write one JSON object a line. Returns how many."""
    return _count(findings, lambda finding: out.write(_finding_json(finding) + "\n"))


def write_findings_json(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """Write a JSON array. Returns how many objects it has."""
    before = itertools.chain(["[\n"], itertools.repeat(",\n"))
    count = _count(findings, lambda finding: out.write(next(before) + _finding_json(finding)))
    out.write("\n]\n" if count else "[]\n")
    return count


def write_findings_csv(findings: "Iterable[Discrepancy]", out: TextIO) -> int:
    """Write a header and one row for each finding. Returns how many."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FINDING_KEYS)
    return _count(findings, lambda finding: writer.writerow([_cell(str(getattr(finding, key))) for key in FINDING_KEYS]))


def _count(findings: "Iterable[Discrepancy]", write: "Callable[[Discrepancy], object]") -> int:
    count = 0
    for count, finding in enumerate(findings, start=1):  # noqa: B007 -- returned after the loop
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
            text = ""
        case bool():
            text = "true" if value else "false"
        case Decimal():
            text = format(value, "f")
        case date() | datetime() | time():
            text = value.isoformat()
        case str():
            text = _harmless(value)
        case Iterable():
            text = _harmless("; ".join(value))
        case _:
            text = str(value)
    return text


def _harmless(text: str) -> str:
    """The text as a cell that begins no row and no formula."""
    # A lone carriage return would not be quoted, and what follows it would begin a new row.
    plain = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    return "'" + plain if plain.lstrip(" ").startswith(_FORMULA_MARKS) else plain


def _tax_text(line: TaxLine) -> str:
    """`19% net 2.18 tax 0.41`, without what is not known."""
    name = " ".join(part for part in (line.code, line.description) if part)
    parts = (name, _labelled("", line.rate, "%"), _labelled("net ", line.net_amount), _labelled("tax ", line.amount))
    return " ".join(part for part in parts if part)


def _payment_text(payment: Payment) -> str:
    """`Visa 1234 12.50`, without what is not known."""
    name = payment.method or payment.card_network
    return " ".join(part for part in (name, payment.card_last4, _labelled("", payment.amount)) if part)


def _labelled(before: str, amount: Decimal | None, after: str = "") -> str:
    return "" if amount is None else f"{before}{amount:f}{after}"
