"""How many reading processes the machine has room for, and how many threads each of them gets."""

import os
from pathlib import Path

PROCESS_MB = 1000
"""Memory that a reading child takes at its peak, for choosing their number: up to 960 MiB were seen on receipts."""

MEMORY_SHARE = 0.25
"""Part of the machine's memory that all of them together may be expected to take."""


def plan_processes(processes: int, threads: int, *, machine_cores: int | None = None, memory_mb: float | None = None) -> tuple[int, int]:
    """How many reading processes, and how many threads each of them gets.

    Args:
        processes: As the setting says; 0 for one a core, if there is memory for all of them: two processes with a thread each read a
            receipt with a seventh less processor time than one process with two threads, and more of them at a time.
        threads: For all of them together; 0 for all cores.
    """
    memory_mb = memory_mb or _memory_mb()
    threads = threads or machine_cores or cores()
    processes = processes or max(1, min(threads, int(memory_mb * MEMORY_SHARE / PROCESS_MB)))
    return processes, max(1, threads // processes)


def cores() -> int:
    """Cores that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _container("cpu.max").partition(" ")
    return max(1, min(count, int(quota) // int(period))) if quota.isdecimal() and period.isdecimal() else count


def _memory_mb() -> float:
    """Memory of the machine, or of the container if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _container("memory.max")
    return min(machine, int(limit) if limit.isdecimal() else machine) / 1e6


def _container(limit: str) -> str:
    """A limit that Linux sets a container (cgroup 2), as it is written there; empty without one."""
    try:
        return (Path("/sys/fs/cgroup") / limit).read_text(encoding="ascii").strip()
    except OSError:
        return ""
