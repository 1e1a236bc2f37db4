"""Memory that images and models have freed is returned to the system."""

import subprocess
import sys

import pytest

HOLES = """
import ctypes
from extractor.ocr.engines.faster_paddle import return_freed_memory
if {is_returned}:
    return_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
libc.free(libc.malloc(24 << 20))
before, blocks = resident_mb(), [libc.malloc(4 << 20) for _ in range(20)]
for block in blocks:
    ctypes.memset(block, 1, 4 << 20)
for block in blocks[:-1]:
    libc.free(block)
print(resident_mb() - before)
"""


def kept_mb(*, is_returned: bool) -> int:
    """Resident megabytes of a process that has allocated 80 and freed all but the last 4."""
    code = HOLES.format(is_returned=is_returned)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_blocks_go_back_to_the_system() -> None:
    """Freed blocks below one that is still used are not resident any more; glibc would keep them by default."""
    if kept_mb(is_returned=False) < 60:
        pytest.skip("this C library returns memory by itself")
    assert kept_mb(is_returned=True) < 16
