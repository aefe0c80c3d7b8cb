"""How much memory a process holds. Bytes; None where the system does not tell."""

import os
from typing import Final

from netscript_workers.processes.tree import descendants_of

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def resident_bytes(pid: int) -> int | None:
    """Return the resident memory of `pid`, pages shared with other processes included. Costs some microseconds."""
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:  # noqa: PTH123 - polled; a Path costs more than the read
            return int(file.read(256).split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return None


def proportional_bytes(pid: int) -> int | None:
    """Return the memory of `pid` with shared pages divided among their sharers (PSS). Costs up to milliseconds.

    Falls back to the resident memory where PSS cannot be had.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123 - as above
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass  # gone, or a kernel without the file: the next best answer below
    return resident_bytes(pid)


def family_bytes(pid: int) -> int | None:
    """Return what `pid` and all its descendants hold: of a confined run, whose own process is below the one it was given."""
    held = [proportional_bytes(one) for one in (pid, *descendants_of(pid))]
    return sum(one or 0 for one in held) if any(one is not None for one in held) else None
