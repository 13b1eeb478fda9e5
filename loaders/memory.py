"""How much memory this process took."""

import resource
from pathlib import Path


def peak_memory() -> int:
    """Largest resident size of this process in bytes."""
    # getrusage would count what the parent held when it forked; the kernel's own mark starts at exec.
    status = Path("/proc/self/status")
    if status.exists():
        mark = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(mark.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
