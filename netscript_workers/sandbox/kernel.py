"""The system calls that Python has none for, through the C library, each with an error that says what failed."""

import ctypes
import os
import signal
from typing import Final

from netscript_workers.sandbox.numbers import Machine

PR_SET_DUMPABLE: Final = 4
PR_SET_SECUREBITS: Final = 28
PR_CAP_AMBIENT: Final = 47
PR_SET_NO_NEW_PRIVS: Final = 38


class Kernel:
    """The C library, looked up once. Every call raises `OSError` with the name of what was tried."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._syscall = self._libc.syscall
        self._syscall.restype = ctypes.c_long
        self._python = ctypes.PyDLL(None, use_errno=True)  # holds the interpreter's lock in each call

    def call(self, name: str, *arguments: object) -> int:
        """Make the system call `name`. Numbers are passed as 64 bits, buffers as pointers, bytes as C strings."""
        number = self.machine.number(name)
        if number is None:
            raise OSError(38, f"{name}: this machine has no such call")
        words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
        result: int = self._syscall(ctypes.c_long(number), *words)
        if result < 0:
            raise self._error(name)
        return result

    def prctl(self, option: int, value: int, third: int = 0) -> int:
        """Set or ask a property of this process."""
        return self.call("prctl", option, value, third, 0, 0)

    def fork(self, flags: int) -> int:
        """Fork with flags of clone(2) that `os.fork` does not take, and otherwise as that: from a process of a single thread."""
        number = self.machine.number("clone")
        if number is None:
            raise self._error("clone")
        self._python.PyOS_BeforeFork()
        pid = -1
        try:
            words = [ctypes.c_long(word) for word in (number, flags | signal.SIGCHLD, 0, 0, 0, 0)]
            pid = self._python.syscall(*words)
            if pid < 0:
                raise self._error("clone")
        finally:
            (self._python.PyOS_AfterFork_Parent if pid else self._python.PyOS_AfterFork_Child)()
        return pid

    def mount(
        self, source: bytes | None, target: bytes, kind: bytes | None, flags: int, data: bytes = b""
    ) -> None:
        """Mount `source` at `target`."""
        if self._libc.mount(source, target, kind, ctypes.c_ulong(flags), data or None) != 0:
            raise self._error(f"mount at {os.fsdecode(target)}")

    def _error(self, what: str) -> OSError:
        number = ctypes.get_errno()
        return OSError(number, f"{what}: {os.strerror(number)}")
