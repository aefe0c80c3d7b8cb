"""One connection of a confined run through the proxy: CONNECT, or a plain HTTP request, to a listed host."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from netscript_workers.sandbox.hosts import Covering, allowed, host_of, split_port

MAX_HEAD: Final = 64 * 1024
_HEAD_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 30.0
_CHUNK: Final = 65_536
_HTTP_PORT: Final = 80
_IPV6: Final = 6
_PER_HOP: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"upgrade"}
)
# Where clouds tell a machine its own credentials, beside the link-local 169.254.169.254.
_TELL_CREDENTIALS: Final = frozenset(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)


class _Request(NamedTuple):
    host: str
    port: int
    forward: bytes  # what the server is sent first; empty for CONNECT


class RefusedError(Exception):
    """The request is not let through; the first argument says why, the second is the HTTP status."""


class Exchange:
    """Serves one connection. `refuse` is told what is not listed; hosts are looked up on `threads` (None: the loop's own)."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rules: Sequence[Covering],
        refuse: Callable[[str], None],
        threads: Executor | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._rules = rules
        self._refuse = refuse
        self._threads = threads

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
                addresses = await _addresses(request.host, request.port, self._threads)
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
    connection might name another host. What it says of its host is replaced by the host that was asked of us (RFC 9112, 3.2.2).
    """
    first, *headers = head[:-4].split(b"\r\n")
    if any(
        line.translate(None, b"\r\n\0") != line or line[:1] in (b" ", b"\t") for line in (first, *headers)
    ):
        raise RefusedError("the head of the request is not as HTTP has it: a line within a line", 400)
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
    kept = [line for line in headers if line.split(b":", 1)[0].strip().lower() not in {*_PER_HOP, b"host"}]
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    place = f"[{host}]" if ":" in host else host
    place += "" if port == _HTTP_PORT else f":{port}"
    begin = b" ".join((method, path.encode(), version))
    lines = [begin, b"Host: " + place.encode(), *kept, b"Connection: close"]
    return _Request(host, port, b"\r\n".join(lines) + b"\r\n\r\n")


async def _addresses(host: str, port: int, threads: Executor | None) -> list[str]:
    """Look a host up. A name does not lead to this very machine or its link; an address that was listed as such may."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(threads, look_up)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if host == "localhost" or _is_address(host):
        return addresses
    safe = [each for each in addresses if not leads_here(each)]
    if not safe:
        raise RefusedError(f"{host} leads to this machine itself; list its address to allow that", 403)
    return safe


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def leads_here(text: str) -> bool:
    """Tell whether an address is this machine's own, or where a cloud tells this machine its credentials."""
    address = ipaddress.ip_address(text.split("%", 1)[0])
    plain = getattr(address, "ipv4_mapped", None) or address
    if plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain in _TELL_CREDENTIALS:
        return True
    return _is_of_an_interface(str(plain), socket.AF_INET6 if plain.version == _IPV6 else socket.AF_INET)


def _is_of_an_interface(address: str, family: int) -> bool:
    """Tell whether packets to `address` would come from it: then it is this machine's own. Nothing is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, _HTTP_PORT))
        except OSError:
            return False  # not to be reached at all
        return probe.getsockname()[0] == address


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
