"""What service managers are given: every path in it is read back as it was, and systemd itself finds no fault."""

import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from extractor.config.settings import MetricsSettings, ServiceSettings, Settings
from extractor.errors import ConfigError
from extractor.service.units import FIRST_WITH_STEPS, Program, cron_line, launchd_agent, systemd_unit

HOSTILE = "my receipts 100%h \"q\" 's' $HOME \\x20 é"


def program(folder: Path, **changes: object) -> Program:
    settings = Settings(inbox_dir=folder / "inbox", outbox_dir=folder / "outbox", database=folder / "db" / "receipts.db")
    return Program("receipts", Path(sys.executable), folder / "receipts.toml", settings.model_copy(update=changes))


def values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}=")]


def test_the_unit_names_everything_by_absolute_path() -> None:
    """Interpreter, settings file and the folders that may be written to, and no other."""
    unit = systemd_unit(program(Path("/srv/r")), version=252)
    assert values(unit, "ExecStart") == [
        f':"{sys.executable}" "-P" "-X" "faulthandler" "-m" "extractor" "--config" "/srv/r/receipts.toml" "watch"'
    ]
    assert values(unit, "ReadWritePaths") == ['"-/srv/r/inbox" "-/srv/r/outbox" "-/srv/r/db"']
    assert values(unit, "ProtectSystem") + values(unit, "ProtectHome") == ["strict", "read-only"]
    assert values(unit, "RestartPreventExitStatus") == ["2"]


def test_specifiers_and_quotes_are_escaped() -> None:
    """Percent signs, quotes and backslashes mean themselves; so do dollar signs, by the colon in front of the command."""
    unit = systemd_unit(program(Path("/srv") / HOSTILE), version=252)
    word = '"/srv/my receipts 100%%h \\"q\\" \'s\' $HOME \\\\x20 é/receipts.toml"'
    assert word in values(unit, "ExecStart")[0]
    assert values(unit, "ExecStart")[0].startswith(":")
    assert values(unit, "Description") == [f"Receipts from /srv/{HOSTILE}/inbox".replace("%", "%%")]


@pytest.mark.parametrize("name", ["line\nExecStart=/bin/evil", "bell\a", "lone \udcff byte"])
def test_a_path_that_no_unit_can_hold_is_refused(name: str) -> None:
    """A line end in a path cannot add a line to the unit."""
    with pytest.raises(ConfigError, match="control characters"):
        systemd_unit(program(Path("/srv") / name), version=252)


def test_settings_of_the_service_are_in_the_unit() -> None:
    """Limits only where they are set; without the sandbox nothing needs namespaces."""
    assert values(systemd_unit(program(Path("/srv")), version=252), "MemoryMax") == []
    service = ServiceSettings(memory_high="3G", memory_max="50%", sandbox=False)
    unit = systemd_unit(program(Path("/srv"), service=service), version=252)
    assert values(unit, "MemoryHigh") + values(unit, "MemoryMax") == ["3G", "50%"]
    assert [key for key in ("PrivateUsers", "ProtectSystem", "ReadWritePaths", "PrivateTmp") if values(unit, key)] == []
    assert values(unit, "NoNewPrivileges") == ["yes"]


def test_the_network_is_closed_where_nothing_needs_it(tmp_path: Path) -> None:
    """Without monitoring and without a model to load, the service cannot open an internet socket at all."""
    assert values(systemd_unit(program(Path("/srv")), version=252), "RestrictAddressFamilies") == ["AF_UNIX"]
    monitored = program(Path("/srv"), metrics=MetricsSettings(port=9464))
    assert "AF_INET " in values(systemd_unit(monitored, version=252), "RestrictAddressFamilies")[0]


def test_a_private_tmp_does_not_hide_the_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works in /tmp keeps it, be it with the receipts or with the program."""
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert values(systemd_unit(program(Path("/srv")), version=252), "PrivateTmp") == ["yes"]
    assert values(systemd_unit(program(Path("/tmp/r")), version=252), "PrivateTmp") == ["no"]  # noqa: S108 -- a path as text


def test_growing_waits_are_only_written_where_they_are_known() -> None:
    """An older systemd is not given words that it would complain of."""
    assert values(systemd_unit(program(Path("/srv")), version=FIRST_WITH_STEPS - 1), "RestartSteps") == []
    assert values(systemd_unit(program(Path("/srv")), version=FIRST_WITH_STEPS), "RestartMaxDelaySec") == ["300"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("sandbox", [True, False])
def test_systemd_finds_no_fault(tmp_path: Path, sandbox: bool) -> None:
    """`systemd-analyze verify` reads the unit without a word, also with the worst of paths."""
    (tmp_path / "run").mkdir(mode=0o700)
    service = ServiceSettings(memory_max="4G", sandbox=sandbox)
    unit = tmp_path / "receipts.service"
    unit.write_text(systemd_unit(program(Path("/srv") / HOSTILE, service=service), version=0), encoding="utf-8")
    verify = ["systemd-analyze", "--user", "--man=no", "verify", str(unit)]
    done = subprocess.run(verify, check=False, capture_output=True, text=True, env={"XDG_RUNTIME_DIR": str(tmp_path / "run")}, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_agent_is_read_back_as_it_was() -> None:
    """launchd starts the same command, again after a failure, and gives it time to stop."""
    made = program(Path("/Users/x") / HOSTILE)
    agent = plistlib.loads(launchd_agent(made, Path("/Users/x/Library/Logs/receipts.log")))
    assert agent["ProgramArguments"] == list(made.command)
    assert (agent["KeepAlive"], agent["ExitTimeOut"], agent["RunAtLoad"]) == ({"SuccessfulExit": False}, 20, True)


def test_the_line_for_cron_is_read_back_by_a_shell() -> None:
    """Cron turns a bare percent sign into a line end; escaped ones reach the shell as they are."""
    made = program(Path("/srv") / HOSTILE)
    line = cron_line(made)
    assert "%" not in line.replace(r"\%", "")
    assert shlex.split(line.removeprefix("@reboot ").replace(r"\%", "%")) == list(made.command)
