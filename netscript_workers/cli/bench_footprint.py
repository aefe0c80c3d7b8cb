"""What a daemon and its descendants cost while they do nothing: memory and processor time, read from /proc (Linux)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from netscript_workers.processes.memory import proportional_bytes

_PROC: Final = Path("/proc")
_MIB: Final = 2**20


def available() -> bool:
    """Tell whether this system says what is needed."""
    return (_PROC / "self" / "smaps_rollup").exists() and (_PROC / "self" / "schedstat").exists()


def tree(pid: int) -> list[int]:
    """Return `pid` and all its descendants."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for member in found:
        found.extend(children.get(member, ()))
    return found


def memory_mb(pids: list[int]) -> float:
    """Return what `pids` hold together, shared pages counted once among their sharers (PSS), in MB of 2^20 bytes."""
    return sum(proportional_bytes(pid) or 0 for pid in pids) / _MIB


def processor_ms(pids: list[int]) -> float:
    """Return the processor time that `pids` have used so far, all threads, to the microsecond."""
    return sum(_thread_ns(pid) for pid in pids) / 1e6


def _thread_ns(pid: int) -> int:
    total = 0
    for thread in (_PROC / str(pid) / "task").glob("*/schedstat"):
        try:
            total += int(thread.read_text().split()[0])
        except (OSError, IndexError):
            continue  # the thread ended between the listing and the look
    return total


def _parents() -> Iterator[tuple[int, int]]:
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # the process ended between the listing and the look
        yield int(text.split(maxsplit=1)[0]), int(text.rpartition(")")[2].split()[1])
