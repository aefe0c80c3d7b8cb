"""A TCP proxy that can lose what passes through it, as a network does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class CuttingProxy:
    """Forwards to one local port until it is told to lose something. For the event loop that opened it."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._lose_answer_to: bytes | None = None
        self._lose_request: bytes | None = None
        self._streams: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = 0

    def lose_answer_to(self, text: bytes) -> None:
        """Let the next request that holds `text` through, and cut its connection before the answer passes."""
        self._lose_answer_to = text

    def lose_request(self, text: bytes) -> None:
        """Cut the connection of the next request that holds `text` before it passes."""
        self._lose_request = text

    def cut_all(self) -> None:
        """Cut every connection there is."""
        for stream in self._streams:
            stream.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
            link = _Link(self, reader, writer, server_reader, server_writer)
            self._streams |= {writer, server_writer}
            try:
                await link.forward()
            finally:
                self._streams -= {writer, server_writer}
                server_writer.transport.abort()
        except OSError:
            pass  # nobody listens behind us: the client sees its connection end
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    def take_request(self, data: bytes) -> tuple[bool, bool]:
        """Tell whether this request is lost, and whether its answer is."""
        if self._lose_request is not None and self._lose_request in data:
            self._lose_request = None
            self.cuts += 1
            return True, False
        if self._lose_answer_to is not None and self._lose_answer_to in data:
            self._lose_answer_to = None
            self.cuts += 1
            return False, True
        return False, False

    async def close(self) -> None:
        self.cut_all()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=10)


class _Link:
    """One client's connection."""

    def __init__(
        self,
        proxy: CuttingProxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client = reader, writer
        self._server = server_reader, server_writer
        self._deaf = False

    async def forward(self) -> None:
        there = asyncio.ensure_future(self._there())
        back = asyncio.ensure_future(self._back())
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.wait({there, back}, timeout=10)

    async def _there(self) -> None:
        reader, writer = self._client[0], self._server[1]
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                lost, deaf = self._proxy.take_request(data)
                if lost:
                    return
                self._deaf = self._deaf or deaf
                writer.write(data)
                await writer.drain()

    async def _back(self) -> None:
        reader, writer = self._server[0], self._client[1]
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                if self._deaf:
                    return
                writer.write(data)
                await writer.drain()


@contextlib.asynccontextmanager
async def cutting_proxy(target: int) -> AsyncIterator[CuttingProxy]:
    """Have a proxy to the local port `target` for the time of a `with`."""
    proxy = CuttingProxy(target)
    server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0, limit=1 << 20)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
