"""The socket between a supervisor and a child process: lines upward, in the words of sd_notify; its end downward.

The child says `READY=1` when it works, `WATCHDOG=1` while its loops move, `STATUS=` and `STOPPING=1`. Nothing is
said to the child: signals do that. When the supervisor dies, however it does, the child reads the end of the socket.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, MutableMapping
from typing import Final

import msgspec

from netscript_workers.processes.prctl import ProcessControl

VARIABLE: Final = "NETSCRIPT_WORKERS_LINK"
_MOST_UNSENT: Final = 16_384  # what a supervisor that is stopped (Ctrl-Z) does not take is dropped


class Place(msgspec.Struct, frozen=True):
    """A child's place in its tree: the link's descriptor, its supervisor, how often it was started again.

    `hang_s` is how long the supervisor waits for a sign of life.
    """

    fd: int
    supervisor: str
    supervisor_pid: int
    restarts: int
    hang_s: float

    def in_environment(self) -> dict[str, str]:
        """Return the variable that tells a child its place."""
        return {VARIABLE: msgspec.json.encode(self).decode()}


class Link:
    """The child's end (owned). `on_lost` of `watch` is called once, when the supervisor is gone."""

    def __init__(self, place: Place) -> None:
        """Take over the descriptor; no process that this one starts inherits it."""
        self.place = place
        self._socket = socket.socket(fileno=place.fd)
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._socket.set_inheritable(False)
        self._unsent = b""

    @property
    def watchdog_s(self) -> float:
        """How long the supervisor waits for a sign of life."""
        return self.place.hang_s

    def send(self, *fields: str) -> None:
        """Send `NAME=value` fields, without waiting."""
        if len(self._unsent) < _MOST_UNSENT:
            self._unsent += "".join(f"{field}\n" for field in fields).encode()
        with contextlib.suppress(OSError):  # full: the next one takes it along; dead: `watch` tells
            self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def watch(self, on_lost: Callable[[], None]) -> None:
        """Call `on_lost` when the supervisor is gone; from here on that, and no signal of the kernel, ends this process."""
        loop = asyncio.get_running_loop()

        def look() -> None:
            with contextlib.suppress(BlockingIOError):
                try:
                    data = self._socket.recv(1)
                except OSError as error:
                    if isinstance(error, BlockingIOError):
                        raise
                    data = b""
                if not data:
                    loop.remove_reader(self._socket)
                    on_lost()

        loop.add_reader(self._socket, look)
        ProcessControl().die_with_parent(0)

    def close(self) -> None:
        """Hear no more of the supervisor; the socket itself ends with the process, which is how the supervisor sees its end."""
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._socket)


def take_link(environ: MutableMapping[str, str]) -> Link | None:
    """Return the link that `environ` names, and take the variable out of it; None for a process that nobody supervises.

    Until `Link.watch` the kernel ends this process with its supervisor: an import that hangs must not outlive it.
    Raises `SystemExit` when the supervisor is dead already.
    """
    text = environ.pop(VARIABLE, "")
    if not text:
        return None
    place = msgspec.json.decode(text, type=Place)
    ProcessControl().die_with_parent(signal.SIGKILL)
    if os.getppid() != place.supervisor_pid:
        raise SystemExit(0)
    return Link(place)
