"""One output pipe of a program, read as it fills, with a bound on what is held."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

CHUNK: Final = 65_536
_DRAIN_READS: Final = (
    32  # more than a pipe holds: a survivor that prints for ever must not hold up the end of the run
)


class Capture:
    """Reads `fd` (owned, non-blocking) and gives each piece to `take`.

    One piece is read at a time, so a flood slows its own program and nobody else.
    """

    __slots__ = ("_fd", "_loop", "_take")

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, take: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._fd = fd
        self._take = take
        loop.add_reader(fd, self._read)

    def finish(self) -> None:
        """Take what the pipe still holds, and close it. Idempotent."""
        for _ in range(_DRAIN_READS):
            if not self._read():
                break
        self.close()

    def close(self) -> None:
        """Stop reading. Idempotent."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> bool:
        if self._fd < 0:
            return False
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        self._take(data)
        return True
