"""Texts that make a service manager run `receipts watch`: a systemd unit, a launchd agent, a line for cron."""

import plistlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from extractor.config.settings import Settings
from extractor.errors import ConfigError

# Twice the longest time for a clean stop.
STOP_SECONDS = 20

WATCHDOG_SECONDS = 90

# Enough to upgrade the schema of a large database and to initialise a graphics driver.
START_SECONDS = 600

# The first version of systemd with growing waits between restarts. Source: its NEWS file, `RestartSteps=`.
FIRST_WITH_STEPS = 254

TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 -- only compared with


@dataclass(frozen=True)
class Program:
    """The program that the service manager runs.

    Attributes:
        name: Name of the unit, without suffix.
        python: The interpreter that has this package.
        settings_file: Absolute.
        caches: Further folders that the reader writes to.
    """

    name: str
    python: Path
    settings_file: Path
    settings: Settings
    caches: tuple[Path, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        # -P: a file in the working folder is never imported. faulthandler: the last log lines of a hung service show where it was.
        start = (str(self.python), "-P", "-X", "faulthandler", "-m", "extractor")
        return (*start, "--config", str(self.settings_file), "watch")

    @property
    def places(self) -> tuple[Path, ...]:
        """Folders that the program writes to."""
        settings = self.settings
        return (settings.inbox_dir, settings.outbox_dir, settings.database.parent, *self.caches)

    @property
    def needs_network(self) -> bool:
        """Whether it serves metrics or may download a model."""
        return self.settings.metrics.port is not None or bool(self.caches)


def systemd_unit(program: Program, *, version: int) -> str:
    """The user unit.

    Args:
        version: Version of systemd; options that it does not know are omitted.
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
        # The colon keeps systemd from expanding dollar signs in paths.
        "ExecStart": ":" + " ".join(_quoted(part) for part in program.command),
        "ExecReload": "kill -HUP $MAINPID",
        "Restart": "on-failure",
        "RestartSec": "5",
        **({"RestartSteps": "8", "RestartMaxDelaySec": "300"} if version >= FIRST_WITH_STEPS else {}),
        "RestartPreventExitStatus": str(ConfigError.exit_code),  # a restart does not correct a setting
        "TimeoutStartSec": str(START_SECONDS),
        "TimeoutStopSec": str(STOP_SECONDS),
        "WatchdogSec": str(WATCHDOG_SECONDS),
        "KillMode": "mixed",  # the service stops its child processes; those left after the timeout are killed
        "OOMPolicy": "continue",  # the service replaces a child that used too much memory
        **({"MemoryHigh": settings.service.memory_high} if settings.service.memory_high else {}),
        **({"MemoryMax": settings.service.memory_max} if settings.service.memory_max else {}),
        "LimitCORE": "0",  # a core dump would contain receipts
        "NoNewPrivileges": "yes",
        "LockPersonality": "yes",
        "RestrictAddressFamilies": families,
        "RestrictNamespaces": "yes",
        "RestrictRealtime": "yes",
        "RestrictSUIDSGID": "yes",
        "SystemCallArchitectures": "native",
    }
    if settings.service.sandbox:
        # The minus: a missing folder is reported by the service, whose message says more than the exit code of systemd.
        places = (_quoted(f"-{place}") for place in dict.fromkeys(program.places))
        seen = (program.python, program.settings_file, *program.places)
        has_temporary = any(path.is_relative_to(temporary) for path in seen for temporary in TEMPORARY)
        service |= {
            "PrivateUsers": "yes",  # lets a user's manager set up the rest
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
    """The agent for macOS, which starts at login and restarts after a failure.

    Args:
        log: File for the output of the program.
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
    """A line for `crontab -e` that starts the program with the machine; cron treats a bare % as a line end."""
    return "@reboot " + shlex.join(program.command).replace("%", r"\%")


def _text(value: object) -> str:
    """Escapes the value for a unit: percent signs are doubled; unprintable characters are an error."""
    text = str(value)
    if not text.isprintable():
        raise ConfigError(f"{text!r} cannot be written into a unit. Rename it without control characters and unusual spaces.")
    return text.replace("%", "%%")


def _quoted(value: object) -> str:
    """Quotes the value as one word of a unit."""
    return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
