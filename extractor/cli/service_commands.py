"""Commands that put the service under the system's own service manager: install, start, stop, reload, status, logs, uninstall."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.terminal import safe

if TYPE_CHECKING:
    from extractor.service.service_manager import Manager
    from extractor.service.units import Program

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Let systemd (Linux) or launchd (macOS) run the service for this user.")


@app.callback()
def _options(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option("--name", help="Name of the unit, where several installations run side by side.")] = "receipts",
) -> None:
    from extractor.errors import ConfigError

    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise ConfigError(f"--name {name!r} cannot name a unit. Use letters, digits, - and _.")
    context.obj.unit = name


@app.command()
def install(context: typer.Context) -> None:
    """Write the unit for this settings file, so that the service starts with the session or the machine. Prints what was written."""
    import os

    from extractor.config.settings import CONFIG_VARIABLE, PREFIX
    from extractor.service.service_manager import find_manager
    from extractor.storage.archive import prepare

    program = _program(context)
    manager = find_manager(program)
    prepare(program.settings)
    for line in manager.install(program):
        typer.echo(safe(line))
    if left := sorted(name for name in os.environ if name.startswith(PREFIX) and name != CONFIG_VARIABLE):
        typer.echo(f"Not taken along: {', '.join(left)}. Write them into {safe(program.settings_file)}.", err=True)
    typer.echo("Start it with: receipts service start", err=True)


@app.command()
def start(context: typer.Context) -> None:
    """Start the service, and return when it works."""
    manager, name = _named(context)
    manager.start(name)
    typer.echo(f"{name} works.", err=True)


@app.command()
def stop(context: typer.Context) -> None:
    """Stop the service, and return when it has put back what it had in hand."""
    manager, name = _named(context)
    manager.stop(name)
    typer.echo(f"{name} has stopped.", err=True)


@app.command()
def reload(context: typer.Context) -> None:
    """Make the service read its settings anew; it finishes the receipts in hand with the old ones."""
    manager, name = _named(context)
    manager.reload(name)
    typer.echo("Told. What came of it: receipts service logs", err=True)


@app.command()
def status(context: typer.Context) -> None:
    """Show what the service manager says of the service. Exit code 0 where it runs, 1 where it does not."""
    manager, name = _named(context)
    raise typer.Exit(0 if manager.show_status(name) else 1)


@app.command()
def logs(
    context: typer.Context,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new lines until Ctrl-C.")] = False,
) -> None:
    """Show the last log lines of the service."""
    manager, name = _named(context)
    manager.show_logs(name, follow=follow)


@app.command()
def uninstall(context: typer.Context) -> None:
    """Stop the service and remove its unit. Receipts, records and settings stay."""
    manager, name = _named(context)
    typer.echo(f"removed {safe(manager.uninstall(name))}")


def _named(context: typer.Context) -> tuple["Manager", str]:
    """The manager, and the unit's name: a broken settings file keeps nobody from stopping a service."""
    from extractor.service.service_manager import find_manager

    return find_manager(), context.obj.unit


def _program(context: typer.Context) -> "Program":
    """What is to be run: this interpreter, with the settings file that counts here."""
    from extractor.config.settings import settings_file
    from extractor.errors import ConfigError
    from extractor.service.units import Program

    path = settings_file(context.obj.config).absolute()
    if not path.is_file():
        raise ConfigError(f"{path} is not there. Make it with: receipts init")
    settings = context.obj.settings()
    # Not resolved: a virtual environment is known by the link that its interpreter is.
    return Program(context.obj.unit, Path(sys.executable).absolute(), path, settings, _caches(settings.reader.name))


def _caches(reader: str) -> tuple[Path, ...]:
    """Folders that a vision model's libraries write to; none where no such model can be chosen."""
    import importlib.util
    import os

    if reader == "ocr" or importlib.util.find_spec("torch") is None:
        return ()
    return (Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"), Path.home() / ".triton")
