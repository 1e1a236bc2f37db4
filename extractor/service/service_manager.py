"""Controls the service manager of this system, systemd's user manager or launchd, with its own commands."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Protocol

from extractor.errors import ConfigError
from extractor.service.units import Program, cron_line, launchd_agent, systemd_unit
from extractor.storage.files.atomic import write_whole

LOG_LINES = "200"

# Exit codes of systemd if user or mount namespaces are not allowed. Source: systemd.exec(5).
NO_NAMESPACE = frozenset({"217", "226"})


class Commands:
    """Runs commands of the system and waits for their end."""

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command and captures its output."""
        return subprocess.run(words, check=False, text=True, capture_output=True)  # noqa: S603 -- no user input, no shell

    def show(self, *words: str) -> int:
        """Runs a command, whose output goes to the terminal, and returns its exit code."""
        return subprocess.run(words, check=False).returncode  # noqa: S603 -- as above


class Manager(Protocol):
    """Operations of a service manager; `name` is the name of the unit."""

    def install(self, program: Program) -> tuple[str, ...]:
        """Writes the unit, and returns lines that say what was written and what to do next."""
        ...

    def start(self, name: str) -> None:
        """Starts the service and waits until it is ready."""
        ...

    def stop(self, name: str) -> None:
        """Stops the service and waits for its end."""
        ...

    def reload(self, name: str) -> None:
        """Makes the service reload its settings."""
        ...

    def show_status(self, name: str) -> bool:
        """Prints the manager's status, and returns whether the service runs."""
        ...

    def show_logs(self, name: str, *, follow: bool) -> None:
        """Prints the last log lines and, with `follow`, new ones as they come."""
        ...

    def uninstall(self, name: str) -> Path:
        """Stops the service, removes its unit, and returns the removed file. Receipts and records are kept."""
        ...


def find_manager(program: Program | None = None, *, commands: Commands | None = None, platform: str = sys.platform) -> Manager:
    """The service manager of this system, which was checked to respond.

    Args:
        program: The program to run; if there is no manager, the error says how to run it without one.
    Raises:
        ConfigError: There is none.
    """
    commands = commands or Commands()
    if platform == "darwin":
        return Launchd(commands)
    docker = "Run the service in Docker (deploy/compose.yaml)"
    otherwise = f"{docker}, or with this line in `crontab -e`: {cron_line(program)}" if program else f"{docker} or from cron."
    if platform != "linux" or not shutil.which("systemctl"):
        raise ConfigError(f"This system has neither systemd nor launchd. {otherwise}")
    _find_runtime(os.environ)
    answer = commands.ask("systemctl", "--user", "show", "--property=Version")
    if answer.returncode:
        fact = f"systemd does not respond for this user ({answer.stderr.strip() or answer.returncode})."
        raise ConfigError(f"{fact} Log in on the machine or with ssh, not with su or sudo, and try again. {otherwise}")
    return Systemd(commands, _number(answer.stdout))


def _find_runtime(environ: MutableMapping[str, str]) -> None:
    """Sets the variable that locates the user manager, which a shell started by `su` lacks."""
    runtime = Path(f"/run/user/{os.getuid()}")
    if "XDG_RUNTIME_DIR" not in environ and (runtime / "systemd").is_dir():
        environ["XDG_RUNTIME_DIR"] = str(runtime)


def _number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0


class Systemd:
    """systemd's manager of a Linux user.

    Args:
        version: Version of systemd.
        folder: Folder of the user's units.
    """

    def __init__(self, commands: Commands, version: int, folder: Path | None = None) -> None:
        self._commands = commands
        self._version = version
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        self._folder = folder or home / "systemd" / "user"

    def install(self, program: Program) -> tuple[str, ...]:
        path = self._path(program.name)
        text = systemd_unit(program, version=self._version)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
        self._run("daemon-reload")
        self._run("enable", path.name)
        linger = "To keep it running when nobody is logged in, and to start it with the machine: loginctl enable-linger"
        return (f"wrote {path}", linger)

    def start(self, name: str) -> None:
        self._installed(name)
        answer = self._commands.ask("systemctl", "--user", "start", f"{name}.service")
        if answer.returncode:
            shown = self._commands.ask("systemctl", "--user", "show", "--property=ExecMainStatus", "--value", f"{name}.service")
            if shown.stdout.strip() in NO_NAMESPACE:
                advice = "Set `sandbox = false` under [service], then run: receipts service install"
                raise ConfigError(f"This system does not allow sandboxes for services of users. {advice}")
            raise ConfigError(f"{name} does not start ({answer.stderr.strip()}). See why with: receipts service logs")

    def stop(self, name: str) -> None:
        self._installed(name)
        self._run("stop", f"{name}.service")

    def reload(self, name: str) -> None:
        self._installed(name)
        self._run("reload", f"{name}.service")

    def show_status(self, name: str) -> bool:
        self._installed(name)
        return self._commands.show("systemctl", "--user", "status", "--no-pager", "--lines=0", f"{name}.service") == 0

    def show_logs(self, name: str, *, follow: bool) -> None:
        command = ("journalctl", "--user", f"--unit={name}.service", f"--lines={LOG_LINES}", "--no-pager", "--output=cat")
        self._commands.show(*command, *(["--follow"] if follow else []))

    def uninstall(self, name: str) -> Path:
        path = self._installed(name)
        self._run("disable", "--now", path.name)
        path.unlink()
        self._run("daemon-reload")
        return path

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.service"

    def _installed(self, name: str) -> Path:
        return _existing(self._path(name))

    def _run(self, *words: str) -> None:
        _must(self._commands.ask("systemctl", "--user", *words))


class Launchd:
    """launchd for a macOS user.

    Args:
        home: Home folder of the user.
    """

    def __init__(self, commands: Commands, home: Path | None = None) -> None:
        self._commands = commands
        self._home = home or Path.home()
        self._domain = f"gui/{os.getuid()}"

    def install(self, program: Program) -> tuple[str, ...]:
        path, log = self._path(program.name), self._log(program.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, launchd_agent(program, log))
        return (f"wrote {path}", f"It logs to {log}, and starts whenever you log in.")

    def start(self, name: str) -> None:
        path = _existing(self._path(name))
        if not self._is_loaded(name):
            _must(self._commands.ask("launchctl", "bootstrap", self._domain, str(path)))
        _must(self._commands.ask("launchctl", "kickstart", f"{self._domain}/{name}"))

    def stop(self, name: str) -> None:
        _existing(self._path(name))
        if self._is_loaded(name):
            _must(self._commands.ask("launchctl", "bootout", f"{self._domain}/{name}"))

    def reload(self, name: str) -> None:
        _existing(self._path(name))
        _must(self._commands.ask("launchctl", "kill", "SIGHUP", f"{self._domain}/{name}"))

    def show_status(self, name: str) -> bool:
        _existing(self._path(name))
        return self._commands.show("launchctl", "print", f"{self._domain}/{name}") == 0

    def show_logs(self, name: str, *, follow: bool) -> None:
        command = ("tail", "-n", LOG_LINES, *(["-F"] if follow else []), str(self._log(name)))
        self._commands.show(*command)

    def uninstall(self, name: str) -> Path:
        path = _existing(self._path(name))
        self.stop(name)
        path.unlink()
        return path

    def _path(self, name: str) -> Path:
        return self._home / "Library" / "LaunchAgents" / f"{name}.plist"

    def _log(self, name: str) -> Path:
        return self._home / "Library" / "Logs" / f"{name}.log"

    def _is_loaded(self, name: str) -> bool:
        return self._commands.ask("launchctl", "print", f"{self._domain}/{name}").returncode == 0


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError(f"{path} does not exist. Make it with: receipts service install")
    return path


def _must(answer: subprocess.CompletedProcess[str]) -> None:
    """Raises ConfigError if the command has failed."""
    if answer.returncode:
        reason = answer.stderr.strip() or f"exit code {answer.returncode}"
        raise ConfigError(f"`{' '.join(answer.args)}` failed: {reason}. See more with: receipts service status")
