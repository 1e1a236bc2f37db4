"""The service as a daemon: monitoring, signs of life and changed settings, over real sockets; waits poll with a deadline."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from extractor.config.settings import InboxSettings, LogSettings, MetricsSettings, Settings, WorkSettings
from extractor.errors import ConfigError, DatabaseDamaged, StorageError
from extractor.jobs import JobState, Source
from extractor.schemas.record import Attempt, Record, RecordStatus, ReviewReason
from extractor.service.app import build_service
from extractor.service.daemon import Daemon
from extractor.service.health import HealthServer
from extractor.service.lifecycle import Service
from extractor.service.lock import InstanceLock
from extractor.service.systemd_notify import Notifier
from extractor.testing import ScriptedExtraction, make_record

DEADLINE_SECONDS = 20.0


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics": MetricsSettings(port=0)})


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of settings sets up the log anew; pytest's own handlers must stay."""
    monkeypatch.setattr("extractor.service.daemon.configure", lambda _: None)


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    """The daemon in a thread, stopped at the end."""
    first = daemon.service
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        if first.archive.settings.metrics.port is not None:
            eventually(lambda: daemon.health_server, "the start of monitoring")
        yield daemon
    finally:
        first.stop()
        thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def ask(daemon: Daemon, path: str) -> tuple[int, str]:
    assert daemon.health_server is not None
    host, port = daemon.health_server.address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=DEADLINE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(page: str) -> dict[tuple[str, str], float]:
    """Every sample by name and its labels' values."""
    families = text_string_to_metric_families(page)
    return {(sample.name, " ".join(sample.labels.values())): sample.value for family in families for sample in family.samples}


@contextmanager
def manager(path: Path) -> Iterator[list[bytes]]:
    """What systemd would have heard so far at this socket."""
    heard: list[bytes] = []

    def listen() -> None:
        while message := listening.recv(1000):
            heard.append(message)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", str(path))
            thread.join(DEADLINE_SECONDS)


def done(service: Service) -> int:
    return service.archive.job_queue.counts().get(JobState.DONE, 0)


def test_health_answers_while_a_long_read_goes_on(settings: Settings, draw: Callable[..., Path]) -> None:
    """A read that takes its time is progress, and both pages are answered meanwhile."""
    began, may_end = threading.Event(), threading.Event()

    def slow(_: Source) -> None:
        began.set()
        may_end.wait(DEADLINE_SECONDS)

    draw(settings.inbox_dir / "long.png")
    with running(Daemon(build_service(settings, extract=ScriptedExtraction(slow)))) as daemon:
        assert began.wait(DEADLINE_SECONDS)
        code, body = ask(daemon, "/healthz")
        assert (code, json.loads(body)["status"], json.loads(body)["reasons"]) == (200, "ok", [])
        assert set(json.loads(body)["last_sign_seconds"]) == {"inbox", "worker"}
        code, page = ask(daemon, "/metrics")
        assert (code, samples(page)["receipts_queue_files", "reading"], samples(page)["receipts_healthy", ""]) == (200, 1, 1)
        may_end.set()


def test_a_hung_read_is_unhealthy_and_gets_no_more_watchdog_messages(
    settings: Settings, draw: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When a step takes longer than the settings allow, /healthz says so in words, and the watchdog is left to bark."""
    settings = settings.model_copy(update={"work": WorkSettings(hung_seconds=0.5)})
    began, may_end = threading.Event(), threading.Event()

    def hang(_: Source) -> None:
        began.set()
        may_end.wait(DEADLINE_SECONDS)

    draw(settings.inbox_dir / "hangs.png")
    with manager(tmp_path / "notify") as heard:
        notifier = Notifier(str(tmp_path / "notify"), watchdog_seconds=0.06)
        with running(Daemon(build_service(settings, extract=ScriptedExtraction(hang), check=lambda _: None), notifier=notifier)) as daemon:
            assert began.wait(DEADLINE_SECONDS)
            eventually(lambda: any(message.startswith(b"STATUS=Hung: worker") for message in heard), "the news for systemd")
            before, told = len(heard), caplog.messages.count("service_hung")
            code, body = ask(daemon, "/healthz")
            assert code == 503
            assert any(reason.startswith("worker has given no sign of life") for reason in json.loads(body)["reasons"])
            eventually(lambda: len(heard) > before, "later news")
            assert b"WATCHDOG=1" not in heard[before:]
            assert caplog.messages.count("service_hung") == told, "it is told once"
            may_end.set()
            eventually(lambda: ask(daemon, "/healthz")[0] == 200, "the recovery")
            eventually(lambda: b"WATCHDOG=1" in heard[before:], "a new sign of life")


def test_systemd_is_notified_of_start_progress_and_end(settings: Settings, draw: Callable[..., Path], tmp_path: Path) -> None:
    """READY once the threads are about to start, WATCHDOG while they go on, STATUS with numbers alone, STOPPING at the end."""
    draw(settings.inbox_dir / "a.png")
    with manager(tmp_path / "notify") as heard:
        notifier = Notifier(str(tmp_path / "notify"), watchdog_seconds=0.06)
        with running(Daemon(build_service(settings, extract=ScriptedExtraction()), notifier=notifier)):
            eventually(lambda: b"STATUS=0 waiting, 1 filed, 0 to review, 0 failed" in heard, "the status")
        eventually(lambda: heard[-1] == b"STOPPING=1", "the end")
    assert heard[0] == b"READY=1"
    assert b"WATCHDOG=1" in heard


def test_metrics_tell_what_was_done(settings: Settings, draw: Callable[..., Path]) -> None:
    """Numbers of the database, of the disks and of this process; Prometheus' own parser reads the page."""

    def script(source: Source) -> Record | None:
        if source.name == "unsure.png":
            reasons = (ReviewReason(field="total", kind="missing", message="m"),)
            attempts = (Attempt(rung="first", fields=()), Attempt(rung="again", fields=("total",)))
            return make_record(source, status=RecordStatus.NEEDS_REVIEW, review_reasons=reasons, attempts=attempts, model="1")
        return None

    draw(settings.inbox_dir / "sure.png")
    draw(settings.inbox_dir / "unsure.png")
    (settings.inbox_dir / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 half a picture")
    with running(Daemon(build_service(settings, extract=ScriptedExtraction(script)))) as daemon:
        object.__setattr__(daemon.service, "restarts", lambda: Counter({"crashed": 3}))
        eventually(lambda: samples(ask(daemon, "/metrics")[1]).get(("receipts_stage_seconds_count", "file")) == 3, "the files")
        found = samples(ask(daemon, "/metrics")[1])
    expected = {
        ("receipts_files", "done"): 2,
        ("receipts_files", "failed"): 1,
        ("receipts_queue_files", "queued"): 0,
        ("receipts_queue_oldest_seconds", ""): 0,
        ("receipts_records", "needs_review"): 1,
        ("receipts_stored_total", "accepted"): 1,
        ("receipts_stored_total", "needs_review"): 1,
        ("receipts_needs_review_total", "missing"): 1,
        ("receipts_asked_again_total", ""): 1,
        ("receipts_questions_total", "first"): 1,
        ("receipts_reader_restarts_total", "crashed"): 3,
        ("receipts_reader_restarts_total", "hung"): 0,
        ("receipts_stage_seconds_count", "read"): 2,
        ("receipts_stage_seconds_count", "store"): 2,
        ("receipts_stage_seconds_count", "file"): 3,
        ("receipts_database_up", ""): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["receipts_stage_seconds_count", "check"] >= 3
    assert {place for name, place in found if name == "receipts_disk_free_bytes"} == {"inbox", "outbox", "database"}
    assert next(labels for name, labels in found if name == "receipts_build_info").split()[1] == "scripted"
    assert found["receipts_last_filed_timestamp_seconds", ""] > 0


def test_what_cannot_be_used_is_unhealthy(settings: Settings, draw: Callable[..., Path]) -> None:
    """/healthz describes a missing inbox or database, and monitoring keeps responding."""
    inbox = InboxSettings(settle_seconds=0, rescan_seconds=0.1)
    with running(Daemon(build_service(settings.model_copy(update={"inbox": inbox}), extract=ScriptedExtraction()))) as daemon:
        settings.inbox_dir.rmdir()
        eventually(lambda: ask(daemon, "/healthz")[0] == 503, "the notice of the missing inbox")
        assert json.loads(ask(daemon, "/healthz")[1])["reasons"] == ["inbox: cannot be listed now"]
        assert ("receipts_disk_free_bytes", "inbox") not in samples(ask(daemon, "/metrics")[1])
        settings.inbox_dir.mkdir()
        eventually(lambda: ask(daemon, "/healthz")[0] == 200, "the recovery")


@pytest.mark.parametrize(
    "error", [StorageError("receipts.db: disk I/O error. Check the disk."), DatabaseDamaged("receipts.db is damaged.")]
)
def test_a_database_that_cannot_be_read_is_unhealthy(settings: Settings, error: Exception) -> None:
    """/healthz answers 503 and says why, and /metrics still has the numbers of the process."""
    service = build_service(settings, extract=ScriptedExtraction())

    class Gone:
        def __getattr__(self, name: str) -> Any:
            raise error

    object.__setattr__(service.archive, "job_queue", Gone())
    daemon = Daemon(service)
    with HealthServer(settings.metrics, lambda: service) as daemon.health_server:
        code, body = ask(daemon, "/healthz")
        assert (code, json.loads(body)["reasons"]) == (503, ["the database cannot be read"])
        found = samples(ask(daemon, "/metrics")[1])
    assert (found["receipts_database_up", ""], found["receipts_healthy", ""]) == (0, 0)
    assert ("receipts_files", "done") not in found


def test_results_that_cannot_be_filed_are_unhealthy(settings: Settings, draw: Callable[..., Path]) -> None:
    """/healthz reports a full disk or a blocked folder until a file is filed again, without naming files."""
    draw(settings.inbox_dir / "doctor-visit.png")
    service = build_service(settings, extract=ScriptedExtraction())
    record = make_record()
    blocked = settings.outbox_dir / f"{record.received_at.year}"
    with running(Daemon(service)) as daemon:
        eventually(lambda: done(daemon.service) == 1, "the first file")
        for path in settings.outbox_dir.glob("20*"):
            path.rename(settings.outbox_dir / f"was-{path.name}")
            path.write_text("in the way")
            blocked = path
        draw(settings.inbox_dir / "doctor-again.png")
        eventually(lambda: ask(daemon, "/healthz")[0] == 503, "the notice")
        body = ask(daemon, "/healthz")[1]
        assert json.loads(body)["reasons"] == ["worker: results cannot be stored or filed now"]
        assert "doctor" not in body
        blocked.unlink()
        eventually(lambda: ask(daemon, "/healthz")[0] == 200, "the recovery")


def test_other_paths_and_methods(settings: Settings) -> None:
    """There are two pages; anything else is refused, and HEAD answers without a body."""
    service = build_service(settings, extract=ScriptedExtraction())
    daemon = Daemon(service)
    with HealthServer(settings.metrics, lambda: service) as daemon.health_server:
        assert ask(daemon, "/")[0] == 404
        host, port = daemon.health_server.address
        for request, code in ((b"POST /metrics HTTP/1.0\r\n\r\n", b"501"), (b"HEAD /healthz?x=1 HTTP/1.0\r\n\r\n", b"200")):
            with socket.create_connection((host, port), timeout=DEADLINE_SECONDS) as connection:
                connection.sendall(request)
                answer = b""
                while more := connection.recv(4096):
                    answer += more
            assert answer.split()[1] == code
            assert not request.startswith(b"HEAD") or answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_in_use_is_an_error_at_the_start(settings: Settings, host: str) -> None:
    """The error names port, host and what to do; the lock is released."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        port = taken.getsockname()[1]
        changed = settings.model_copy(update={"metrics": MetricsSettings(port=port, host=host)})
        with pytest.raises(ConfigError, match=rf"metrics\.port {port} at metrics\.host {host} .*in use.*another port"):
            Daemon(build_service(changed, extract=ScriptedExtraction())).run()
    with InstanceLock(settings.database):
        pass


@pytest.mark.parametrize("host", ["not a host", "203.0.113.1"])
def test_an_address_of_another_machine_is_an_error(settings: Settings, host: str) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.host"):
        HealthServer(MetricsSettings(port=0, host=host), lambda: build_service(settings, extract=ScriptedExtraction()))


def test_changed_settings_are_taken_over(settings: Settings, draw: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    """The receipt in hand is finished with the old settings, then the new ones count; the numbers go on, and monitoring too."""
    caplog.set_level("INFO")
    began, may_end = threading.Event(), threading.Event()

    def slow(_: Source) -> None:
        began.set()
        may_end.wait(DEADLINE_SECONDS)

    changed = settings.model_copy(update={"work": WorkSettings(batch_size=1), "log": LogSettings(level="WARNING")})
    draw(settings.inbox_dir / "a.png")
    with running(Daemon(build_service(settings, extract=ScriptedExtraction(slow)), load=lambda: changed)) as daemon:
        first = daemon.service
        assert began.wait(DEADLINE_SECONDS)
        first.reload()
        may_end.set()
        eventually(lambda: daemon.service is not first, "the change")
        assert done(daemon.service) == 1
        draw(settings.inbox_dir / "b.png")
        eventually(lambda: done(daemon.service) == 2, "the second file")
        assert daemon.service.archive.settings.work.batch_size == 1
        assert samples(ask(daemon, "/metrics")[1])["receipts_stored_total", "accepted"] == 2
        assert daemon.service.archive.job_queue.counts() == {JobState.DONE: 2}
    [told] = [entry for entry in caplog.records if entry.message == "settings_changed"]
    assert vars(told)["settings"] == "work, log"


def test_bad_or_unmovable_settings_are_refused(settings: Settings, draw: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    """Wrong settings, or another database, are logged; the service keeps running with the old ones."""
    elsewhere = settings.model_copy(update={"database": settings.database.with_name("other.db")})
    monitored = settings.model_copy(update={"metrics": MetricsSettings(port=0, host="::1")})
    answers: list[Settings | Exception] = [ConfigError("receipts.toml is not TOML. Correct that line."), elsewhere, monitored, OSError("x")]
    count = len(answers)

    def load() -> Settings:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with running(Daemon(build_service(settings, extract=ScriptedExtraction()), load=load)) as daemon:
        first = daemon.service
        for number in range(1, count + 1):
            first.reload()
            eventually(lambda number=number: caplog.messages.count("settings_refused") == number, "the refusal")  # type: ignore[misc]
        draw(settings.inbox_dir / "a.png")
        eventually(lambda: done(daemon.service) == 1, "the file")
        assert daemon.service is first
    told = [vars(entry).get("error", "") for entry in caplog.records if entry.message == "settings_refused"]
    assert [part in text for part, text in zip(("TOML", "database cannot change", "[metrics] cannot change"), told, strict=False)] == [
        True
    ] * 3


def test_unchanged_settings_change_nothing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is built anew where nothing has changed."""
    caplog.set_level("INFO")
    with running(Daemon(build_service(settings, extract=ScriptedExtraction()), load=lambda: settings)) as daemon:
        first = daemon.service
        first.reload()
        eventually(lambda: "settings_unchanged" in caplog.messages, "the look at the settings")
        assert daemon.service is first


def test_without_a_port_nothing_listens(settings: Settings, draw: Callable[..., Path]) -> None:
    """Monitoring is off unless it is asked for."""
    quiet = settings.model_copy(update={"metrics": MetricsSettings()})
    draw(settings.inbox_dir / "a.png")
    with running(Daemon(build_service(quiet, extract=ScriptedExtraction()))) as daemon:
        eventually(lambda: done(daemon.service) == 1, "the file")
        assert daemon.health_server is None
