"""Entry point of `receipts`: global options, and errors as one line and an exit code."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from extractor.cli import ask, evaluate, installation, maintenance, processing, records, service_commands, status_command
from extractor.cli.common_options import Invocation
from extractor.cli.help_text import Command
from extractor.cli.terminal import tell
from extractor.errors import ExtractorError, StorageError

BUG = 1

app = typer.Typer(
    help="Drop receipt photos, scans and PDFs into a folder; get checked records in SQLite and JSON.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: it is read by scripts too, and Rich costs a third of the start
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(name: str, function: Callable[..., None], summary: str) -> None:
    """Add a command with its summary in `receipts --help`, where longer ones would be cut in a terminal of 80 characters."""
    app.command(name, cls=Command, short_help=summary)(function)


_add("init", installation.init, "Create folders, database and a settings file.")
_add("watch", processing.watch, "Run the service: read and file what is in the inbox.")
_add("add", processing.add, "Copy files into the inbox.")
_add("read", processing.read, "Read files and print records; store nothing.")
_add("list", records.list_records, "List records, or files and their states.")
_add("show", records.show, "Show everything about one record.")
_add("search", records.search, "Find records by words on the receipt.")
_add("export", records.export, "Write records as CSV or JSON.")
_add("retry", processing.retry, "Queue failed files again.")
_add("status", status_command.status, "Show service, queue, failures and disks.")
_add("backup", maintenance.backup, "Write database and file list into a tar file.")
_add("restore", maintenance.restore, "Restore database and files from a backup.")
_add("verify", maintenance.verify, "Compare database and outbox.")
app.add_typer(service_commands.app, name="service")
_add("doctor", installation.doctor, "Check the installation.")
_add("schema", installation.schema, "Print the JSON Schema of a record.")
_add("eval", evaluate.evaluate, "Measure accuracy on labelled receipts.")
_add("ask", ask.ask, "Ask the vision model about an image.")


@app.callback()
def _options(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Settings file; by default RECEIPTS_CONFIG, else receipts.toml in this folder.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=installation.show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.obj.config = config
    context.obj.debug = debug


def main() -> None:
    """Run the command line in `sys.argv` and exit with its code."""
    invocation = Invocation()
    try:
        app(obj=invocation)
    except Exception as error:  # noqa: BLE001  # top level: users see a traceback only with --debug
        if invocation.debug:
            traceback.print_exc()
        tell(explain(error))
        sys.exit(exit_code_of(error))


def exit_code_of(error: Exception) -> int:
    """The documented exit code of this error; 1 for a bug."""
    if isinstance(error, ExtractorError):
        return error.exit_code
    # Permissions or a full disk, where no function has reported them as an error of its own.
    return StorageError.exit_code if isinstance(error, OSError) else BUG


def explain(error: Exception) -> str:
    """What went wrong, and what to do."""
    if isinstance(error, ExtractorError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'operating system'}: {error.strerror or error}. Check its permissions and the space on its disk."
    advice = "This is a bug; run again with --debug in front of the command and report what it prints."
    return f"{type(error).__name__}: {error}. {advice}"
