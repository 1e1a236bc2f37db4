"""The service manager of this system: systemd's for the user, or launchd. Each is told with its own command."""

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
NO_NAMESPACE = frozenset({"217", "226"})
"""Exit codes of systemd's own: user or mount namespaces are not allowed here. Source: systemd.exec(5)."""


class Commands:
    """Runs the system's own commands to their end."""

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What it said, for us."""
        return subprocess.run(words, check=False, text=True, capture_output=True)  # noqa: S603 -- our own words, no shell

    def show(self, *words: str) -> int:
        """Its exit code; what it says is for the terminal."""
        return subprocess.run(words, check=False).returncode  # noqa: S603 -- as above


class Manager(Protocol):
    """What can be asked of each of them; `name` is that of the unit."""

    def install(self, program: Program) -> tuple[str, ...]:
        """What was written, and what is to be done next, in lines."""
        ...

    def start(self, name: str) -> None:
        """Returns when the service works."""
        ...

    def stop(self, name: str) -> None:
        """Returns when it has ended."""
        ...

    def reload(self, name: str) -> None:
        """Makes it read its settings anew."""
        ...

    def show_status(self, name: str) -> bool:
        """Whether it runs; prints what the manager says."""
        ...

    def show_logs(self, name: str, *, follow: bool) -> None:
        """Prints its last log lines, and goes on with new ones."""
        ...

    def uninstall(self, name: str) -> Path:
        """The file that was removed; the service is stopped first. Receipts and records stay."""
        ...


def find_manager(program: Program | None = None, *, commands: Commands | None = None, platform: str = sys.platform) -> Manager:
    """The manager of this system, known to answer.

    Args:
        program: What is to be run; where there is no manager, the error says how to run it without one.
    Raises:
        ConfigError: There is none.
    """
    commands = commands or Commands()
    if platform == "darwin":
        return Launchd(commands)
    docker = "Run the service in Docker (deploy/compose.yaml)"
    otherwise = f"{docker}, or with this line in `crontab -e`: {cron_line(program)}" if program else f"{docker} or from cron."
    if platform != "linux" or not shutil.which("systemctl"):
        raise ConfigError(f"There is no service manager here that receipts knows, systemd or launchd. {otherwise}")
    _find_runtime(os.environ)
    answer = commands.ask("systemctl", "--user", "show", "--property=Version")
    if answer.returncode:
        fact = f"systemd does not answer for this user ({answer.stderr.strip() or answer.returncode})."
        raise ConfigError(f"{fact} Log in on the machine or with ssh, not with su or sudo, and try again. {otherwise}")
    return Systemd(commands, _number(answer.stdout))


def _find_runtime(environ: MutableMapping[str, str]) -> None:
    """A shell that came by `su` lacks the variable by which the manager is found."""
    runtime = Path(f"/run/user/{os.getuid()}")
    if "XDG_RUNTIME_DIR" not in environ and (runtime / "systemd").is_dir():
        environ["XDG_RUNTIME_DIR"] = str(runtime)


def _number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0


class Systemd:
    """The manager of a Linux user.

    Args:
        version: Of systemd.
        folder: Where the user's units lie.
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
        self._tell("daemon-reload")
        self._tell("enable", path.name)
        linger = "To keep it running when nobody is logged in, and to start it with the machine: loginctl enable-linger"
        return (f"wrote {path}", linger)

    def start(self, name: str) -> None:
        self._installed(name)
        answer = self._commands.ask("systemctl", "--user", "start", f"{name}.service")
        if answer.returncode:
            shown = self._commands.ask("systemctl", "--user", "show", "--property=ExecMainStatus", "--value", f"{name}.service")
            if shown.stdout.strip() in NO_NAMESPACE:
                way_out = "Set `sandbox = false` under [service], then: receipts service install"
                raise ConfigError(f"This system does not let users' services be closed in. {way_out}")
            raise ConfigError(f"{name} does not start ({answer.stderr.strip()}). See why with: receipts service logs")

    def stop(self, name: str) -> None:
        self._installed(name)
        self._tell("stop", f"{name}.service")

    def reload(self, name: str) -> None:
        self._installed(name)
        self._tell("reload", f"{name}.service")

    def show_status(self, name: str) -> bool:
        self._installed(name)
        return self._commands.show("systemctl", "--user", "status", "--no-pager", "--lines=0", f"{name}.service") == 0

    def show_logs(self, name: str, *, follow: bool) -> None:
        command = ("journalctl", "--user", f"--unit={name}.service", f"--lines={LOG_LINES}", "--no-pager", "--output=cat")
        self._commands.show(*command, *(["--follow"] if follow else []))

    def uninstall(self, name: str) -> Path:
        path = self._installed(name)
        self._tell("disable", "--now", path.name)
        path.unlink()
        self._tell("daemon-reload")
        return path

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.service"

    def _installed(self, name: str) -> Path:
        return _existing(self._path(name))

    def _tell(self, *words: str) -> None:
        _must(self._commands.ask("systemctl", "--user", *words))


class Launchd:
    """The manager of a macOS user.

    Args:
        home: Folder of the user.
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
        raise ConfigError(f"{path} is not there. Make it with: receipts service install")
    return path


def _must(answer: subprocess.CompletedProcess[str]) -> None:
    """Nothing, where the command has done it."""
    if answer.returncode:
        told = answer.stderr.strip() or f"exit code {answer.returncode}"
        raise ConfigError(f"`{' '.join(answer.args)}` failed: {told}. Look closer with: receipts service status")
