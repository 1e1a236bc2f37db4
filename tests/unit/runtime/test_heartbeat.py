"""Signs of life: who has gone silent, and who goes on but cannot work."""

from extractor.runtime.heartbeat import GRACE_SECONDS, Pulse
from extractor.testing import ManualClock


def test_a_step_may_take_its_time_and_no_longer(clock: ManualClock) -> None:
    """A long read is no trouble; one that never ends is told, by name and with the time."""
    pulse = Pulse(clock.monotonic, hung_seconds=100)
    pulse.beat("worker")
    clock.advance(100)
    assert pulse.hung() == ()
    clock.advance(1)
    assert pulse.hung() == ("worker has given no sign of life for 101 s",)
    pulse.beat("worker")
    assert pulse.hung() == ()


def test_who_waits_is_expected_back(clock: ManualClock) -> None:
    """A thread that waits a second is missed long before one that reads."""
    pulse = Pulse(clock.monotonic, hung_seconds=10_000)
    pulse.beat("inbox", waits_seconds=1)
    pulse.beat("worker")
    clock.advance(2 + GRACE_SECONDS)
    assert [sentence.split()[0] for sentence in pulse.hung()] == ["inbox"]


def test_who_has_ended_is_not_missed(clock: ManualClock) -> None:
    """A thread that ended as it was told is neither late nor in trouble."""
    pulse = Pulse(clock.monotonic, hung_seconds=1)
    pulse.beat("inbox")
    pulse.trouble("inbox", "cannot be listed now")
    assert pulse.troubles() == ("inbox: cannot be listed now",)
    pulse.end("inbox")
    clock.advance(1000)
    assert (pulse.hung(), pulse.troubles(), pulse.seconds_since()) == ((), (), {})
