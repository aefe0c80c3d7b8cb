"""Two properties that Linux gives a process and Python has no call for.

On other systems both calls change nothing and return False: there a parent's death is noticed by a closed
socket alone, and a grandchild that daemonises itself goes to the system's first process. Callers say so where
it matters.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37


class ProcessControl:
    """The C library's prctl, looked up once by whoever makes this object (before it forks, so that children share it)."""

    def __init__(self) -> None:
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def die_with_parent(self, signal_number: int = signal.SIGKILL) -> bool:
        """Have the kernel send this process `signal_number` when the thread that forked it ends; 0 takes that back.

        Survives exec, is not passed on to children. The parent may have died before the call: look at
        `os.getppid` after it.
        """
        return self._set(_PR_SET_PDEATHSIG, signal_number)

    def adopt_orphans(self) -> bool:
        """Become the parent of every descendant whose own parent dies, daemonised ones included.

        Survives exec, is not passed on to children. The caller must reap what it adopts.
        """
        return self._set(_PR_SET_CHILD_SUBREAPER, 1)

    def adopts_orphans(self) -> bool:
        """Tell whether `adopt_orphans` is in force."""
        if self._prctl is None:
            return False
        answer = ctypes.c_int(0)
        return self._prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0 and bool(answer.value)

    def leave_orphans(self) -> bool:
        """Take `adopt_orphans` back; what was adopted stays."""
        return self._set(_PR_SET_CHILD_SUBREAPER, 0)

    def _set(self, option: int, value: int) -> bool:
        if self._prctl is None:
            return False
        if self._prctl(option, value, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl({option}, {value}): {os.strerror(number)}")
        return True
