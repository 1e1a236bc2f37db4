"""What systemd hears, on a real socket of the kind that it listens at."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from extractor.service import systemd_notify
from extractor.service.systemd_notify import MAX_STATUS_CHARACTERS, Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that hears datagrams, and its address as the environment has it."""
    path = str(tmp_path / "notify")
    address = path if request.param == "path" else f"@receipts-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1) if request.param == "abstract" else address)
        listening.settimeout(10)
        yield listening, address


def test_every_message_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    """Ready, alive, status and stopping arrive as the protocol has them; an unchanged status is not sent again."""
    listening, address = manager
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    notifier = Notifier.from_environment(environ)
    notifier.ready()
    notifier.alive()
    notifier.status("3 waiting\nREADY=1" + "x" * 1000)
    notifier.status("3 waiting")
    notifier.status("3 waiting")
    notifier.stopping()
    heard = [listening.recv(4096).decode() for _ in range(5)]
    assert heard[:2] == ["READY=1", "WATCHDOG=1"]
    assert heard[2] == ("STATUS=3 waiting READY=1" + "x" * 1000)[: MAX_STATUS_CHARACTERS + len("STATUS=")]
    assert heard[3:] == ["STATUS=3 waiting", "STOPPING=1"]
    assert notifier.watchdog_seconds == 30


def test_child_processes_inherit_nothing(manager: tuple[socket.socket, str]) -> None:
    """The variables are taken out of the environment: a child must not speak for the service."""
    environ = {"NOTIFY_SOCKET": manager[1], "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier.from_environment(environ)
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}],
)
def test_a_watchdog_for_nobody_or_another_is_none(environ: dict[str, str]) -> None:
    """Only what is meant for this process counts."""
    assert Notifier.from_environment(environ).watchdog_seconds is None


def test_nobody_to_tell_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a manager nothing is said; one that has gone is noted in the log, and the service goes on."""
    Notifier().ready()
    assert caplog.messages == []
    Notifier(str(tmp_path / "gone")).ready()
    assert caplog.messages == ["manager_not_notified"]


def test_a_manager_that_does_not_listen_holds_nobody_up(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When its queue is full, the message is given up."""
    monkeypatch.setattr(systemd_notify, "SEND_TIMEOUT_SECONDS", 0.001)
    notifier = Notifier(manager[1])
    while "manager_not_notified" not in caplog.messages:
        notifier.ready()


def test_alive_is_only_said_where_a_watchdog_listens(manager: tuple[socket.socket, str]) -> None:
    """A unit without WatchdogSec hears no signs of life."""
    notifier = Notifier(manager[1])
    notifier.alive()
    notifier.stopping()
    assert manager[0].recv(100) == b"STOPPING=1"
