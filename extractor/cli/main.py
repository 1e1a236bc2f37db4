"""The entry of `receipts`: options that every command shares, and errors as one line and an exit code."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from extractor.cli import ask, evaluate, installation, maintenance, processing, records, service_commands, status_command
from extractor.cli.common_options import Invocation
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
app.command("init")(installation.init)
app.command("watch")(processing.watch)
app.command("add")(processing.add)
app.command("read")(processing.read)
app.command("list")(records.list_records)
app.command("show")(records.show)
app.command("search")(records.search)
app.command("export")(records.export)
app.command("retry")(processing.retry)
app.command("status")(status_command.status)
app.command("backup")(maintenance.backup)
app.command("restore")(maintenance.restore)
app.command("verify")(maintenance.verify)
app.add_typer(service_commands.app, name="service")
app.command("doctor")(installation.doctor)
app.command("schema")(installation.schema)
app.command("eval")(evaluate.evaluate)
app.command("ask")(ask.ask)


@app.callback()
def _options(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Settings file; RECEIPTS_CONFIG or receipts.toml here by default.", show_default=False),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=installation.show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.obj.config = config
    context.obj.debug = debug


def main() -> None:
    """Runs the command line in `sys.argv` and exits with its code."""
    invocation = Invocation()
    try:
        app(obj=invocation)
    except Exception as error:  # noqa: BLE001  # the border of the program: no error reaches a user as a traceback unasked
        if invocation.debug:
            traceback.print_exc()
        tell(explain(error))
        sys.exit(exit_code_of(error))


def exit_code_of(error: Exception) -> int:
    """The exit code that the manual lists for this error; 1 for a bug of ours."""
    if isinstance(error, ExtractorError):
        return error.exit_code
    # What the operating system refuses (rights, full disk) and no function has put into better words.
    return StorageError.exit_code if isinstance(error, OSError) else BUG


def explain(error: Exception) -> str:
    """The fact and the way out."""
    if isinstance(error, ExtractorError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}. Check its rights and the space on its disk."
    way_out = "This is a bug; run again with --debug in front of the command and report what it prints."
    return f"{type(error).__name__}: {error}. {way_out}"
