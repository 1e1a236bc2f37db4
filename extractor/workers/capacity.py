"""Plans how many reading processes to run, from the processor cores and the memory that this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

PROCESS_MB = 1000  # a reading process's peak, for choosing their number: up to 960 MiB were measured on receipts
MEMORY_SHARE = 0.25  # share of the memory that all reading processes together may be expected to use

MEMBERSHIP = Path("/proc/self/cgroup")
CGROUP_ROOT = Path("/sys/fs/cgroup")


def plan_processes(processes: int, threads: int, *, machine_cores: int | None = None, memory_mb: float | None = None) -> tuple[int, int]:
    """Return the number of reading processes, and the threads of each.

    Args:
        processes: From the settings; 0 for one per core, as far as memory allows. Two processes with one thread each need a seventh less
            processor time per receipt than one process with two threads.
        threads: For all processes together; 0 for one per core.
        machine_cores: Instead of the cores that this process may use.
        memory_mb: Instead of the memory that this process may use.
    """
    memory_mb = memory_mb or _memory_mb()
    threads = threads or machine_cores or cores()
    processes = processes or max(1, min(threads, int(memory_mb * MEMORY_SHARE / PROCESS_MB)))
    return processes, max(1, threads // processes)


def cores() -> int:
    """Return the number of processor cores that this process may use, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(count, cgroup_cores())))


def _memory_mb() -> float:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(machine, cgroup_memory()) / 1e6


def cgroup_memory(membership: Path = MEMBERSHIP, root: Path = CGROUP_ROOT) -> float:
    """Return the bytes that Linux lets this process and its relatives use: the lowest `MemoryMax` or `MemoryHigh` of its control groups.

    Args:
        membership: The file that names this process's control group.
        root: Where cgroup 2 is mounted.
    Returns:
        Infinity without a limit, and on other systems.
    Source: Linux, Documentation/admin-guide/cgroup-v2.rst; a group is also subject to the limits of every group around it.
    """
    limits = [_read(group / name) for group in _groups(membership, root) for name in ("memory.max", "memory.high")]
    return min((float(limit) for limit in limits if limit.isdecimal()), default=math.inf)


def cgroup_cores(membership: Path = MEMBERSHIP, root: Path = CGROUP_ROOT) -> float:
    """Return the cores' worth of processor time that Linux gives this process, the lowest `CPUQuota` of its control groups; see above."""
    limits = [_read(group / "cpu.max").partition(" ") for group in _groups(membership, root)]
    return min((int(quota) / int(period) for quota, _, period in limits if quota.isdecimal() and period.isdecimal()), default=math.inf)


def _groups(membership: Path, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control group and of those around it, from the inside out.

    In a container the root is the container's own group, and the membership may name a path outside of it; then only the root exists.
    """
    path = next((line.removeprefix("0::") for line in _read(membership).splitlines() if line.startswith("0::")), "/")
    own = Path(path.lstrip("/"))
    if ".." not in own.parts:
        yield from (root / group for group in (own, *own.parents) if group != Path())
    yield root


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
