"""Service managers are controlled with their own commands; a double replaces the commands, units are real files."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from extractor.config.settings import Settings
from extractor.errors import ConfigError
from extractor.service.service_manager import Commands, Launchd, Systemd, find_manager
from extractor.service.units import Program


class Told(Commands):
    """Notes every command; those that begin with a key of `fails` fail with its text."""

    def __init__(self, fails: Mapping[str, str] | None = None, says: str = "") -> None:
        self.fails, self.says = fails or {}, says
        self.words: list[str] = []

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        self.words.append(" ".join(words))
        error = next((text for start, text in self.fails.items() if self.words[-1].startswith(start)), "")
        return subprocess.CompletedProcess(words, bool(error), self.says, error)

    def show(self, *words: str) -> int:
        return self.ask(*words).returncode


@pytest.fixture
def program(settings: Settings) -> Program:
    return Program("office", Path(sys.executable), settings.database.with_name("receipts.toml"), settings)


def test_systemd_runs_each_command(program: Program, tmp_path: Path) -> None:
    """Install writes the unit and enables it; start, reload, stop and status name it; uninstall takes all back."""
    told = Told()
    systemd = Systemd(told, 252, tmp_path / "units")
    lines = systemd.install(program)
    unit = tmp_path / "units" / "office.service"
    assert lines[0] == f"wrote {unit}"
    assert "loginctl enable-linger" in lines[1]
    assert "WantedBy=default.target" in unit.read_text()
    systemd.start("office")
    systemd.reload("office")
    assert systemd.show_status("office")
    systemd.show_logs("office", follow=True)
    systemd.stop("office")
    assert systemd.uninstall("office") == unit
    assert not unit.exists()
    assert [words.removeprefix("systemctl --user ") for words in told.words] == [
        "daemon-reload",
        "enable office.service",
        "start office.service",
        "reload office.service",
        "status --no-pager --lines=0 office.service",
        "journalctl --user --unit=office.service --lines=200 --no-pager --output=cat --follow",
        "stop office.service",
        "disable --now office.service",
        "daemon-reload",
    ]


@pytest.mark.parametrize(("code", "way_out"), [("226", "sandbox = false"), ("217", "sandbox = false"), ("2", "service logs")])
def test_a_start_that_fails_says_where_to_look(program: Program, tmp_path: Path, code: str, way_out: str) -> None:
    """Where the system forbids the sandbox, the setting is named; else the log has the reason."""
    systemd = Systemd(Told({"systemctl --user start": "Job failed."}, says=code + "\n"), 252, tmp_path)
    systemd.install(program)
    with pytest.raises(ConfigError, match=way_out):
        systemd.start("office")


def test_launchd_runs_each_command(program: Program, tmp_path: Path) -> None:
    """The agent is loaded, started, reloaded and removed."""
    told = Told({"launchctl print": "Could not find service"})
    launchd = Launchd(told, tmp_path)
    agent = tmp_path / "Library" / "LaunchAgents" / "office.plist"
    assert launchd.install(program)[0] == f"wrote {agent}"
    launchd.start("office")
    told.fails = {}
    launchd.reload("office")
    assert launchd.show_status("office")
    launchd.show_logs("office", follow=False)
    assert launchd.uninstall("office") == agent
    assert not agent.exists()
    assert [words.split()[1] for words in told.words] == ["print", "bootstrap", "kickstart", "kill", "print", "-n", "print", "bootout"]


@pytest.mark.parametrize("kind", [Systemd, Launchd])
@pytest.mark.parametrize("order", ["start", "stop", "reload", "show_status", "uninstall"])
def test_a_unit_that_is_not_installed_is_an_error(kind: type[Systemd | Launchd], order: str, tmp_path: Path) -> None:
    """The error says how to install it; no command is run."""
    told = Told()
    made = Systemd(told, 252, tmp_path) if kind is Systemd else Launchd(told, tmp_path)
    with pytest.raises(ConfigError, match="receipts service install"):
        getattr(made, order)("office")
    assert told.words == []


def test_a_command_that_fails_is_an_error(program: Program, tmp_path: Path) -> None:
    """What the manager said is in the error."""
    with pytest.raises(ConfigError, match=r"enable office\.service` failed: Access denied"):
        Systemd(Told({"systemctl --user enable": "Access denied"}), 252, tmp_path).install(program)


def test_without_a_manager_the_error_says_what_to_do(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """No systemd, or none for this user: Docker, or this very line for cron."""
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/systemctl")
    told = Told({"systemctl": "Failed to connect to bus: No medium found"})
    with pytest.raises(ConfigError, match=r"No medium found.*ssh.*@reboot .*watch"):
        find_manager(program, commands=told, platform="linux")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    for platform in ("linux", "win32"):
        with pytest.raises(ConfigError, match=r"neither systemd nor launchd.*Docker.*@reboot"):
            find_manager(program, commands=told, platform=platform)


def test_the_manager_of_the_system_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd where it answers, launchd on macOS."""
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/systemctl")
    assert isinstance(find_manager(commands=Told(says="Version=252 (252.38)"), platform="linux"), Systemd)
    assert isinstance(find_manager(commands=Told(), platform="darwin"), Launchd)
