"""Watching over a confined run from within its keeper, which has other things to do as well and waits for nothing of the run."""

import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from netscript_workers.processes.spawn import Ended
from netscript_workers.processes.spawn_messages import Refused
from netscript_workers.sandbox.enter import offer_to_proxy
from netscript_workers.sandbox.kernel import Kernel
from netscript_workers.sandbox.watching import Watch, told_end

MAX_BYTES: Final = 128 * 1024  # of one message; more may not fit into a socket at once
READY: Final = b"+"
"""From the init of rooms: everything is made, and the order may come."""
WAY_OUT: Final = b"p"
"""From the init of rooms, with a socket that listens in them, for the daemon's proxy."""
REFUSED: Final = b"!"
"""From the init of rooms, followed by a `Refused`: the program could not be started after all."""
_READY_SECONDS: Final = 5.0

_decode: Final = msgspec.msgpack.Decoder(Refused).decode


class Attended(Watch):
    """Watches over the run whose init is `pid` when it is asked to. `channel`, owned, leads there; `tell` takes a refusal."""

    def __init__(
        self, pid: int, channel: socket.socket, kernel: Kernel, tell: Callable[[Refused], None]
    ) -> None:
        super().__init__(pid, channel, kernel, goes_on=False, has_rooms=True)
        self._tell = tell
        self._poll = select.epoll()
        self._fds: list[int] = []
        self._proxy: socket.socket | None = None
        self._errors = -1
        self._end: Ended | None = None
        self._untold: list[bytes] = []

    def fileno(self) -> int:
        """Return a descriptor that is readable when `attend` has something to do."""
        return self._poll.fileno()

    def begin(self, errors: int, proxy: bytes, token: bytes) -> None:
        """Wait until the rooms are ready, and open their way out. Raises `OSError` when they are not, or cannot have one.

        Denials are told at `errors`, without waiting for whoever reads there.
        """
        self._channel.settimeout(_READY_SECONDS)
        listening = -1
        while True:
            data, fds, _, _ = socket.recv_fds(self._channel, 1, 1)
            for fd in fds:
                os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library's own signature
            self._fds += fds
            if data == WAY_OUT:
                (listening,) = fds
            elif data == READY:
                break
            elif not fds:
                raise ConnectionResetError(104, "the rooms of a confined run were not made")
            else:
                self._poll.register(fds[0], select.EPOLLIN)
        if proxy:
            self._proxy = offer_to_proxy(proxy, token, listening)
        # A pipe opened anew, so that not waiting is this process's own affair and not the program's.
        self._errors = os.open(f"/proc/self/fd/{errors}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def order(self, data: bytes, fds: Sequence[int]) -> None:
        """Have the init start the program in `data`; raises `OSError`."""
        socket.send_fds(self._channel, [data], fds)
        self._channel.settimeout(0)
        self._poll.register(self._channel, select.EPOLLIN)

    def attend(self) -> Ended | None:
        """Answer what waits, without waiting for more; returns how the program ended once nothing of the run is left."""
        for fd, events in self._poll.poll(0):
            if fd == self._channel.fileno():
                self._hear_once()
            elif events & select.EPOLLIN:
                self._answer(fd)
            else:
                self._poll.unregister(fd)  # nobody is held by the filter any more
        self._tell_denials()
        return self._end

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        self._poll.close()
        self._channel.close()
        if self._proxy is not None:
            self._proxy.close()
        errors, self._errors = self._errors, -1
        fds, self._fds = self._fds, []
        for fd in (*fds, errors):
            if fd >= 0:
                os.close(fd)

    def _hear_once(self) -> None:
        try:
            data = self._channel.recv(MAX_BYTES)
        except ConnectionError:  # it was killed before it had read its order
            data = b""
        if data.startswith(REFUSED):
            self._tell(_decode(data.removeprefix(REFUSED)))
        elif data:
            self._end = told_end(data)
        else:
            self._poll.unregister(self._channel)

    def _report(self, line: bytes) -> None:
        self._untold.append(line)

    def _tell_denials(self) -> None:
        """Write what fits; the rest is tried again with the next event, and the last time when the run is over."""
        while self._untold:
            try:
                os.write(self._errors, self._untold[0])
            except OSError:
                return  # nobody reads it, or nobody reads it now
            del self._untold[0]
