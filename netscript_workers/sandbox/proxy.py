"""The way out of a run's network room: an HTTP proxy in the daemon that lets through the listed hosts and nothing else."""

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from netscript_workers.sandbox.hosts import HostRule
from netscript_workers.sandbox.proxying import MAX_HEAD, Exchange

_TOKEN_BYTES: Final = 32
_GREETING_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 5.0
_MAX_REFUSALS: Final = 20
# What a run opens takes descriptors of the daemon's: of those that a run may have and all may have, others wait to be accepted.
_MOST_OF_A_RUN: Final = 64
_MOST_OF_ALL: Final = 4096
_SHARE_OF_DESCRIPTORS: Final = (
    4  # two descriptors a connection: at most half of those that the daemon may have
)
_LOOKUPS: Final = 4  # threads of our own: a name server that does not answer holds up nobody else's
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SHORT_SECONDS: Final = 0.5
_CLOSED: Final = frozenset({errno.EBADF, errno.EINVAL})


class Pass:
    """What one run may reach, and what it was refused."""

    def __init__(self, rules: Sequence[HostRule]) -> None:
        self.token = secrets.token_hex(_TOKEN_BYTES // 2).encode()
        self.rules = tuple(rules)
        self.refused: list[str] = []
        self.acceptor: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    def refuse(self, what: str) -> None:
        """Remember a refusal, each once and not without end."""
        if what not in self.refused and len(self.refused) < _MAX_REFUSALS:
            self.refused.append(what)


class Proxy:
    """Serves every run that was given a pass. A run's own room listens; its socket comes here, and is served from outside."""

    def __init__(self) -> None:
        self._passes: dict[bytes, Pass] = {}
        self._directory: Path | None = None
        self._socket: socket.socket | None = None
        self._acceptor: asyncio.Task[None] | None = None
        self._greetings: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_MOST_OF_ALL)
        self._threads: ThreadPoolExecutor | None = None

    @property
    def path(self) -> bytes:
        """Where runs announce themselves; empty before `start`."""
        return b"" if self._directory is None else os.fsencode(self._directory / "proxy")

    async def start(self) -> None:
        """Listen for runs that announce themselves. Idempotent; raises `OSError`."""
        if self._acceptor is not None:
            return
        self._directory = Path(tempfile.mkdtemp(prefix="netscript-workers-"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(0)
        self._socket.bind(self.path)
        self._socket.listen(64)
        self._room = asyncio.Semaphore(_most_open())
        self._threads = ThreadPoolExecutor(_LOOKUPS, "names for confined runs")
        self._acceptor = asyncio.get_running_loop().create_task(
            self._accept(self._socket), name="proxy of confined runs"
        )

    async def stop(self) -> None:
        """End every run's way out, and the listening. Idempotent."""
        tasks = [each for each in (self._acceptor, *self._greetings) if each is not None]
        self._acceptor = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
        for each in list(self._passes.values()):
            await self.withdraw(each)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def admit(self, rules: Sequence[HostRule]) -> Pass:
        """Give a run its pass."""
        given = Pass(rules)
        self._passes[given.token] = given
        return given

    async def withdraw(self, given: Pass) -> None:
        """End what was open for a run. Idempotent."""
        self._passes.pop(given.token, None)
        tasks = [*given.tasks, *([] if given.acceptor is None else [given.acceptor])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection = await _accepted(listening)
            task = loop.create_task(self._greet(connection), name="greeting of a confined run")
            self._greetings.add(task)
            task.add_done_callback(self._greetings.discard)

    async def _greet(self, connection: socket.socket) -> None:
        """Take a run's listening socket and serve it until the run's end of this connection closes, or its pass ends."""
        with connection, contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GREETING_SECONDS):
                token, fds = await _received(connection)
            given = self._passes.get(token)
            sockets = [socket.socket(fileno=fd) for fd in fds]
            if given is None or given.acceptor is not None or len(sockets) != 1:
                for each in sockets:
                    each.close()
                return
            given.acceptor = asyncio.create_task(
                self._serve(given, sockets[0]), name="connections of a confined run"
            )
            connection.send(b"+")

    async def _serve(self, given: Pass, listening: socket.socket) -> None:
        """Accept what the run opens, as long as there is room for it; what is left waits in the run's own network room."""
        room = asyncio.Semaphore(_MOST_OF_A_RUN)
        with listening:
            listening.settimeout(0)
            while True:
                await room.acquire()
                await self._room.acquire()
                try:
                    task = await self._begin(given, listening)
                except BaseException:
                    self._room.release()
                    raise
                task.add_done_callback(lambda _: (room.release(), self._room.release()))

    async def _begin(self, given: Pass, listening: socket.socket) -> asyncio.Task[None]:
        """Accept one connection and begin to serve it."""
        connection = await _accepted(listening)
        try:
            reader, writer = await asyncio.open_connection(sock=connection, limit=MAX_HEAD)
        except BaseException:
            connection.close()
            raise
        exchange = Exchange(reader, writer, given.rules, given.refuse, self._threads)
        task = asyncio.create_task(exchange.serve(), name="connection of a confined run")
        given.tasks.add(task)
        task.add_done_callback(given.tasks.discard)
        task.add_done_callback(lambda _: writer.close())  # also when it was cancelled before it began
        return task


def _most_open() -> int:
    import resource  # which Windows has not, where nothing is confined

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        _MOST_OF_ALL if soft == resource.RLIM_INFINITY else min(_MOST_OF_ALL, soft // _SHARE_OF_DESCRIPTORS)
    )


async def _accepted(listening: socket.socket) -> socket.socket:
    """Accept a connection; raises `OSError` only when nobody listens any more."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, _ = await loop.sock_accept(listening)
        except OSError as error:
            if error.errno in _CLOSED:
                raise
            if error.errno in _SHORT:
                await asyncio.sleep(_SHORT_SECONDS)
        else:
            return connection


async def _received(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Read the token and the descriptor that comes with it."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    connection.settimeout(0)
    loop.add_reader(connection, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(connection)
    token, fds, _, _ = socket.recv_fds(connection, _TOKEN_BYTES, 4)
    return token, fds
