"""Commands about the installation: init, doctor, schema, and the version."""

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from extractor.cli.terminal import safe


class ReportFormat(StrEnum):
    """How findings are written to stdout."""

    TABLE = "table"
    JSON = "json"


def init(context: typer.Context) -> None:
    """Make the folders, the database and a settings file that explains every setting. Changes nothing that is there."""
    from extractor.config.settings import load_settings, make_settings_file, settings_file
    from extractor.storage.archive import prepare

    path = settings_file(context.obj.config)
    made = (path,) if make_settings_file(path) else ()
    for place in (*made, *prepare(load_settings(path))):
        typer.echo(f"made {safe(place)}", err=True)
    typer.echo("Ready. Drop receipts into the inbox, and start: receipts watch", err=True)


def doctor(
    context: typer.Context,
    output: Annotated[ReportFormat, typer.Option("--format", "-f", help="How findings are written to stdout.")] = ReportFormat.TABLE,
) -> None:
    """Examine folders, rights, database, disk, events, OCR, weights and GPU, and say what to do. Exit code 1 where something fails."""
    from extractor.doctor import Level, examine

    has_failed = False
    findings = []
    for finding in examine(context.obj.settings()):
        has_failed |= finding.level is Level.FAIL
        if output is ReportFormat.JSON:
            findings.append({"name": finding.name, "level": finding.level, "fact": finding.fact, "advice": finding.advice})
        else:
            typer.echo(
                f"{finding.level:<4}  {finding.name}: {safe(finding.fact)}" + (f". {safe(finding.advice)}" if finding.advice else "")
            )
    if output is ReportFormat.JSON:
        typer.echo(json.dumps(findings, ensure_ascii=False, indent=2))
    raise typer.Exit(1 if has_failed else 0)


def schema() -> None:
    """Print the JSON Schema of a record: of the files in the outbox, and of what read, show and export print."""
    from extractor.schemas.record import Record

    typer.echo(json.dumps(Record.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False))


def show_version(value: bool) -> None:  # noqa: FBT001  # the signature that Typer calls
    """Prints the version and exits where `--version` was given."""
    if value:
        from importlib.metadata import version

        sys.stdout.write(f"receipts {version('receipt-extractor')}\n")
        raise typer.Exit
