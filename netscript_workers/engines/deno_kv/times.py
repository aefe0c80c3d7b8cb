"""The clocks of this engine: the wall for due times and records, the host's boot clock for leases.

All workers on one file are on one host, so a lease counts in time since boot, which no change of the wall clock
moves. Another boot means that no worker of before is left.
"""

import time
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def wall_ms() -> int:
    """Return the milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def boot_ms() -> int:
    """Return the milliseconds since this host started, the same for all its processes."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) // 1_000_000


def boot_id() -> str:
    """Return a text that changes with every start of the host; where there is none, the second it started in (tens)."""
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return str(round((wall_ms() - boot_ms()) / 60_000))
