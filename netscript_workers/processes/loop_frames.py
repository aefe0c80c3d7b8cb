"""The daemon's end of a socket: messages and descriptors, without ever waiting."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from netscript_workers.errors import SlotError
from netscript_workers.processes.frames import FrameReader
from netscript_workers.processes.spawn_messages import Message, frame

Received = TypeVar("Received")
_CHUNK: Final = 65_536


class LoopFrames(Generic[Received]):
    """Reads and writes `connection` (owned). `take` gets each message; `lost` is called once, when the other end has closed."""

    def __init__(
        self,
        connection: socket.socket,
        decoder: msgspec.msgpack.Decoder[Received],
        take: Callable[[Received], None],
        lost: Callable[[], None],
    ) -> None:
        connection.settimeout(0)
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._reader = FrameReader(decoder)
        self._take = take
        self._lost = lost
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._is_waiting = False
        self._loop.add_reader(connection, self._on_readable)

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed here."""
        return self._connection.fileno() >= 0

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Send in order; `fds` (owned) go along and are closed here. Lost when the other end is dead, as `lost` will tell."""
        try:
            data = frame(message)
        except SlotError:
            close_all(fds)
            raise
        if not self.is_open:
            close_all(fds)
            return
        self._unsent.append((data, fds))
        if len(self._unsent) == 1:
            self._flush()

    def close(self) -> None:
        """Close it, with what was not sent. Idempotent."""
        if self.is_open:
            self._loop.remove_reader(self._connection)
            self._loop.remove_writer(self._connection)
            self._connection.close()
        while self._unsent:
            close_all(self._unsent.popleft()[1])

    def _on_readable(self) -> None:
        try:
            data = self._connection.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._lost()
            return
        for message in self._reader.feed(data):
            self._take(message)

    def _flush(self) -> None:
        while self._unsent:
            data, fds = self._unsent[0]
            try:
                sent = socket.send_fds(self._connection, [data], fds) if fds else self._connection.send(data)
            except BlockingIOError:
                if not self._is_waiting:
                    self._loop.add_writer(self._connection, self._flush)
                    self._is_waiting = True
                return
            except OSError:
                break  # it is dead: the reader finds out
            close_all(fds)
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = (data[sent:], ())
        if self._is_waiting:
            self._loop.remove_writer(self._connection)
            self._is_waiting = False


def close_all(fds: tuple[int, ...]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)
