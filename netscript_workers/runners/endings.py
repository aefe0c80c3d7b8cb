"""What a zygote learns of its ended children: how each slot ended, and what it used with those below it."""

import os
import sys
from collections.abc import Iterator
from typing import Final

from netscript_workers.processes.ending import exit_code
from netscript_workers.processes.tree import descendants_of
from netscript_workers.runners.messages import Exited

_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_TICK_MS: Final = 1000 // os.sysconf("SC_CLK_TCK")
_USER_TICKS: Final = 11  # the field of /proc/pid/stat behind the name; the next one is the system's


class Endings:
    """Reaps children. What a slot has waited for is in its own figures; of what is killed below it, the last look counts."""

    def __init__(self) -> None:
        self._below: dict[int, tuple[int, int]] = {}  # by serial: the most memory and all processor time

    def killing(self, serial: int, pid: int) -> None:
        """Look at what stands below the slot `serial`, which is about to be killed: nobody can ask afterwards."""
        below = [_used(each) for each in descendants_of(pid)]
        if below:
            self._below[serial] = max(memory for memory, _ in below), sum(cpu for _, cpu in below)

    def reap(self, slots: dict[int, int]) -> Iterator[tuple[int, Exited | None]]:
        """Reap all that has ended; yield each process, with its end if it was one of `slots` (serial by pid; it is taken out)."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            serial = slots.pop(pid, None)
            if serial is None:
                yield pid, None
                continue
            cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000)
            most, spent = self._below.pop(serial, (0, 0))
            memory = max(usage.ru_maxrss * _RSS_UNIT, most)
            yield pid, Exited(serial, exit_code(status), memory, cpu_ms + spent)


def _used(pid: int) -> tuple[int, int]:
    """Return the peak memory (bytes) and the processor time (ms) of a process so far; zeros when the system does not tell."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123 - as elsewhere beside the process calls
            peaks = [int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmHWM:")]
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - as above
            fields = file.read(4096).rpartition(b")")[2].split()
    except OSError:
        return 0, 0
    ticks = int(fields[_USER_TICKS]) + int(fields[_USER_TICKS + 1])
    return max(peaks, default=0), ticks * _TICK_MS
