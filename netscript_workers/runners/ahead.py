"""Runs handed to a busy slot before it can begin them, so that it need not wait for the daemon between two short runs.

They travel over a pair of datagram sockets of which the daemon keeps both ends: what the slot has not taken yet can be read back,
by the kernel's word and without asking the slot, however busy or dead that is.
"""

import array
import fcntl
import socket
import sys
import termios
import time
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

_HOLD_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 0.0002

_size: Final = array.array("i", [0])


class NotBegunError(Exception):
    """The run was taken out of the slot's hands before it began: it can be given to another slot."""


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
    """The daemon's side: what one slot has been handed, in order.

    The slot goes on with the oldest by itself when a run has ended, so that is under way from then on (`advance`), though it may
    be in the socket for a moment still. While something is taken back the slot must not take: each side does so under a lock on
    the slot's end (`taking`), which the kernel lets go of should its holder die.
    """

    def __init__(self) -> None:
        """Make the sockets; raises `OSError`."""
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._waiting: deque[Waiting] = deque()
        self._head: Waiting | None = None  # under way

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

    def advance(self) -> Waiting | None:
        """Note that the run under way has ended, and return the one that the slot goes on with; None when none waits."""
        self._head = self._waiting.popleft() if self._waiting else None
        return self._head

    def take_back(self) -> list[Waiting]:
        """Take what waits out of the slot's hands, in order; what the slot has just taken stays.

        Nothing comes back from a slot that was stopped in the very moment in which it took something.
        """
        if not self._hold():
            return []
        try:
            count = self._empty()
            if self._head is not None and count > len(self._waiting):
                self._ours.send(self._head.data, socket.MSG_DONTWAIT)  # the slot has not got round to it
                count -= 1
        finally:
            fcntl.lockf(self._theirs, fcntl.LOCK_UN)
        back = [self._waiting.pop() for _ in range(count)]
        back.reverse()
        return back

    def halt(self) -> list[Waiting]:
        """Note that the run under way has ended and the slot takes no more; return all that waits."""
        self._head = None
        self._empty()
        return self._all()

    def abandon(self) -> tuple[bool, list[Waiting]]:
        """Return whether the run under way was never taken by the slot, which has ended, and all that waited.

        What it took last without a word of the run before it had not begun either.
        """
        unbegun = self._head is not None and self._empty() > len(self._waiting)
        return unbegun, self._all()

    def close(self) -> None:
        """Close both ends. Idempotent."""
        self._ours.close()
        self._theirs.close()

    def _hold(self) -> bool:
        """Keep the slot from taking; it holds the lock itself for some microseconds at a time."""
        give_up_at = time.monotonic() + _HOLD_SECONDS
        while True:
            try:
                fcntl.lockf(self._theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    return False
                time.sleep(_LOOK_SECONDS)
            else:
                return True

    def _empty(self) -> int:
        count = 0
        while True:
            try:
                if not self._theirs.recv(1, socket.MSG_DONTWAIT):  # the rest of a datagram is dropped
                    return count
            except OSError:
                return count
            count += 1

    def _all(self) -> list[Waiting]:
        left = list(self._waiting)
        self._waiting.clear()
        return left


def take(ahead: socket.socket) -> bytes | None:
    """Take the next run, in the slot, out of its end of the sockets; None when there is none, empty when the daemon is gone."""
    # Under a lock: the daemon, which may be taking back what waits, must be able to tell who has got what.
    fcntl.lockf(ahead, fcntl.LOCK_EX)
    try:
        return ahead.recv(MAX_AHEAD_BYTES, socket.MSG_DONTWAIT)
    except (BlockingIOError, ConnectionResetError):
        return None
    finally:
        fcntl.lockf(ahead, fcntl.LOCK_UN)


def is_unread(fd: int) -> bool:
    """Tell whether the pipe behind `fd`, a writing end, holds what nobody has read; True when that cannot be told."""
    try:
        fcntl.ioctl(fd, termios.FIONREAD, _size)
    except OSError:
        return True
    return _size[0] != 0
