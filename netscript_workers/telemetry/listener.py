"""A very small HTTP/1.1 server on the daemon's own loop: GET and HEAD of a few paths, one answer for each connection.

A library would be a second server with its own life; what a probe and a scrape need fits here, with a bound on everything that
a client can make us keep: the head's size, the time it takes, the number of connections.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from netscript_workers.errors import ListenError

MAX_HEAD: Final = 8_192
MAX_CONNECTIONS: Final = 64
HEAD_BOUND_S: Final = 5.0
ANSWER_BOUND_S: Final = 10.0
_REQUEST_WORDS: Final = 3
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

log = logging.getLogger("netscript_workers.telemetry")


class Answer(msgspec.Struct, frozen=True):
    """What a path answers."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Awaitable[Answer]]]


class Listener:
    """Serves `pages` on one socket that it owns. A `Service`."""

    def __init__(self, name: str, pages: Pages, bind: Callable[[], socket.socket]) -> None:
        """Serve `pages` on what `bind` returns; nothing is bound before `start`."""
        self.name = name
        self._pages = pages
        self._bind = bind
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Return the address it listens on, host and port; empty before the start and for a local socket."""
        name = self._server.sockets[0].getsockname() if self._server is not None else None
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""

    async def start(self) -> None:
        """Listen; raises `ListenError`."""
        if self._server is not None:
            return
        bound = self._bind()
        serve = asyncio.start_unix_server if bound.family == socket.AF_UNIX else asyncio.start_server
        try:
            self._server = await serve(self._connected, sock=bound, limit=MAX_HEAD, backlog=MAX_CONNECTIONS)
        except BaseException:
            bound.close()
            raise

    async def stop(self, grace_ms: int) -> None:
        """Let go of the address and of every connection."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=max(grace_ms, 100) / 1000)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            await self._exchange(reader, writer)
        except (ConnectionError, TimeoutError):
            writer.transport.abort()  # the client went away, or does not take its answer
        except asyncio.CancelledError:
            writer.transport.abort()  # told to stop
        finally:
            self._open.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_head, answer = await self._answer_to(reader)
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode("ascii") + (b"" if is_head else answer.body))
        async with asyncio.timeout(ANSWER_BOUND_S):
            await writer.drain()

    async def _answer_to(self, reader: asyncio.StreamReader) -> tuple[bool, Answer]:
        try:
            async with asyncio.timeout(HEAD_BOUND_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return False, Answer(408, b"the request took too long\n")
        except asyncio.LimitOverrunError:
            return False, Answer(431, b"the request is too long\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise ConnectionError("gone without a request") from error
            return False, Answer(400, b"half a request\n")
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != _REQUEST_WORDS or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            return False, Answer(400, b"not HTTP/1.1\n")
        if words[0] not in (b"GET", b"HEAD"):
            return False, Answer(405, b"only GET and HEAD\n")
        return words[0] == b"HEAD", await self._page(words[1].partition(b"?")[0].decode("latin-1"))

    async def _page(self, path: str) -> Answer:
        page = self._pages.get(path)
        if page is None:
            return Answer(404, f"there are: {', '.join(self._pages)}\n".encode())
        try:
            async with asyncio.timeout(ANSWER_BOUND_S):
                return await page()
        except TimeoutError:
            return Answer(503, b"no answer in time\n")
        except Exception:
            log.exception("%s could not be answered; please report this", path)
            return Answer(500, b"a fault of our own; see the log\n")


def tcp(listen: str, tries: int = 1) -> socket.socket:
    """Bind `host:port` (an empty host: every address), or one of the next ports where it is in use; raises `ListenError`."""
    host, _, text = listen.rpartition(":")
    port = int(text)
    for further in range(tries):
        try:
            return _bound(host.strip("[]") or None, port + further)
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) == errno.EADDRINUSE and further + 1 < tries:
                continue
            raise ListenError(
                f"cannot serve metrics on {listen} (metrics.listen): {getattr(error, 'strerror', None) or error}. Give "
                "this process an address of its own; another daemon on this host may have it."
            ) from error
    raise AssertionError("tries is at least 1")


def _bound(host: str | None, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)  # noqa: FBT003 - the standard library's own
        bound.bind(address)
        bound.listen(MAX_CONNECTIONS)  # with SO_REUSEADDR only this tells that somebody listens there
    except BaseException:
        bound.close()
        raise
    return bound
