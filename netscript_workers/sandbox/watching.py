"""The watcher of a confined run: answers the calls that its filter asks about, says what was denied, reaps what is left to it."""

import os
import select
import signal
import socket
import time
from types import FrameType
from typing import Final

from netscript_workers.processes.tree import children_of, kill_tree
from netscript_workers.sandbox.denials import MARK
from netscript_workers.sandbox.kernel import Kernel
from netscript_workers.sandbox.listening import Asked, answer, receive

_MAX_TOLD: Final = 20
_PATH_BYTES: Final = 4096
_END_SECONDS: Final = 2.0
_LOOK_AGAIN_MS: Final = 10


class Watch:
    """Watches over the program `pid`. `started` reads as ended once the program has begun: from then on no start is let through.

    `inside`: this process is the init of a process room, whose end ends all others.
    """

    def __init__(self, pid: int, listener: int | None, started: int, *, inside: bool) -> None:
        self._pid = pid
        self._listener = listener
        self._started = started
        self._inside = inside
        self._has_begun = False
        self._told: set[str] = set()

    def until_ended(self, kernel: Kernel) -> int:
        """Serve until the program has ended; returns its wait status."""
        reading, writing = socket.socketpair()
        reading.settimeout(0)
        writing.settimeout(0)
        signal.signal(signal.SIGCHLD, _wake_up)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        if self._listener is not None:
            poll.register(self._listener, select.POLLIN)
        status = self._reap()
        while status is None:
            for fd, event in poll.poll():
                if fd == reading.fileno():
                    reading.recv(4096)
                elif event & select.POLLIN:
                    self._answer(kernel)
                else:
                    poll.unregister(fd)  # nobody is held by the filter any more
            status = self._reap()
        if not self._inside:
            self._end_descendants()
        return status

    def _reap(self) -> int | None:
        """Take in all that has ended; returns the program's status when it was among them."""
        found: int | None = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == self._pid:
                found = status

    def _end_descendants(self) -> None:
        give_up_at = time.monotonic() + _END_SECONDS
        while (children := children_of(os.getpid())) and time.monotonic() < give_up_at:
            for child in children:
                kill_tree(child)
            self._reap()
            select.select([], [], [], _LOOK_AGAIN_MS / 1000)

    def _answer(self, kernel: Kernel) -> None:
        if self._listener is None:
            return
        asked = receive(self._listener)
        if asked is None:
            return
        is_start = asked.number in {kernel.machine.number("execve"), kernel.machine.number("execveat")}
        if is_start and asked.pid == self._pid and not self._begun():
            answer(self._listener, asked.key, denied=False)  # our own code's, before the program is there
            return
        told = _run_asked(kernel, asked) if is_start else _network_asked(asked)
        answer(self._listener, asked.key, denied=True)
        if told not in self._told and len(self._told) < _MAX_TOLD:
            self._told.add(told)
            os.write(2, f"{MARK} {told}\n".encode("utf-8", "replace"))

    def _begun(self) -> bool:
        """Whether the program has been executed: the pipe that only its predecessor held is closed then, for good."""
        if not self._has_begun:
            self._has_begun = bool(select.select([self._started], [], [], 0)[0])
        return self._has_begun


def _run_asked(kernel: Kernel, asked: Asked) -> str:
    """Say which program was to be started: a report only, never a reason to let it through (the text may change any time)."""
    index = 1 if asked.number == kernel.machine.number("execveat") else 0
    path = _text_at(asked.pid, asked.arguments[index])
    return f"run {path}" if path else "run (a file without a name)"


def _text_at(pid: int, address: int) -> str:
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - one read
            memory.seek(address)
            return memory.read(_PATH_BYTES).split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    except (OSError, ValueError, OverflowError):
        return ""


def _network_asked(asked: Asked) -> str:
    family = asked.arguments[0] & 0xFFFFFFFF
    try:
        name = socket.AddressFamily(family).name
    except ValueError:
        name = f"family {family}"
    return f"net {name}"


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: that there is a handler makes Python write to the wakeup socket."""
