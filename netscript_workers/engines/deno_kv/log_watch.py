"""Hears that somebody writes to the database: every commit, Deno's too, begins with a write to its write-ahead log."""

import asyncio
import contextlib
import os
from pathlib import Path

from netscript_workers.engines.deno_kv import inotify


class LogWatch:
    """Wakes one waiter at the first write after `arm`. Between that and the next `arm` further writes cost nothing.

    The write is heard before the commit can be seen. Where the system tells nothing, `wait` runs into its bound.
    """

    def __init__(self, database: Path) -> None:
        """Name the file; `open` begins to listen."""
        self._path = database.with_name(database.name + "-wal")
        self._descriptor = -1
        self._heard = False
        self._waiter: asyncio.Future[None] | None = None

    def open(self) -> None:
        """Begin to listen in the running loop."""
        self._descriptor = inotify.open_watch()
        if self._descriptor >= 0:
            asyncio.get_running_loop().add_reader(self._descriptor, self._on_written)

    def close(self) -> None:
        """Let go of the descriptor. Idempotent."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def arm(self) -> None:
        """Hear the next write."""
        self._heard = False
        inotify.watch(self._descriptor, self._path, inotify.MODIFIED | inotify.ONCE)

    async def wait(self, seconds: float) -> bool:
        """Return True once there was a write since `arm`, False after `seconds`."""
        if not self._heard:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait({self._waiter}, timeout=seconds)
            finally:
                self._waiter.cancel()
        return self._heard

    def wake(self) -> None:
        """Let the waiter go on as if there had been a write."""
        self._heard = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _on_written(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 65_536)
            self.wake()
