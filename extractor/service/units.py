"""What a service manager needs to know to run `receipts watch`: a systemd unit, a launchd agent, a line for cron. Pure text."""

import plistlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from extractor.config.settings import Settings
from extractor.errors import ConfigError

STOP_SECONDS = 20
"""Twice the time that the service takes at most to stop cleanly."""
WATCHDOG_SECONDS = 90
START_SECONDS = 600
"""A large database is brought to a new schema, and a graphics driver is woken, in this time."""
FIRST_WITH_STEPS = 254
"""The first systemd that lets waits between restarts grow. Source: its NEWS file, `RestartSteps=`."""
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 -- only compared with


@dataclass(frozen=True)
class Program:
    """What is to be run.

    Attributes:
        name: Of the unit, without a suffix.
        python: The interpreter that has this package.
        settings_file: Absolute.
        caches: Folders outside inbox, outbox and database that the reader writes to.
    """

    name: str
    python: Path
    settings_file: Path
    settings: Settings
    caches: tuple[Path, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        # -P: a file in the working folder is never taken for a module. faulthandler: where a hung service was, in its last log lines.
        start = (str(self.python), "-P", "-X", "faulthandler", "-m", "extractor")
        return (*start, "--config", str(self.settings_file), "watch")

    @property
    def places(self) -> tuple[Path, ...]:
        """Folders that it writes to."""
        settings = self.settings
        return (settings.inbox_dir, settings.outbox_dir, settings.database.parent, *self.caches)

    @property
    def needs_network(self) -> bool:
        """Whether it listens for monitoring, or may load a model."""
        return self.settings.metrics.port is not None or bool(self.caches)


def systemd_unit(program: Program, *, version: int) -> str:
    """The user unit.

    Args:
        version: Of systemd; what it does not know is left out.
    Raises:
        ConfigError: A path cannot be written into a unit.
    Source: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.resource-control(5).
    """
    settings = program.settings
    families = "AF_UNIX AF_INET AF_INET6 AF_NETLINK" if program.needs_network else "AF_UNIX"
    unit = {"Description": f"Receipts from {_text(settings.inbox_dir)}", "StartLimitIntervalSec": "0"}
    service = {
        "Type": "notify",
        "NotifyAccess": "main",
        # The colon: no dollar sign in a path is taken for a variable.
        "ExecStart": ":" + " ".join(_quoted(part) for part in program.command),
        "ExecReload": "kill -HUP $MAINPID",
        "Restart": "on-failure",
        "RestartSec": "5",
        **({"RestartSteps": "8", "RestartMaxDelaySec": "300"} if version >= FIRST_WITH_STEPS else {}),
        "RestartPreventExitStatus": str(ConfigError.exit_code),  # a wrong setting is not cured by trying again
        "TimeoutStartSec": str(START_SECONDS),
        "TimeoutStopSec": str(STOP_SECONDS),
        "WatchdogSec": str(WATCHDOG_SECONDS),
        "KillMode": "mixed",  # the service stops its own child processes; what is left after the time goes with it
        "OOMPolicy": "continue",  # a child that took too much memory is the service's to replace
        **({"MemoryHigh": settings.service.memory_high} if settings.service.memory_high else {}),
        **({"MemoryMax": settings.service.memory_max} if settings.service.memory_max else {}),
        "LimitCORE": "0",  # a dump would hold receipts
        "NoNewPrivileges": "yes",
        "LockPersonality": "yes",
        "RestrictAddressFamilies": families,
        "RestrictNamespaces": "yes",
        "RestrictRealtime": "yes",
        "RestrictSUIDSGID": "yes",
        "SystemCallArchitectures": "native",
    }
    if settings.service.sandbox:
        # A place that is missing is for the service to tell of, in its own words; systemd would only give a number.
        places = (_quoted(f"-{place}") for place in dict.fromkeys(program.places))
        seen = (program.python, program.settings_file, *program.places)
        has_temporary = any(path.is_relative_to(temporary) for path in seen for temporary in TEMPORARY)
        service |= {
            "PrivateUsers": "yes",  # what lets a user's own manager build the rest
            "ProtectSystem": "strict",
            "ProtectHome": "read-only",
            "ReadWritePaths": " ".join(places),
            "PrivateTmp": "no" if has_temporary else "yes",
            "ProtectControlGroups": "yes",
            "ProtectKernelTunables": "yes",
        }
    sections = {"Unit": unit, "Service": service, "Install": {"WantedBy": "default.target"}}
    return "\n".join(f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items()) for name, values in sections.items())


def launchd_agent(program: Program, log: Path) -> bytes:
    """The agent for macOS, which starts at log-in and again after a failure.

    Args:
        log: File that what the program says is written to.
    Source: launchd.plist(5).
    """
    agent = {
        "Label": program.name,
        "ProgramArguments": list(program.command),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": STOP_SECONDS,
        "ProcessType": "Background",
        "StandardOutPath": str(log),
        "StandardErrorPath": str(log),
    }
    return plistlib.dumps(agent)


def cron_line(program: Program) -> str:
    """A line for `crontab -e` that starts it with the machine; cron takes a bare % for a line end."""
    return "@reboot " + shlex.join(program.command).replace("%", r"\%")


def _text(value: object) -> str:
    """The value as it stands in a unit: no specifiers, and only what can stand on one line."""
    text = str(value)
    if not text.isprintable():
        raise ConfigError(f"{text!r} cannot be written into a unit. Rename it without control characters and unusual spaces.")
    return text.replace("%", "%%")


def _quoted(value: object) -> str:
    """The value as one word of a unit."""
    return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
