"""Commands that move files along: watch, add, read, retry."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.common_options import Format, FormatOption, ReaderOption
from extractor.cli.terminal import safe, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extractor.cli.output import Row
    from extractor.config.settings import Settings
    from extractor.errors import ExtractorError
    from extractor.storage.archive import Archive

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Images or PDFs.", show_default=False)]


def watch(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Work off what is in the inbox, then exit.")] = False,
    poll: Annotated[bool, typer.Option("--poll", help="Look instead of waiting for events: for network shares.")] = False,
    reader: ReaderOption = None,
) -> None:
    """Take what is dropped into the inbox, read it and file it, until stopped with Ctrl-C or SIGTERM; SIGHUP reads the settings anew."""
    from extractor.cli.progress import live
    from extractor.runtime.logs import configure
    from extractor.service.app import build_service
    from extractor.service.systemd_notify import Notifier

    def load() -> "Settings":
        settings: Settings = context.obj.settings(inbox={"poll": True} if poll else None, reader={"name": reader} if reader else None)
        return settings

    settings = load()
    notifier = Notifier.from_environment()  # before anything can start a process that would inherit it
    with live() as show:  # before the log takes stderr: its lines appear above the bar
        configure(settings.log)
        service = build_service(settings)
        try:
            if once:
                before = _counts(service.archive)
                with show(lambda: service):
                    service.run_once()
                typer.echo(_summary(before, _counts(service.archive), settings), err=True)
            else:
                from extractor.service.daemon import Daemon

                typer.echo(f"Watching {safe(settings.inbox_dir)}. Results go to {safe(settings.outbox_dir)}. Stop with Ctrl-C.", err=True)
                # Whoever closes the terminal of a service means to end it; without a terminal, SIGHUP asks to read the settings anew.
                daemon = Daemon(service, load=None if sys.stdin.isatty() else load, notifier=notifier)
                with show(lambda: daemon.service):
                    daemon.run()
        finally:
            service.archive.close()


def _counts(archive: "Archive") -> dict[str, int]:
    """How many files and records are in each state; the two share no name."""
    return {state.value: count for state, count in (*archive.job_queue.counts().items(), *archive.receipts.counts().items())}


def _summary(before: dict[str, int], after: dict[str, int], settings: "Settings") -> str:
    """What a run of `watch --once` has done, and where the files went."""
    new = {state: count - before.get(state, 0) for state, count in after.items()}
    records = f"{new.get('accepted', 0)} accepted, {new.get('needs_review', 0)} to review"
    parts = [f"{new.get('done', 0)} filed in {safe(settings.outbox_dir)}: {records}"]
    if new.get("failed"):
        parts.append(f"{new['failed']} failed, see failed/ there")
    if new.get("duplicate"):
        parts.append(f"{new['duplicate']} known already by its bytes, see duplicates/ there")
    if waiting := sum(after.get(state, 0) for state in ("queued", "reading", "stored")):
        parts.append(f"{waiting} waiting to be tried again")
    return "; ".join(parts) + "."


def add(context: typer.Context, files: FilesArgument) -> None:
    """Copy files into the inbox: each appears there whole or not at all, and replaces nothing. Prints where each copy lies."""
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
    """Read files and print their records, storing nothing. Each record has its path, as given, under `image`."""
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
    """Rows as they come; files that cannot be read are told of on stderr and put into `failures`."""
    from extractor.api import read_files
    from extractor.cli.display import track
    from extractor.runtime.logs import configure

    configure(settings.log.model_copy(update={"level": "WARNING"}))
    # A bar and results that appear at the same time on one screen would tear each other apart; a table appears at the end.
    is_shown = sys.stderr.isatty() and (output is Format.TABLE or not sys.stdout.isatty())
    for path, result in track(read_files(files, settings), len(files), is_shown=is_shown):
        if isinstance(result, tuple):
            yield from (({"image": str(path)}, record) for record in result)
        else:
            failures.append(result)
            tell(result)


def retry(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids or names of failed files; all by default.")] = None,
) -> None:
    """Put failed files back into the inbox and its queue. Prints which; a running service takes them, else: receipts watch --once."""
    from extractor.errors import InputError

    with context.obj.archive() as archive:
        jobs = archive.retry(names or ())
    for job in jobs:
        typer.echo(f"{job.receipt_id} {safe(job.name)}")
    if names and not jobs:
        raise InputError(f"No failed file is called {' or '.join(names)}. See them with: receipts list --files")
