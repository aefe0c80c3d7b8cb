"""What a run used: processor time and peak memory, measured by the slot's own process."""

import os
import resource
import sys
from typing import Final

from netscript_workers.domain.outcome import Usage
from netscript_workers.processes.tree import children_of

_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_RESET_PEAK: Final = b"5"  # proc(5): /proc/pid/clear_refs


class UsageMeter:
    """Measures runs one after another. `resets`: forget the peak of earlier runs when a new one begins (Linux)."""

    def __init__(self, *, resets: bool) -> None:
        self._cpu = _cpu_seconds(resource.getrusage(resource.RUSAGE_SELF)) if resets else 0.0
        self._peak_reset: int | None = None
        if resets:
            try:
                self._peak_reset = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
            except OSError:
                self._peak_reset = None  # no such file here: the peak is that of the slot's whole life

    def begin(self) -> None:
        """Begin a run."""
        if self._peak_reset is not None:
            try:
                os.write(self._peak_reset, _RESET_PEAK)
            except OSError:
                self._peak_reset = None  # refused, or closed by a handler: as above

    def end(self) -> Usage:
        """End a run: its peak resident memory, its processor time with that of the children it waited for."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        cpu = _cpu_seconds(own)
        spent, self._cpu = cpu - self._cpu, cpu
        return Usage(peak_memory=own.ru_maxrss * _RSS_UNIT, cpu_ms=round(spent * 1000))


def children_left() -> int:
    """Count the processes below this one, zombies included. Costs one system call when there are none."""
    waitid = getattr(os, "waitid", None)
    if waitid is None:  # macOS before Python 3.13
        return len(children_of(os.getpid()))
    try:
        waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return len(children_of(os.getpid()))


def _cpu_seconds(own: resource.struct_rusage) -> float:
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + waited_for.ru_utime + waited_for.ru_stime
