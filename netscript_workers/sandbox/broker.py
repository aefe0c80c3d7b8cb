"""Deno's permission broker: asked about each thing that a Deno program is about to do, it allows it and remembers what it was."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import msgspec

VARIABLE: Final = "DENO_PERMISSION_BROKER_PATH"
_CLOSE_SECONDS: Final = 5.0
_MOST: Final = 20_000


class Request(msgspec.Struct, frozen=True):
    """What Deno asks: a permission by its own name, and of what (None: all of it, or it does not say)."""

    id: int
    permission: str
    value: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    id: int
    result: str = "allow"


_decode: Final = msgspec.json.Decoder(Request).decode
_encode: Final = msgspec.json.Encoder().encode


class Broker:
    """Listens at `path`. `requests` is what was asked, each once; `asked_at` when Deno first came (monotonic), None if never."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests: dict[tuple[str, str | None], None] = {}
        self.asked_at: float | None = None

    @property
    def requests(self) -> tuple[tuple[str, str | None], ...]:
        """What was asked, in order."""
        return tuple(self._requests)

    async def start(self) -> None:
        """Listen; raises `OSError`."""
        self._server = await asyncio.start_unix_server(self._serve, path=self._path)

    async def stop(self) -> None:
        """End the listening, and what is still open. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.asked_at = self.asked_at or time.monotonic()
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while line := await reader.readline():
                request = _decode(line)
                if len(self._requests) < _MOST:
                    self._requests[request.permission, request.value] = None
                writer.write(_encode(_Answer(request.id)) + b"\n")
                await writer.drain()
