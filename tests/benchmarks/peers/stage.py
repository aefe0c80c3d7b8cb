"""The private servers that the rows share, started when first needed, emptied between rows."""

import contextlib
from typing import Self

import pytest

from benchmarks.peers.environments import UnavailableError
from support import server_keeper
from support.server_kinds import PostgresServer, RabbitServer, RedisServer
from support.servers import PrivateServer, ServerError, exchange

# Rewriting the log of appends is a matter of its size, so it would hit one row and spare the next.
_REDIS_OPTIONS = ("--auto-aof-rewrite-percentage", "0")


class Stage:
    """Owns the servers; close it, or use it as a context manager."""

    def __init__(self) -> None:
        self._servers: dict[str, PrivateServer] = {}
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def open(self, kinds: tuple[str, ...]) -> "Servers":
        """Start what is not running, make it empty, and return it; raises `UnavailableError`."""
        for kind in kinds:
            if kind not in self._servers:
                self._servers[kind] = self._started(kind)
        return Servers([self._emptied(kind) for kind in kinds], [self._servers[kind] for kind in kinds])

    def _started(self, kind: str) -> PrivateServer:
        try:
            match kind:
                case "redis":
                    server = RedisServer(*_REDIS_OPTIONS)
                case "postgres":
                    server = PostgresServer()
                case _:
                    server = RabbitServer()
            return self._closing.enter_context(server)
        except (ServerError, pytest.skip.Exception, pytest.fail.Exception) as failure:
            raise UnavailableError(f"no {kind} server: {failure}") from failure

    def _emptied(self, kind: str) -> str:
        server = self._servers[kind]
        if isinstance(server, PostgresServer):
            return server.new_database()
        if isinstance(server, RedisServer):
            exchange(server.port, b"FLUSHALL\r\n", 5)
        return server.url  # RabbitMQ: every peer has queues of its own


class Servers:
    """The servers of one row: their URLs, the queue's first, and the processor time they have used."""

    def __init__(self, urls: list[str], servers: list[PrivateServer]) -> None:
        self.urls = urls
        self._servers = servers

    def pids(self) -> list[int]:
        """List their processes."""
        return [pid for one in self._servers for pid in server_keeper.processes_below(one.run_directory)]
