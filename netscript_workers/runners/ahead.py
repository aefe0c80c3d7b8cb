"""Runs handed to a busy slot before it can begin them, so that it need not wait for the daemon between two short runs.

They travel over a pair of datagram sockets of which the daemon keeps both ends: what the slot has not taken yet can be read back,
by the kernel's word and without asking the slot, however busy or dead that is.
"""

import array
import fcntl
import socket
import sys
import termios
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netscript_workers.domain.execution import Execution
from netscript_workers.ports.observer import RunObserver

if TYPE_CHECKING:
    import asyncio

    from netscript_workers.domain.outcome import Outcome

MAX_AHEAD_BYTES: Final = 64 * 1024  # of one frame; a larger one waits for its turn with the daemon
IS_SUPPORTED: Final = sys.platform == "linux"  # elsewhere a pipe does not tell its writer what is unread

_size: Final = array.array("i", [0])


class NotBegunError(Exception):
    """The slot can take the run no more, and had not begun it: it can be given to another one."""


class WithdrawnError(Exception):
    """The run was taken back before it began, because its caller wanted it back."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A run that waits in a slot's hands. `begun` is called when it begins; `ended` tells its outcome."""

    execution: Execution
    serial: int
    observer: RunObserver
    begun: Callable[[], int]
    ended: "asyncio.Future[Outcome | None]"
    data: bytes


class Ahead:
    """The daemon's side: what one slot has been handed, in order."""

    def __init__(self) -> None:
        """Make the sockets; raises `OSError`."""
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        """Return how many runs wait."""
        return len(self._waiting)

    def fileno(self) -> int:
        """Return the descriptor of the slot's end."""
        return self._theirs.fileno()

    def put(self, run: Waiting) -> bool:
        """Hand `run` over; False when it does not fit."""
        if len(run.data) > MAX_AHEAD_BYTES:
            return False
        try:
            self._ours.send(run.data, socket.MSG_DONTWAIT)
        except OSError:  # full, or the slot's end is gone: the run stays with the daemon
            return False
        self._waiting.append(run)
        return True

    def taken(self) -> Waiting:
        """Return the run that the slot has said to have taken: the oldest."""
        return self._waiting.popleft()

    def take_back(self) -> list[Waiting]:
        """Take what the slot has not taken out of its hands, in order."""
        count = 0
        while True:
            try:
                if not self._theirs.recv(1, socket.MSG_DONTWAIT):  # the rest of a datagram is dropped
                    break
            except OSError:
                break
            count += 1
        back = [self._waiting.pop() for _ in range(count)]
        back.reverse()
        return back

    def abandon(self) -> list[Waiting]:
        """Take everything back from a slot that has ended: what it took last it had not begun, or it would have said so."""
        left = list(self._waiting)
        self._waiting.clear()
        return left

    def close(self) -> None:
        """Close both ends. Idempotent."""
        self._ours.close()
        self._theirs.close()


def is_unread(fd: int) -> bool:
    """Tell whether the pipe behind `fd`, a writing end, holds what nobody has read; True when that cannot be told."""
    try:
        fcntl.ioctl(fd, termios.FIONREAD, _size)
    except OSError:
        return True
    return _size[0] != 0
