"""Commands about the installation: init, doctor, schema, and the version."""

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from extractor.cli.terminal import safe


class ReportFormat(StrEnum):
    """Format of reports on stdout."""

    TABLE = "table"
    JSON = "json"


def init(context: typer.Context) -> None:
    """Create the folders, the database and a settings file that explains every setting. Changes nothing that exists."""
    from extractor.config.settings import load_settings, make_settings_file, settings_file
    from extractor.storage.archive import prepare

    path = settings_file(context.obj.config)
    made = (path,) if make_settings_file(path) else ()
    for place in (*made, *prepare(load_settings(path))):
        typer.echo(f"created {safe(place)}", err=True)
    typer.echo("Ready. Start the service with `receipts watch`, and drop receipts into the inbox.", err=True)


def doctor(
    context: typer.Context,
    output: Annotated[ReportFormat, typer.Option("--format", "-f", help="Format of the findings on stdout.")] = ReportFormat.TABLE,
) -> None:
    """Check folders, permissions, database, disk, file events, OCR, model weights and GPU. Exit code 1 if a check fails."""
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
    """Print the JSON Schema of a record, as in the outbox and in what read, show and export print."""
    from extractor.schemas.record import Record

    typer.echo(json.dumps(Record.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False))


def show_version(value: bool) -> None:  # noqa: FBT001  # the signature that Typer calls
    """Print the version and exit if `--version` was given."""
    if value:
        from importlib.metadata import version

        sys.stdout.write(f"receipts {version('receipt-extractor')}\n")
        raise typer.Exit
