"""Commands that move files along: watch, add, read, retry."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.options import Format, FormatOption, ReaderOption
from extractor.cli.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extractor.cli.formats import Row
    from extractor.errors import ExtractorError
    from extractor.settings import Settings

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Images or PDFs.", show_default=False)]


def add(context: typer.Context, files: FilesArgument) -> None:
    """Copy files into the inbox: each appears there whole or not at all, and replaces nothing. Prints where each copy lies."""
    from extractor.drop import drop_file
    from extractor.errors import ExtractorError

    inbox_dir = context.obj.settings().inbox_dir
    failures = []
    for path in files:
        try:
            typer.echo(safe(drop_file(path, inbox_dir)))
        except ExtractorError as error:
            failures.append(error)
            typer.echo(f"receipts: {safe(error)}", err=True)
    raise typer.Exit(failures[0].exit_code if failures else 0)


def read(
    context: typer.Context,
    files: FilesArgument,
    *,
    reader: ReaderOption = None,
    output: FormatOption = Format.JSON,
) -> None:
    """Read files and print their records, storing nothing. Each record has its path, as given, under `image`."""
    from extractor.cli.formats import WRITERS
    from extractor.cli.tables import record_table, stdout

    failures: list[ExtractorError] = []
    rows = _read_rows(files, context.obj.settings(reader={"name": reader} if reader else None), failures, output)
    if output is Format.TABLE:
        stdout().print(record_table(rows))
    else:
        WRITERS[output](rows, sys.stdout)
    raise typer.Exit(failures[0].exit_code if failures else 0)


def _read_rows(files: list[Path], settings: "Settings", failures: "list[ExtractorError]", output: Format) -> "Iterator[Row]":
    """Rows as they come; files that cannot be read are told of on stderr and put into `failures`."""
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from extractor.cli.tables import stderr
    from extractor.log import configure
    from extractor.read import read_files
    from schemas.record import Record

    configure(settings.log.model_copy(update={"level": "WARNING"}))
    # A bar and results that appear at the same time on one screen would tear each other apart; a table appears at the end.
    is_shown = sys.stderr.isatty() and (output is Format.TABLE or not sys.stdout.isatty())
    columns = (TextColumn("reading"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, disable=not is_shown, redirect_stdout=False) as progress:
        for path, result in progress.track(read_files(files, settings), total=len(files)):
            if isinstance(result, Record):
                yield {"image": str(path)}, result
            else:
                failures.append(result)
                progress.console.print(f"receipts: {safe(result)}")
