"""What comes to a slot: messages on its connection, and runs handed over ahead."""

import asyncio
import contextlib
import select
import socket
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final

from netscript_workers.runners.ahead import is_unread, take
from netscript_workers.runners.messages import TO_SLOT, Cancel, FrameReader, Run, ToSlot

_CHUNK: Final = 65_536
_LARGE_CHUNK: Final = 1_048_576
_OUTPUTS: Final = 2


class SlotInbox:
    """Reads both sockets of a slot. What came on `connection` goes before what came `ahead`, since it was sent before it."""

    def __init__(self, connection: socket.socket, ahead: socket.socket | None) -> None:
        self._connection = connection
        self._ahead = ahead
        self._both = select.poll()
        self._ahead_only = select.poll()
        if ahead is not None:
            self._both.register(connection, select.POLLIN)
            self._both.register(ahead, select.POLLIN)
            self._ahead_only.register(ahead, select.POLLIN)
        self._reader = FrameReader(TO_SLOT)
        self._ahead_reader = FrameReader(TO_SLOT)  # each datagram holds one whole frame
        self._messages: deque[ToSlot] = deque()
        self._fds: list[int] = []
        self._expects_fds = False
        self._arrival: asyncio.Future[None] | None = None
        self.cancelled = 0  # the serial of a run that must end before it has begun
        self.is_open = True
        self.is_halted = (
            ahead is None
        )  # nothing is taken ahead before the daemon has spoken on the connection

    def next_run(self, loop: asyncio.AbstractEventLoop | None) -> Run | None:
        """Wait for the next run, while what earlier runs left on `loop` goes on; None when the daemon is gone."""
        while True:
            while self._messages:
                message = self._messages.popleft()
                if isinstance(message, Run):
                    return message
                if isinstance(message, Cancel):
                    self.cancelled = message.serial  # its run has been answered, or is still to be taken
            if not self.is_open:
                return None
            if self._reader.is_partial:
                self._receive(0)
            elif (run := self._take_in_turn()) is not None:
                return run
            elif not self._has_news:
                self._wait(loop)

    def ended(self, children: int) -> None:
        """Note that a run has ended and left `children` processes behind: whether the next may be taken ahead.

        Not while processes are left behind or output is unread: the daemon could not tell whose it is.
        """
        self._expects_fds = children > 0
        self.is_halted = self._ahead is None or children > 0 or is_unread(1) or is_unread(2)

    def take_ahead(self) -> Run | None:
        """Take the next of the runs handed over ahead, if there is one."""
        if self.is_halted or self._ahead is None:
            return None
        data = take(self._ahead)
        if not data:  # the daemon is gone, as the connection will tell
            return None
        (run,) = self._ahead_reader.feed(data)
        return run if isinstance(run, Run) else None

    def holds_cancel(self, serial: int) -> bool:
        """Look, without waiting, whether the run `serial` must end; from any thread, while it is under way."""
        with contextlib.suppress(BlockingIOError):
            self._receive(socket.MSG_DONTWAIT)
        found = False
        while self._messages and isinstance(message := self._messages[0], Cancel):
            self._messages.popleft()
            if message.serial == serial:
                found = True
            else:
                self.cancelled = message.serial  # its run has been answered, or is still to be taken
        return found

    def arrive(self) -> None:
        """End a wait in the loop if there is something to be looked at."""
        if self._arrival is not None and (self._messages or not self.is_open):
            _arrive(self._arrival)

    def take_descriptors(self) -> list[int]:
        """Hand over the descriptors that came with the last messages; they are the caller's to close."""
        fds, self._fds = self._fds, []
        return fds

    @property
    def _has_news(self) -> bool:
        return bool(self._messages) or not self.is_open or self._reader.is_partial

    def _take_in_turn(self) -> Run | None:
        """Take a run ahead unless the daemon has sent another on the connection before it."""
        if self.is_halted or not self._ahead_only.poll(0):
            return None
        with contextlib.suppress(BlockingIOError):
            self._receive(socket.MSG_DONTWAIT)
        return None if self._has_news else self.take_ahead()

    def _wait(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Wait until something comes, and read it if it comes on the connection."""
        if loop is not None and asyncio.all_tasks(loop):
            loop.run_until_complete(self._wait_in(loop))
        elif self.is_halted or any(fd == self._connection.fileno() for fd, _ in self._both.poll()):
            self._receive(0)

    def _wait_in(self, loop: asyncio.AbstractEventLoop) -> Coroutine[Any, Any, None]:
        async def wait() -> None:
            self._arrival = arrival = loop.create_future()
            if self._ahead is not None and not self.is_halted:
                loop.add_reader(self._ahead, _arrive, arrival)
            try:
                await arrival
            finally:
                if self._ahead is not None:
                    loop.remove_reader(self._ahead)

        return wait()

    def _receive(self, flags: int) -> None:
        """Read once from the connection, with the descriptors that may come along when a run left processes behind."""
        size = _LARGE_CHUNK if self._reader.missing > _CHUNK else _CHUNK
        try:
            if self._expects_fds:
                data, fds, _, _ = socket.recv_fds(self._connection, size, _OUTPUTS, flags)
                self._fds += fds
            else:
                data = self._connection.recv(size, flags)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_open = False
            return
        self._messages.extend(self._reader.feed(data))


def _arrive(arrival: "asyncio.Future[None]") -> None:
    if not arrival.done():
        arrival.set_result(None)
