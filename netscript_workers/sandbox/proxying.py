"""One connection of a confined run through the proxy: CONNECT, or a plain HTTP request, to a listed host."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from netscript_workers.sandbox.hosts import Covering, allowed, host_of, split_port

_MAX_HEAD: Final = 64 * 1024
_HEAD_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 30.0
_CHUNK: Final = 65_536
_HTTP_PORT: Final = 80
_PER_HOP: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"upgrade"}
)


class _Request(NamedTuple):
    host: str
    port: int
    forward: bytes  # what the server is sent first; empty for CONNECT


class RefusedError(Exception):
    """The request is not let through; the first argument says why, the second is the HTTP status."""


class Exchange:
    """Serves one connection. `refuse` is told what was asked for and is not listed."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rules: Sequence[Covering],
        refuse: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._rules = rules
        self._refuse = refuse

    async def serve(self) -> None:
        """Read one request, and pass bytes both ways until either side ends; never raises for what a peer does."""
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                await self._serve()
        finally:
            self._writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._writer.wait_closed()

    async def _serve(self) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await self._reader.readuntil(b"\r\n\r\n")
            request = parse(head)
            self._judge(request)
            server_reader, server_writer = await self._connect(request)
        except RefusedError as error:
            await self._answer(error.args[1], error.args[0])
            return
        except asyncio.LimitOverrunError:
            await self._answer(431, "the head of the request is too large")
            return
        try:
            if request.forward:
                server_writer.write(request.forward)
            else:
                self._writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _both_ways((self._reader, server_writer), (server_reader, self._writer))
        finally:
            server_writer.close()

    def _judge(self, request: _Request) -> None:
        place = f"{request.host}:{request.port}"
        if not allowed(self._rules, request.host, request.port):
            self._refuse(place)
            raise RefusedError(f"{place} is not among the hosts that this run may reach", 403)

    async def _connect(self, request: _Request) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                addresses = await _addresses(request.host, request.port)
                fault: OSError | None = None
                for address in addresses:
                    try:
                        return await asyncio.open_connection(address, request.port)
                    except OSError as error:
                        fault = error
        except (OSError, TimeoutError) as error:
            raise RefusedError(f"{request.host}:{request.port} cannot be reached: {error}", 502) from None
        raise RefusedError(f"{request.host}:{request.port} cannot be reached: {fault}", 502)

    async def _answer(self, status: int, text: str) -> None:
        body = f"netscript-workers: {text}\n".encode()
        head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        head += "Connection: close\r\n\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()


def parse(head: bytes) -> _Request:
    """Read the head of a request to a proxy; raises `RefusedError`.

    A plain request is sent on in the form a server expects, and for that one request only: the next one on the same
    connection might name another host.
    """
    first, *headers = head[:-4].split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):  # noqa: PLR2004 - method, target and version
        raise RefusedError("this is no request to an HTTP proxy", 400)
    method, target, version = words
    try:
        text = target.decode("ascii")
        if method == b"CONNECT":
            host, port = split_port(text)
            if port is None:
                raise RefusedError("CONNECT names no port", 400)
            return _Request(host_of(host), port, b"")
        url = urlsplit(text)
        if url.scheme != "http" or url.hostname is None:
            raise RefusedError("a plain request to a proxy names a whole http:// address", 400)
        host, port = host_of(url.hostname), url.port or _HTTP_PORT
    except (ValueError, UnicodeDecodeError) as error:
        raise RefusedError(f"the address cannot be read: {error}", 400) from None
    kept = [line for line in headers if line.split(b":", 1)[0].strip().lower() not in _PER_HOP]
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [b" ".join((method, path.encode(), version)), *kept, b"Connection: close"]
    return _Request(host, port, b"\r\n".join(lines) + b"\r\n\r\n")


async def _addresses(host: str, port: int) -> list[str]:
    """Look a host up. A name does not lead to this very machine or its link; an address that was listed as such may."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if host == "localhost" or _is_address(host):
        return addresses
    safe = [each for each in addresses if not _is_own(each)]
    if not safe:
        raise RefusedError(f"{host} leads to this machine itself; list its address to allow that", 403)
    return safe


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own(text: str) -> bool:
    address = ipaddress.ip_address(text.split("%", 1)[0])
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_loopback or plain.is_link_local or plain.is_unspecified


_Way = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _both_ways(out: _Way, back: _Way) -> None:
    """Pass on until both directions have ended; the end of one is passed on too."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_one_way(*out))
        group.create_task(_one_way(*back))


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
