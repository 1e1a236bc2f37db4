"""Signs of life: who has gone silent, and who goes on but cannot work."""

from extractor.runtime.heartbeat import GRACE_SECONDS, Heartbeat
from extractor.testing import ManualClock


def test_a_step_may_take_its_time_and_no_longer(clock: ManualClock) -> None:
    """A long read is normal; one that never ends is reported with its thread and the time."""
    heartbeat = Heartbeat(clock.monotonic, hung_seconds=100)
    heartbeat.beat("worker")
    clock.advance(100)
    assert heartbeat.hung() == ()
    clock.advance(1)
    assert heartbeat.hung() == ("worker has given no sign of life for 101 s",)
    heartbeat.beat("worker")
    assert heartbeat.hung() == ()


def test_who_waits_is_expected_back(clock: ManualClock) -> None:
    """A thread that waits a second is missed long before one that reads."""
    heartbeat = Heartbeat(clock.monotonic, hung_seconds=10_000)
    heartbeat.beat("inbox", waits_seconds=1)
    heartbeat.beat("worker")
    clock.advance(2 + GRACE_SECONDS)
    assert [sentence.split()[0] for sentence in heartbeat.hung()] == ["inbox"]


def test_who_has_ended_is_not_missed(clock: ManualClock) -> None:
    """A thread that has ended as requested is neither overdue nor blocked."""
    heartbeat = Heartbeat(clock.monotonic, hung_seconds=1)
    heartbeat.beat("inbox")
    heartbeat.trouble("inbox", "cannot be listed now")
    assert heartbeat.troubles() == ("inbox: cannot be listed now",)
    heartbeat.end("inbox")
    clock.advance(1000)
    assert (heartbeat.hung(), heartbeat.troubles(), heartbeat.seconds_since()) == ((), (), {})
