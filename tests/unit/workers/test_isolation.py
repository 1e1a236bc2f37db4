"""How many reading processes there are, and errors that travel between them."""

import math
import pickle
from pathlib import Path

import pytest

from extractor.errors import BadAnswer, ExtractorError, ReaderDown, Unreadable
from extractor.workers.capacity import cgroup_cores, cgroup_memory, plan_processes


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


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    """A tree of control groups with a service in it; the first two folders have no limits."""
    service = tmp_path / "cgroup" / "system.slice" / "receipts.service"
    service.mkdir(parents=True)
    (tmp_path / "membership").write_text("1:cpu:/elsewhere\n0::/system.slice/receipts.service\n")
    for folder in (service, service.parent):
        (folder / "memory.max").write_text("max\n")
        (folder / "memory.high").write_text("max\n")
        (folder / "cpu.max").write_text("max 100000\n")
    return service


def limits(tmp_path: Path) -> tuple[float, float]:
    arguments = tmp_path / "membership", tmp_path / "cgroup"
    return cgroup_memory(*arguments), cgroup_cores(*arguments)


def test_without_limits_of_control_groups(cgroup: Path, tmp_path: Path) -> None:
    """No group sets one; so it is on systems that know none."""
    assert limits(tmp_path) == (math.inf, math.inf)
    assert (cgroup_memory(tmp_path / "none", tmp_path), cgroup_cores(tmp_path / "none", tmp_path)) == (math.inf, math.inf)


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["unit", "slice", "root of a container"])
def test_limits_of_control_groups_count(cgroup: Path, tmp_path: Path, depth: int) -> None:
    """`MemoryHigh`, `MemoryMax` and `CPUQuota` of the systemd unit, of its slice, or of the container: the lowest one."""
    group = (cgroup, *cgroup.parents)[depth]
    (group / "memory.max").write_text("3000000000\n")
    (group / "memory.high").write_text("2000000000\n")
    (group / "cpu.max").write_text("150000 100000\n")
    assert limits(tmp_path) == (2e9, 1.5)


def test_a_group_outside_of_the_container_is_left_alone(cgroup: Path, tmp_path: Path) -> None:
    """Its path says nothing here; the container's own limit stands at the root."""
    (tmp_path / "membership").write_text("0::/../../system.slice\n")
    (tmp_path / "cgroup" / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.max").write_text("5\n")
    assert limits(tmp_path) == (1e9, math.inf)
