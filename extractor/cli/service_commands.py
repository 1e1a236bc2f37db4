"""Commands for running under systemd or launchd: install, start, stop, reload, status, logs, uninstall."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.help_text import Command
from extractor.cli.terminal import safe

if TYPE_CHECKING:
    from extractor.service.service_manager import Manager
    from extractor.service.units import Program

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run the service under systemd (Linux) or launchd (macOS).")


@app.callback()
def _options(
    context: typer.Context,
    *,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the unit; needed if several installations run side by side.")
    ] = "receipts",
) -> None:
    from extractor.errors import ConfigError

    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise ConfigError(f"--name {name!r} is not a valid name of a unit. Use letters, digits, - and _.")
    context.obj.unit = name


@app.command(cls=Command)
def install(context: typer.Context) -> None:
    """Write the unit for this settings file.

    The service then starts with the session or the machine. Prints the files that were written.
    """
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
        typer.echo(f"These variables do not apply to the service: {', '.join(left)}. Set them in {safe(program.settings_file)}.", err=True)
    typer.echo("Start it with: receipts service start", err=True)


@app.command(cls=Command)
def start(context: typer.Context) -> None:
    """Start the service, and wait until it runs."""
    manager, name = _named(context)
    manager.start(name)
    typer.echo(f"{name} is running.", err=True)


@app.command(cls=Command)
def stop(context: typer.Context) -> None:
    """Stop the service, and wait until it has stopped.

    Receipts in hand are finished or queued again.
    """
    manager, name = _named(context)
    manager.stop(name)
    typer.echo(f"{name} has stopped.", err=True)


@app.command(cls=Command)
def reload(context: typer.Context) -> None:
    """Make the service reload its settings.

    Receipts in hand are finished with the old ones.
    """
    manager, name = _named(context)
    manager.reload(name)
    typer.echo("Asked the service to reload its settings. See the result with: receipts service logs", err=True)


@app.command(cls=Command)
def status(context: typer.Context) -> None:
    """Show what the service manager reports of the service.

    Exit code 0 if it runs, 1 if not.
    """
    manager, name = _named(context)
    raise typer.Exit(0 if manager.show_status(name) else 1)


@app.command(cls=Command)
def logs(
    context: typer.Context,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Show new lines until Ctrl-C.")] = False,
) -> None:
    """Show the last log lines of the service."""
    manager, name = _named(context)
    manager.show_logs(name, follow=follow)


@app.command(cls=Command)
def uninstall(context: typer.Context) -> None:
    """Stop the service and remove its unit. Receipts, records and settings stay."""
    manager, name = _named(context)
    typer.echo(f"removed {safe(manager.uninstall(name))}")


def _named(context: typer.Context) -> tuple["Manager", str]:
    """The manager and the unit's name. Needs no settings: a broken settings file must not prevent stopping a service."""
    from extractor.service.service_manager import find_manager

    return find_manager(), context.obj.unit


def _program(context: typer.Context) -> "Program":
    """What the unit runs: this interpreter with the settings file in use."""
    from extractor.config.settings import settings_file
    from extractor.errors import ConfigError
    from extractor.service.units import Program

    path = settings_file(context.obj.config).absolute()
    if not path.is_file():
        raise ConfigError(f"{path} does not exist. Create it with: receipts init")
    settings = context.obj.settings()
    # Not resolved: the interpreter of a virtual environment is a link, by which Python finds the environment.
    return Program(context.obj.unit, Path(sys.executable).absolute(), path, settings, _caches(settings.reader.name))


def _caches(reader: str) -> tuple[Path, ...]:
    """Folders that a vision model's libraries write to; none if no such model can be used."""
    import importlib.util
    import os

    if reader == "ocr" or importlib.util.find_spec("torch") is None:
        return ()
    return (Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"), Path.home() / ".triton")
