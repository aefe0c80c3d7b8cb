"""The daemon's end of the stream socket to a slot."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

from netscript_workers.runners.messages import FROM_SLOT, Done, FrameReader, Logged, Progressed

_CHUNK: Final = 65_536
_LARGE_CHUNK: Final = 1_048_576


class SlotConnection:
    """Reads and writes without waiting. Owns `connection` (non-blocking); `on_readable` is called when there is something."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connection: socket.socket, on_readable: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._reader = FrameReader(FROM_SLOT)
        self._unsent = memoryview(b"")
        loop.add_reader(connection, on_readable)

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed here."""
        return self._socket.fileno() >= 0

    @property
    def is_behind(self) -> bool:
        """Whether something waits here until the slot takes it."""
        return bool(self._unsent)

    def read(self) -> list[Progressed | Logged | Done]:
        """Read once and return the messages that are whole; raises `BlockingIOError`, `EOFError` or `SlotError`."""
        size = _LARGE_CHUNK if self._reader.missing > _CHUNK else _CHUNK
        try:
            data = self._socket.recv(size)
        except BlockingIOError:
            raise
        except OSError:
            raise EOFError from None
        if not data:
            raise EOFError
        return self._reader.feed(data)

    def send(self, data: bytes) -> None:
        """Send now or as soon as the slot takes it; lost when the process is ending, as its exit will tell."""
        if self._unsent:
            self._unsent = memoryview(bytes(self._unsent) + data)
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return
        self._keep(data, sent)

    def send_with(self, data: bytes, fds: Sequence[int]) -> None:
        """Send `data` with descriptors to a slot that has taken all before it; raises `OSError`."""
        self._keep(data, socket.send_fds(self._socket, [data], fds))

    def ignore(self) -> None:
        """Hear no more of it."""
        self._loop.remove_reader(self._socket)

    def close(self) -> None:
        """Close it. Idempotent."""
        if self.is_open:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _keep(self, data: bytes, sent: int) -> None:
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            self._loop.add_writer(self._socket, self._on_writable)

    def _on_writable(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._unsent)  # the process is ending
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._loop.remove_writer(self._socket)
