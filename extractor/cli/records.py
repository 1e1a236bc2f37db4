"""Commands that show records and files: list, show, search, export."""

import sys
from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.common_options import Format, FormatOption, parse_first_day, parse_last_day

if TYPE_CHECKING:
    from extractor.cli.output import Row
    from extractor.schemas.record import Record
    from extractor.storage.archive import Archive


class StatusFilter(StrEnum):
    """Status of a record; the values of `schemas.record.RecordStatus`, whose import would delay `--help`."""

    ACCEPTED = "accepted"
    NEEDS_REVIEW = "needs_review"
    CORRECTED = "corrected"
    REJECTED = "rejected"


class DataFormat(StrEnum):
    """Format of an export on stdout."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


StatusOption = Annotated[StatusFilter | None, typer.Option("--status", help="Only records with this status.", show_default=False)]
SinceOption = Annotated[
    date | None,
    typer.Option(
        "--since",
        parser=parse_first_day,
        metavar="DATE",
        help="From this day, month or year of sale on (of arrival where that is not known): 2023-10-31, 2023-10 or 2023.",
        show_default=False,
    ),
]
UntilOption = Annotated[
    date | None,
    typer.Option("--until", parser=parse_last_day, metavar="DATE", help="Up to and including this day, month or year.", show_default=False),
]
MerchantOption = Annotated[str | None, typer.Option("--merchant", metavar="TEXT", help="Part of the merchant's name.", show_default=False)]
TagOption = Annotated[str | None, typer.Option("--tag", metavar="NAME", help="Name of the inbox subfolder.", show_default=False)]
LimitOption = Annotated[int, typer.Option("--limit", metavar="COUNT", min=1, help="Show at most this many.")]


def list_records(
    context: typer.Context,
    *,
    status: StatusOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    merchant: MerchantOption = None,
    tag: TagOption = None,
    limit: LimitOption = 50,
    files: Annotated[bool, typer.Option("--files", help="List files instead: their states, and why they have no record.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Also list what to check in each record, and which files failed.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """List records, newest arrival first; or files and their states."""
    if files and any((status, since, until, merchant, tag)):
        raise typer.BadParameter("--files lists every file; it cannot be combined with options that select records.")
    if why and output is not Format.TABLE:
        raise typer.BadParameter("--why needs --format table; the other formats always contain the reasons.")
    with context.obj.archive() as archive:
        if files:
            _write_files(archive, output, limit)
            return
        records = list(_filtered(archive, status=status, since=since, until=until, merchant=merchant, tag=tag, limit=limit))
        _write(records, output)
        if why:
            _write_reasons(archive, records, limit)


def show(
    context: typer.Context,
    receipt_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id in `receipts list` and in names of filed files, or the whole receipt_id.")
    ],
    output: FormatOption = Format.TABLE,
) -> None:
    """Show everything about one record: values, the text they were read from, items, checks, and reasons for review."""
    from extractor.cli.display import record_page, stdout
    from extractor.cli.output import WRITERS
    from extractor.storage.database.short_ids import find_receipt_id

    with context.obj.archive() as archive:
        record = archive.receipts.get(find_receipt_id(archive.database, receipt_id))
    if output is Format.TABLE:
        stdout().print(record_page(record))
    else:
        WRITERS[output]([({}, record)], sys.stdout)


def search(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="Words on the receipt, all of which must occur; the beginning of a word is enough.")
    ],
    limit: LimitOption = 50,
    output: FormatOption = Format.TABLE,
) -> None:
    """Find records by words in merchant, items or anywhere in the printed text, best match first."""
    with context.obj.archive() as archive:
        _write(archive.receipts.search(text, limit=limit), output)


def export(
    context: typer.Context,
    *,
    output: Annotated[DataFormat, typer.Option("--format", "-f", help="Format of the records on stdout.")] = DataFormat.CSV,
    items: Annotated[bool, typer.Option("--items", help="One row for each line item, in CSV.")] = False,
    bom: Annotated[
        bool | None,
        typer.Option(
            "--bom/--no-bom",
            help="Begin CSV with a byte order mark, by which Excel recognises UTF-8. [default: if stdout is a file]",
            show_default=False,
        ),
    ] = None,
    status: StatusOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    merchant: MerchantOption = None,
    tag: TagOption = None,
) -> None:
    """Write all records, or those that the options select, to stdout, newest arrival first."""
    from extractor.cli.output import BOM, export_rows, is_file, write_csv, write_items_csv

    if items and output is not DataFormat.CSV:
        raise typer.BadParameter("--items needs --format csv; JSON has the items inside each record.")
    if bom and output is not DataFormat.CSV:
        raise typer.BadParameter("--bom needs --format csv.")
    with context.obj.archive() as archive:
        records = _filtered(archive, status=status, since=since, until=until, merchant=merchant, tag=tag)
        if output is not DataFormat.CSV:
            _write(records, Format(output.value))
            return
        if is_file(sys.stdout) if bom is None else bom:
            sys.stdout.write(BOM)
        if items:
            write_items_csv((({}, record) for record in records), sys.stdout)
        else:
            write_csv(export_rows(records, archive.job_queue), sys.stdout, keys=("filed_as",))


def _filtered(
    archive: "Archive",
    *,
    status: StatusFilter | None,
    since: date | None,
    until: date | None,
    merchant: str | None,
    tag: str | None,
    limit: int | None = None,
) -> "Iterator[Record]":
    from extractor.schemas.record import RecordStatus

    return archive.receipts.list(
        status=RecordStatus(status) if status else None,
        since=since,
        until=until,
        merchant=merchant,
        tag=tag,
        limit=limit,
    )


def _write_files(archive: "Archive", output: Format, limit: int) -> None:
    from extractor.cli.display import job_table, stdout
    from extractor.cli.output import write_jobs
    from extractor.runtime.clock import SystemClock
    from extractor.service.status import untaken_files

    untaken = [path for path, _ in untaken_files(archive, SystemClock()) or ()][:limit]
    newest = archive.job_queue.newest(limit=limit - len(untaken)) if len(untaken) < limit else ()
    if output is Format.TABLE:
        stdout().print(job_table(newest, untaken))
    else:
        write_jobs(newest, output, sys.stdout, untaken)


def _write_reasons(archive: "Archive", records: "list[Record]", limit: int) -> None:
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
