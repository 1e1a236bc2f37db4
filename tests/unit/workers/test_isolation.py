"""How many reading processes there are, and errors that travel between them."""

import pickle

import pytest

from extractor.errors import BadAnswer, ExtractorError, ReaderDown, Unreadable
from extractor.workers.capacity import plan_processes


@pytest.mark.parametrize(
    ("processes", "threads", "cores", "memory_mb", "expected"),
    [
        (0, 0, 2, 8000, (2, 1)),  # one a core
        (0, 0, 8, 64_000, (8, 1)),
        (0, 0, 16, 8000, (2, 8)),  # as many as memory allows, the threads divided among them
        (0, 0, 4, 1000, (1, 4)),  # at least one
        (0, 3, 16, 64_000, (3, 1)),  # no more than the threads that are allowed
        (3, 0, 8, 1000, (3, 2)),  # as the setting says
        (4, 2, 8, 64_000, (4, 1)),  # each has one thread at least
    ],
)
def test_cores_and_memory_are_divided(processes: int, threads: int, cores: int, memory_mb: float, expected: tuple[int, int]) -> None:
    """Processes and the threads of each."""
    assert plan_processes(processes, threads, machine_cores=cores, memory_mb=memory_mb) == expected


@pytest.mark.parametrize("error", [Unreadable("cut off"), ReaderDown("no memory"), BadAnswer("No JSON.", text="what it said")])
def test_errors_travel_as_they_are(error: ExtractorError) -> None:
    """Class, message and what else an error holds are the same on the other side."""
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 -- made here
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)
