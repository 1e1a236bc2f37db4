"""Commands that look at what is filed: list, show, search, export."""

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.common_options import Format, FormatOption

if TYPE_CHECKING:
    from extractor.cli.output import Row
    from extractor.schemas.record import Record
    from extractor.storage.archive import Archive


class StatusFilter(StrEnum):
    """How far a record can be trusted; the values of `schemas.record.RecordStatus`, which would be slow to import here."""

    ACCEPTED = "accepted"
    NEEDS_REVIEW = "needs_review"
    CORRECTED = "corrected"
    REJECTED = "rejected"


class DataFormat(StrEnum):
    """How an export is written to stdout."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


StatusOption = Annotated[
    StatusFilter | None, typer.Option("--status", help="Only records that can be trusted this far.", show_default=False)
]
SinceOption = Annotated[
    datetime | None,
    typer.Option("--since", formats=["%Y-%m-%d"], help="First day of sale, or of arrival where that is not known.", show_default=False),
]
UntilOption = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last such day.", show_default=False)]
MerchantOption = Annotated[str | None, typer.Option("--merchant", help="Part of the merchant's name.", show_default=False)]
TagOption = Annotated[str | None, typer.Option("--tag", help="Name of the inbox subfolder.", show_default=False)]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


def list_records(
    context: typer.Context,
    *,
    status: StatusOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    merchant: MerchantOption = None,
    tag: TagOption = None,
    limit: LimitOption = 50,
    files: Annotated[bool, typer.Option("--files", help="List files instead: where each is, and why it has no record.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Also tell what to look at in each record, and what failed.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """List records, newest arrival first; or files and their states."""
    if files and any((status, since, until, merchant, tag)):
        raise typer.BadParameter("--files lists every file; the options that choose records do not go with it.")
    if why and output is not Format.TABLE:
        raise typer.BadParameter("--why goes with --format table; the other formats always tell the reasons.")
    with context.obj.archive() as archive:
        if files:
            _write_files(archive, output, limit)
            return
        records = list(_filtered(archive, status=status, since=since, until=until, merchant=merchant, tag=tag, limit=limit))
        _write(records, output)
        if why:
            _tell_why(archive, records, limit)


def show(
    context: typer.Context,
    receipt_id: Annotated[str, typer.Argument(metavar="ID", help="The record's receipt_id, as `receipts list` shows it.")],
    output: FormatOption = Format.TABLE,
) -> None:
    """Show everything about one record: values, the text they were read from, items, checks, and reasons for review."""
    from extractor.cli.display import record_page, stdout
    from extractor.cli.output import WRITERS
    from extractor.errors import InputError

    with context.obj.archive() as archive:
        record = archive.receipts.get(receipt_id)
    if record is None:
        raise InputError(f"There is no record {receipt_id}. See the ids with: receipts list")
    if output is Format.TABLE:
        stdout().print(record_page(record))
    else:
        WRITERS[output]([({}, record)], sys.stdout)


def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words that all stand on the receipt; the beginning of a word is enough.")],
    limit: LimitOption = 50,
    output: FormatOption = Format.TABLE,
) -> None:
    """Find records by words in merchant, items or anywhere in the printed text, best match first."""
    with context.obj.archive() as archive:
        _write(archive.receipts.search(text, limit=limit), output)


def export(
    context: typer.Context,
    *,
    output: Annotated[DataFormat, typer.Option("--format", "-f", help="How records are written to stdout.")] = DataFormat.CSV,
    items: Annotated[bool, typer.Option("--items", help="One row a line item, for CSV.")] = False,
    status: StatusOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    merchant: MerchantOption = None,
    tag: TagOption = None,
) -> None:
    """Write all records to stdout, newest arrival first; the options choose some of them."""
    from extractor.cli.output import write_items_csv

    if items and output is not DataFormat.CSV:
        raise typer.BadParameter("--items goes with --format csv; JSON has the items inside each record.")
    with context.obj.archive() as archive:
        records = _filtered(archive, status=status, since=since, until=until, merchant=merchant, tag=tag)
        if items:
            write_items_csv((({}, record) for record in records), sys.stdout)
        else:
            _write(records, Format(output.value))


def _filtered(
    archive: "Archive",
    *,
    status: StatusFilter | None,
    since: datetime | None,
    until: datetime | None,
    merchant: str | None,
    tag: str | None,
    limit: int | None = None,
) -> "Iterator[Record]":
    from extractor.schemas.record import RecordStatus

    return archive.receipts.list(
        status=RecordStatus(status) if status else None,
        since=since.date() if since else None,
        until=until.date() if until else None,
        merchant=merchant,
        tag=tag,
        limit=limit,
    )


def _write_files(archive: "Archive", output: Format, limit: int) -> None:
    from extractor.cli.display import job_table, stdout
    from extractor.cli.output import write_jobs

    newest = archive.job_queue.newest(limit=limit)
    if output is Format.TABLE:
        stdout().print(job_table(newest))
    else:
        write_jobs(newest, output, sys.stdout)


def _tell_why(archive: "Archive", records: "list[Record]", limit: int) -> None:
    from extractor.cli.display import job_table, review_table, stdout
    from extractor.jobs import JobState

    if any(record.review_reasons for record in records):
        stdout().print(review_table(records))
    jobs = archive.job_queue.newest(JobState.QUEUED, JobState.READING, JobState.STORED, JobState.FAILED, limit=limit)
    if jobs:
        stdout().print(job_table(jobs))


def _write(records: "Iterable[Record]", output: Format) -> None:
    from extractor.cli.display import record_table, stdout
    from extractor.cli.output import WRITERS

    rows: Iterator[Row] = (({}, record) for record in records)
    if output is Format.TABLE:
        stdout().print(record_table(rows))
    else:
        WRITERS[output](rows, sys.stdout)
