"""Commands that keep data over years: backup, restore, verify."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.terminal import quoted, tell

if TYPE_CHECKING:
    from extractor.storage.backup import OnProgress, Report

# Exit code if something is missing, changed or unknown.
PROBLEMS = 1
# If thousands of files have problems, the first ones say enough.
MAX_PROBLEMS_SHOWN = 20


class FindingFormat(StrEnum):
    """Format of findings on stdout."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def backup(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The tar file to write; it must not exist yet.", show_default=False)],
    *,
    with_files: Annotated[bool, typer.Option("--with-files", help="Also back up every original and every JSON file.")] = False,
) -> None:
    """Write the database and a list of all filed files into one tar file, completely or not at all, also while the service runs."""
    from extractor.storage.backup import back_up

    with context.obj.archive() as archive, _progress() as on_progress:
        report = back_up(archive.settings.database, archive.outbox, target, with_files=with_files, on_progress=on_progress)
    _show_problems(report)
    contents = f"the database and {report.files} files" if with_files else f"the database, and a list of {report.files} files"
    typer.echo(f"{quoted(target)} contains {contents}. To restore it: receipts restore {quoted(target)}", err=True)
    raise typer.Exit(PROBLEMS if report.problems else 0)


def restore(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `receipts backup` has written.", show_default=False)],
) -> None:
    """Restore the database from a backup, and the files in it that the outbox lacks. Replaces nothing."""
    from extractor.service.lock import InstanceLock
    from extractor.storage.backup import restore as put_back
    from extractor.storage.files.outbox import Outbox

    settings = context.obj.settings()
    outbox = Outbox(settings.outbox_dir)
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    with InstanceLock(settings.database), _progress() as on_progress:
        report = put_back(source, settings.database, outbox, on_progress=on_progress)
    _show_problems(report)
    outbox.mark()
    typer.echo(f"Restored {quoted(settings.database)} and {report.files} files. Compare them with: receipts verify", err=True)
    raise typer.Exit(PROBLEMS if report.problems else 0)


def verify(
    context: typer.Context,
    output: Annotated[FindingFormat, typer.Option("--format", "-f", help="Format of the findings on stdout.")] = FindingFormat.TEXT,
) -> None:
    """Compare database and outbox in both directions, also while the service runs. Exit code 1 if they differ."""
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
    typer.echo(_verdict(total, found), err=True)
    raise typer.Exit(PROBLEMS if found else 0)


def _verdict(total: int, found: int) -> str:
    files = "1 file" if total == 1 else f"{total} files"
    if found:
        return f"Compared {files} with the outbox: {found} {'problem' if found == 1 else 'problems'}."
    return f"Compared {files} with the outbox: all are as filed."


def _show_problems(report: "Report") -> None:
    """Write the first problems to stderr, one a line, and how many more there are."""
    for problem in report.problems[:MAX_PROBLEMS_SHOWN]:
        tell(problem)
    if len(report.problems) > MAX_PROBLEMS_SHOWN:
        tell(f"{len(report.problems) - MAX_PROBLEMS_SHOWN} more files have problems. List them all with: receipts verify")


@contextmanager
def _progress() -> "Iterator[OnProgress]":
    """A progress bar on stderr if that is a terminal."""
    from extractor.cli.display import Bar

    with Bar(is_shown=sys.stderr.isatty()) as bar:
        yield bar.show
