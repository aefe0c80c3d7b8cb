"""The end of a socket in a process that does one thing at a time: whole messages in and out, descriptors with them."""

import os
import socket
from collections import deque
from typing import Final, Generic, TypeVar

import msgspec

from netscript_workers.processes.frames import FrameReader
from netscript_workers.processes.spawn_messages import Message, frame

Received = TypeVar("Received")

_CHUNK: Final = 65_536
_MAX_FDS: Final = 64


class DaemonGoneError(Exception):
    """The daemon has closed its end of the socket, or died."""


class BlockingFrames(Generic[Received]):
    """Reads and writes `connection` (owned, blocking). Descriptors wait in the order in which they came."""

    def __init__(self, connection: socket.socket, decoder: msgspec.msgpack.Decoder[Received]) -> None:
        self._connection = connection
        self._reader = FrameReader(decoder)
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._connection.fileno()

    def receive(self) -> list[Received]:
        """Read once and return the messages that are whole; raises `DaemonGoneError`."""
        try:
            data, fds, _, _ = socket.recv_fds(self._connection, _CHUNK, _MAX_FDS)
        except ConnectionError:
            raise DaemonGoneError from None
        for fd in fds:  # nobody forks in between, and programs must not inherit them
            os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library's own signature
        self._fds += fds
        if not data:
            raise DaemonGoneError
        return self._reader.feed(data)

    def take_fds(self, count: int) -> list[int]:
        """Hand over the descriptors that came first; the taker closes them."""
        return [self._fds.popleft() for _ in range(count)]

    def send(self, message: Message) -> None:
        """Write a message. A small one is whole whoever else writes here; raises `DaemonGoneError`."""
        try:
            self._connection.sendall(frame(message))
        except ConnectionError:
            raise DaemonGoneError from None

    def close(self) -> None:
        """Close the socket and the descriptors nobody took."""
        self._connection.close()
        while self._fds:
            os.close(self._fds.popleft())
