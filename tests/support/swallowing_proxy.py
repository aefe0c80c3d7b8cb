"""A small TCP proxy that loses answers and cuts connections."""

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Stands before a server while its `async with` lasts. `url` leads through it."""

    def __init__(self, url: str) -> None:
        self._behind = urlsplit(url)
        self.swallowing = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return self._behind._replace(netloc=f"{self._behind.username}@127.0.0.1:{port}").geturl()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection; new ones are let through, answers and all."""
        self.swallowing = False
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there, back = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        ours = {writer, back}
        self._writers |= ours
        try:
            asking = asyncio.create_task(self._pump(reader, back, answers=False))
            answering = asyncio.create_task(self._pump(there, writer, answers=True))
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            for one in (asking, answering):
                one.cancel()
            await asyncio.wait({asking, answering}, timeout=10)
        finally:
            self._writers -= ours
            for one in ours:
                one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if not (answers and self.swallowing):
                    writer.write(data)
                    await writer.drain()
