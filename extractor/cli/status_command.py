"""The command that shows the state of service, queue and disks."""

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from extractor.cli.installation import ReportFormat

if TYPE_CHECKING:
    from extractor.jobs import Job
    from extractor.service.status import ServiceStatus

WATCH_SECONDS = 2.0


def status(
    context: typer.Context,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Update the output until Ctrl-C.")] = False,
    output: Annotated[ReportFormat, typer.Option("--format", "-f", help="Format of the status on stdout.")] = ReportFormat.TABLE,
) -> None:
    """Show service, inbox, queue, records, failures and disks. Exit code 0 if a service runs, 1 if not."""
    from rich.live import Live

    from extractor.cli.display import status_page, stdout
    from extractor.runtime.clock import SystemClock
    from extractor.service.status import look

    with context.obj.archive() as archive, suppress(KeyboardInterrupt):
        seen = look(archive, SystemClock())
        if output is ReportFormat.JSON:
            typer.echo(_line(seen))
            while watch:
                time.sleep(WATCH_SECONDS)
                seen = look(archive, SystemClock())
                typer.echo(_line(seen))
        elif watch:
            with Live(status_page(seen), console=stdout(), auto_refresh=False) as live:
                while True:
                    time.sleep(WATCH_SECONDS)
                    seen = look(archive, SystemClock())
                    live.update(status_page(seen), refresh=True)
        else:
            stdout().print(status_page(seen))
    raise typer.Exit(1 if seen.process is None else 0)


def _line(seen: "ServiceStatus") -> str:
    """The status as one line of JSON."""
    numbers = seen.numbers
    values: dict[str, Any] = {
        "process": seen.process,
        "waiting": numbers.waiting,
        "oldest_seconds": numbers.oldest_seconds,
        "untaken": seen.untaken,
        "oldest_untaken_seconds": seen.oldest_untaken_seconds,
        "files": numbers.files,
        "records": numbers.records,
        "last_filed": _filed(numbers.last) if numbers.last else None,
        "failures": [_filed(job) | {"kind": job.error_kind, "why": job.error_message} for job in seen.failures],
        "free_bytes": seen.free_bytes,
    }
    return json.dumps(values, ensure_ascii=False)


def _filed(job: "Job") -> dict[str, Any]:
    when = job.filed_at.isoformat() if job.filed_at else None
    return {"receipt_id": job.receipt_id, "name": job.name, "filed_as": job.filed_as, "filed_at": when}
