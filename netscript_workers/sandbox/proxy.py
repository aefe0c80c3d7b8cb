"""The way out of a run's network room: an HTTP proxy in the daemon that lets through the listed hosts and nothing else."""

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from netscript_workers.sandbox.hosts import HostRule
from netscript_workers.sandbox.proxying import Exchange

_TOKEN_BYTES: Final = 32
_GREETING_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 5.0
_MAX_REFUSALS: Final = 20


class Pass:
    """What one run may reach, and what it was refused."""

    def __init__(self, rules: Sequence[HostRule]) -> None:
        self.token = secrets.token_hex(_TOKEN_BYTES // 2).encode()
        self.rules = tuple(rules)
        self.refused: list[str] = []
        self.server: asyncio.Server | None = None
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

    def admit(self, rules: Sequence[HostRule]) -> Pass:
        """Give a run its pass."""
        given = Pass(rules)
        self._passes[given.token] = given
        return given

    async def withdraw(self, given: Pass) -> None:
        """End what was open for a run. Idempotent."""
        self._passes.pop(given.token, None)
        if given.server is not None:
            given.server.close()
            given.server = None
        for task in given.tasks:
            task.cancel()
        if given.tasks:
            await asyncio.wait(given.tasks, timeout=_CLOSE_SECONDS)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listening)
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
            if given is None or given.server is not None or len(sockets) != 1:
                for each in sockets:
                    each.close()
                return
            await self._serve(given, sockets[0])
            connection.send(b"+")

    async def _serve(self, given: Pass, listening: socket.socket) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                given.tasks.add(task)
                task.add_done_callback(given.tasks.discard)
            await Exchange(reader, writer, given.rules, given.refuse).serve()

        listening.settimeout(0)
        given.server = await asyncio.start_server(handle, sock=listening)


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
