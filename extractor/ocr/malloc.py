"""The C library gives back what pictures and models have freed."""

import ctypes

# Source: glibc's malloc.h and mallopt(3): trim threshold, mmap threshold, greatest number of arenas.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
RETURNED_BYTES = 1 << 20
"""Blocks from this size on go back to the system as soon as they are freed."""


def return_freed_memory() -> None:
    """Lets this process's memory shrink again after large blocks; where the C library is not glibc, nothing changes.

    Left alone, glibc keeps up to 32 MB of freed blocks in each of several arenas, and pictures of changing sizes leave holes there.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_TRIM_THRESHOLD, RETURNED_BYTES)
    mallopt(_MMAP_THRESHOLD, RETURNED_BYTES)
