"""Commands that keep data over years: backup, restore, verify."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.terminal import safe, tell

if TYPE_CHECKING:
    from extractor.storage.backup import OnProgress, Report

PROBLEMS = 1
"""Exit code where something is not as it should be."""

PROBLEMS_TOLD = 20
"""Where thousands of files are not in order, the first ones say enough."""


class FindingFormat(StrEnum):
    """How findings are written to stdout."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def backup(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The tar file to write; it must not be there yet.", show_default=False)],
    *,
    with_files: Annotated[bool, typer.Option("--with-files", help="Put every original and every JSON file into it.")] = False,
) -> None:
    """Write database and a list of all filed files into one tar file, also while the service works. Whole and checked, or not at all."""
    from extractor.storage.backup import back_up

    with context.obj.archive() as archive, _progress() as on_progress:
        report = back_up(archive.settings.database, archive.outbox, target, with_files=with_files, on_progress=on_progress)
    _tell(report)
    contents = f"the database and {report.files} files" if with_files else f"the database, and a list of {report.files} files"
    typer.echo(f"{safe(target)} holds {contents}. To put it back: receipts restore {safe(target)}", err=True)
    raise typer.Exit(PROBLEMS if report.problems else 0)


def restore(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `receipts backup` has written.", show_default=False)],
) -> None:
    """Put back the database from a backup, and those files of the outbox that are in it and missing. Replaces nothing."""
    from extractor.service.lock import InstanceLock
    from extractor.storage.backup import restore as put_back
    from extractor.storage.files.outbox import Outbox

    settings = context.obj.settings()
    outbox = Outbox(settings.outbox_dir)
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    with InstanceLock(settings.database), _progress() as on_progress:
        report = put_back(source, settings.database, outbox, on_progress=on_progress)
    _tell(report)
    outbox.mark()
    typer.echo(f"{safe(settings.database)} and {report.files} files are back. Compare them: receipts verify", err=True)
    raise typer.Exit(PROBLEMS if report.problems else 0)


def verify(
    context: typer.Context,
    output: Annotated[FindingFormat, typer.Option("--format", "-f", help="How findings are written to stdout.")] = FindingFormat.TEXT,
) -> None:
    """Compare database and outbox both ways, also while the service works. Exit code 1 where something is missing, changed or unknown."""
    from extractor.cli.output import FINDING_WRITERS
    from extractor.storage.verify import Verifier

    with context.obj.archive() as archive, _progress() as on_progress:
        total, done = sum(archive.job_queue.counts().values()), 0

        def count() -> None:
            nonlocal done
            done += 1
            on_progress("comparing", done, total)

        verifier = Verifier(archive, on_progress=count)
        found = FINDING_WRITERS[output.value](verifier.findings(), sys.stdout)
    typer.echo(f"{total} files of the database compared with the outbox: {found or 'nothing'} found.", err=True)
    raise typer.Exit(PROBLEMS if found else 0)


def _tell(report: "Report") -> None:
    """The first problems, one a line, and how many more there are."""
    for problem in report.problems[:PROBLEMS_TOLD]:
        tell(problem)
    if len(report.problems) > PROBLEMS_TOLD:
        tell(f"{len(report.problems) - PROBLEMS_TOLD} more files are not in order. List them all with: receipts verify")


@contextmanager
def _progress() -> "Iterator[OnProgress]":
    """A bar on stderr where that is a terminal of its own, and nothing elsewhere."""
    from extractor.cli.display import Bar

    with Bar(is_shown=sys.stderr.isatty()) as bar:
        yield bar.show
