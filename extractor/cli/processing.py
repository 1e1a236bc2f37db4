"""Commands that process files: watch, add, read, retry."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.common_options import Format, FormatOption, ReaderOption
from extractor.cli.terminal import quoted, safe, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extractor.cli.output import Row
    from extractor.config.settings import Settings
    from extractor.errors import ExtractorError
    from extractor.jobs import Job
    from extractor.storage.archive import Archive

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="Images or PDFs.", show_default=False)]


def watch(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Process what is in the inbox, then exit.")] = False,
    poll: Annotated[
        bool, typer.Option("--poll", help="List the inbox at intervals instead of waiting for file events: for network shares.")
    ] = False,
    reader: ReaderOption = None,
) -> None:
    """Read what is dropped into the inbox and file it, until stopped with Ctrl-C or SIGTERM. SIGHUP reloads the settings."""
    from extractor.cli.progress import live
    from extractor.runtime.logs import configure
    from extractor.service.app import build_service
    from extractor.service.systemd_notify import Notifier

    def load() -> "Settings":
        settings: Settings = context.obj.settings(inbox={"poll": True} if poll else None, reader={"name": reader} if reader else None)
        return settings

    settings = load()
    notifier = Notifier.from_environment()  # before anything can start a process that would inherit it
    summary = ""
    with live() as show:  # before the log takes stderr: its lines appear above the bar
        configure(settings.log)
        service = build_service(settings)
        try:
            if once:
                before = _counts(service.archive)
                with show(lambda: service):
                    service.run_once()
                summary = _summary(before, _counts(service.archive), settings)
            else:
                from extractor.service.daemon import Daemon

                typer.echo(f"Watching {safe(settings.inbox_dir)}. Results go to {safe(settings.outbox_dir)}. Stop with Ctrl-C.", err=True)
                # SIGHUP means that the terminal was closed, which ends the service; without a terminal it asks to reload the settings.
                daemon = Daemon(service, load=None if sys.stdin.isatty() else load, notifier=notifier)
                with show(lambda: daemon.service):
                    daemon.run()
        finally:
            service.archive.close()
    if summary:  # after the bar is gone: nothing else is written into its line
        typer.echo(summary, err=True)


def _counts(archive: "Archive") -> dict[str, int]:
    """How many files and records are in each state; no state of files has the name of a record's."""
    return {state.value: count for state, count in (*archive.job_queue.counts().items(), *archive.receipts.counts().items())}


def _summary(before: dict[str, int], after: dict[str, int], settings: "Settings") -> str:
    """What a run of `watch --once` did, and where the files went."""
    new = {state: count - before.get(state, 0) for state, count in after.items()}
    records = f"{new.get('accepted', 0)} accepted, {new.get('needs_review', 0)} to review"
    parts = [f"{new.get('done', 0)} filed in {quoted(settings.outbox_dir)}: {records}"]
    if new.get("failed"):
        parts.append(f"{new['failed']} failed, see failed/ there")
    if new.get("duplicate"):
        parts.append(f"{new['duplicate']} exact {'duplicate' if new['duplicate'] == 1 else 'duplicates'}, see duplicates/ there")
    if waiting := sum(after.get(state, 0) for state in ("queued", "reading", "stored")):
        parts.append(f"{waiting} waiting for another attempt")
    return "; ".join(parts) + "."


def add(context: typer.Context, files: FilesArgument) -> None:
    """Copy files into the inbox, each completely or not at all, replacing nothing. Prints the path of each copy."""
    from extractor.errors import ExtractorError
    from extractor.runtime.clock import SystemClock
    from extractor.storage.files.importer import drop_file
    from extractor.storage.files.inbox import Inbox

    settings = context.obj.settings()
    inbox = Inbox(settings.inbox_dir, settings.inbox, lambda _: None, SystemClock())
    failures = []
    for path in files:
        try:
            typer.echo(safe(drop_file(path, settings.inbox_dir, is_ignored=inbox.is_ignored)))
        except ExtractorError as error:
            failures.append(error)
            tell(error)
    raise typer.Exit(failures[0].exit_code if failures else 0)


def read(
    context: typer.Context,
    files: FilesArgument,
    *,
    reader: ReaderOption = None,
    output: FormatOption = Format.JSON,
) -> None:
    """Read files and print their records without storing anything. `image` in each record is the path as given."""
    from extractor.cli.display import record_table, stdout
    from extractor.cli.output import WRITERS

    failures: list[ExtractorError] = []
    rows = _read_rows(files, context.obj.settings(reader={"name": reader} if reader else None), failures, output)
    if output is Format.TABLE:
        stdout().print(record_table(rows))
    else:
        WRITERS[output](rows, sys.stdout)
    raise typer.Exit(failures[0].exit_code if failures else 0)


def _read_rows(files: list[Path], settings: "Settings", failures: "list[ExtractorError]", output: Format) -> "Iterator[Row]":
    """Yield rows as they come; errors of files that cannot be read are written to stderr and added to `failures`."""
    from extractor.api import read_files
    from extractor.cli.display import track
    from extractor.runtime.logs import configure

    configure(settings.log.model_copy(update={"level": "WARNING"}))
    # A bar and results on one screen at the same time would overwrite each other; a table is printed at the end.
    is_shown = sys.stderr.isatty() and (output is Format.TABLE or not sys.stdout.isatty())
    for path, result in track(read_files(files, settings), len(files), is_shown=is_shown):
        if isinstance(result, tuple):
            yield from (({"image": str(path)}, record) for record in result)
        else:
            failures.append(result)
            tell(result)


def retry(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids or names of failed files; by default all.")] = None,
) -> None:
    """Queue failed files again, after moving them back into the inbox. Prints which; the service reads them, or: receipts watch --once."""
    from extractor.errors import InputError
    from extractor.jobs import JobState

    with context.obj.archive() as archive:
        failed = archive.job_queue.jobs(JobState.FAILED) if names else ()
        chosen = {name: _matching(failed, name) for name in names or ()}
        unknown = [name for name, ids in chosen.items() if not ids]
        ids = {receipt_id for found in chosen.values() for receipt_id in found}
        # Without names: all. With names of which none fits: nothing.
        jobs = archive.retry(ids) if ids or not names else ()
    for job in jobs:
        typer.echo(f"{job.receipt_id} {safe(job.name)}")
    for name in unknown:
        tell(f"no failed file is called {name}. See them with: receipts list --files")
    raise typer.Exit(InputError.exit_code if unknown else 0)


def _matching(failed: "Sequence[Job]", name: str) -> set[str]:
    """The ids of the failed files that a name, an id or a part of one identifies.

    Raises:
        InputError: A part of an id fits several files.
    """
    from extractor.errors import InputError
    from extractor.storage.database.short_ids import is_part_of

    if named := {job.receipt_id for job in failed if name in {job.receipt_id, job.name, Path(job.filed_as or "").name}}:
        return named
    found = {job.receipt_id for job in failed if is_part_of(name, job.receipt_id)}
    if len(found) > 1:
        raise InputError(f"{name} fits several failed files: {', '.join(sorted(found))}. Give more characters of the one you mean.")
    return found
