"""Crews of threads under one supervisor; waits poll with a deadline."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from extractor.service.supervisor import Supervisor, ThreadGroup

DEADLINE_SECONDS = 20.0


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


class Workshop:
    """Two threads that wait for the order to stop, and everything that happens to them."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said = name, said
        self.told, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()

    def crew(self) -> ThreadGroup:
        return ThreadGroup((self._work, self._work), self.told.set, self._hand_back, lambda: self.said.append(f"{self.name} begins"))

    def _work(self) -> None:
        assert self.told.wait(DEADLINE_SECONDS)
        assert self.may_end.wait(DEADLINE_SECONDS)

    def _hand_back(self, in_time: bool) -> None:
        assert in_time
        self.said.append(f"{self.name} ends")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor()
    yield made
    made.stop()


def in_thread(supervise: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=supervise)
    thread.start()
    return thread


def test_a_successor_takes_over_when_all_is_finished(supervisor: Supervisor, said: list[str]) -> None:
    """The first crew finishes what it has in hand; only then does the second begin. Two crews never work side by side."""
    first, second = Workshop("first", said), Workshop("second", said)
    first.may_end.clear()
    thread = in_thread(lambda: supervisor.run(first.crew(), build_successor=second.crew, tick_seconds=0.02))
    supervisor.reload()
    assert first.told.wait(DEADLINE_SECONDS)
    assert said == ["first begins"]
    first.may_end.set()
    eventually(lambda: "second begins" in said, "the change-over")
    supervisor.stop()
    thread.join(DEADLINE_SECONDS)
    assert said == ["first begins", "first ends", "second begins", "second ends"]


def test_who_cannot_be_built_leaves_the_old_at_work(supervisor: Supervisor, said: list[str]) -> None:
    """The error is reported, and a later reload works."""
    refused: list[Exception] = []
    second = Workshop("second", said)
    tries = iter([ValueError("bad"), None])

    def build() -> ThreadGroup:
        if error := next(tries):
            raise error
        return second.crew()

    first = Workshop("first", said)
    thread = in_thread(lambda: supervisor.run(first.crew(), build_successor=build, on_build_error=refused.append, tick_seconds=0.02))
    supervisor.reload()
    eventually(lambda: refused, "the refusal")
    assert not first.told.is_set()
    supervisor.reload()
    eventually(lambda: "second begins" in said, "the change-over")
    supervisor.stop()
    thread.join(DEADLINE_SECONDS)
    assert [str(error) for error in refused] == ["bad"]


def test_an_order_to_stop_need_not_wait_for_a_successor(supervisor: Supervisor, said: list[str]) -> None:
    """Whoever loads a large model just now is not waited for."""
    may_build = threading.Event()

    def build() -> None:
        may_build.wait(DEADLINE_SECONDS)

    thread = in_thread(lambda: supervisor.run(Workshop("first", said).crew(), build_successor=build))
    supervisor.reload()
    supervisor.stop()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()
    assert said == ["first begins", "first ends"]
    may_build.set()


def test_a_stop_while_the_old_finishes_is_a_stop(supervisor: Supervisor, said: list[str]) -> None:
    """The successor that was waiting never begins."""
    first, second = Workshop("first", said), Workshop("second", said)
    first.may_end.clear()
    thread = in_thread(lambda: supervisor.run(first.crew(), build_successor=second.crew))
    supervisor.reload()
    assert first.told.wait(DEADLINE_SECONDS)
    supervisor.stop()
    first.may_end.set()
    thread.join(DEADLINE_SECONDS)
    assert said == ["first begins", "first ends"]


def _break() -> None:
    raise ZeroDivisionError


def test_what_breaks_a_thread_ends_all(supervisor: Supervisor, said: list[str]) -> None:
    """Also when it breaks while the crew is asked to finish."""
    first = Workshop("first", said)
    broken = ThreadGroup((*first.crew().tasks, _break), first.told.set, lambda _: None)
    with pytest.raises(ZeroDivisionError):
        supervisor.run(broken)
    assert first.told.is_set()


@pytest.mark.parametrize(
    ("can_reload", "expected"),
    [(True, ["first begins", "first ends", "second begins", "second ends"]), (False, ["first begins", "first ends"])],
)
def test_sighup_reloads_or_stops(said: list[str], can_reload: bool, expected: list[str]) -> None:
    """A service reads its settings anew; a program whose terminal is closed ends cleanly. The handlers are as before."""
    before = signal.getsignal(signal.SIGHUP)
    supervisor = Supervisor()
    second = Workshop("second", said)
    hang_up = threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGHUP))

    def attend() -> None:
        if hang_up.ident is None:
            hang_up.start()
        if "second begins" in said:
            supervisor.stop()

    with supervisor.signals(can_reload=can_reload):
        supervisor.run(Workshop("first", said).crew(), build_successor=second.crew, on_tick=attend, tick_seconds=0.02)
    assert said == expected
    assert signal.getsignal(signal.SIGHUP) is before


def test_what_nohup_wants_is_respected() -> None:
    """A SIGHUP that was to be ignored stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Supervisor().signals(can_reload=True):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
