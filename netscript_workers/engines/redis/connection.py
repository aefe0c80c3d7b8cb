"""The connections to one server: a few, each for one command at a time, every wait bounded."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, cast

import hiredis
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from netscript_workers.engines.redis.address import Address, Link
from netscript_workers.engines.redis.failures import explained
from netscript_workers.engines.redis.nodes import Nodes, Place, places_of
from netscript_workers.engines.redis.scripts import Scripts
from netscript_workers.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CONNECTIONS: Final = 8
COMMAND_S: Final = 10.0
_MAX_HOPS: Final = 5
_DOUBTED_AFTER_S: Final = 5.0  # so long unused, a connection is asked whether it lives
_PING_S: Final = 2.0

Word = str | bytes | int

_pack = cast("Callable[[tuple[Word, ...]], bytes]", cast("Any", hiredis).pack_command)
_PING: Final = _pack(("PING",))
_SLOTS: Final = _pack(("CLUSTER", "SLOTS"))
_GOES_ON_ELSEWHERE: Final = (ReadOnlyError, ClusterDownError, MasterDownError)

log = logging.getLogger("netscript_workers.engines.redis")


class Server:
    """Runs commands and scripts. Makes connections as they are needed and keeps them until `close`.

    `shown` is the URL as it may be printed, host and port without it. In a cluster it follows the queue to its node and remembers
    the others: where one does not answer, the next command asks the next one.
    """

    def __init__(self, url: str, shown: str) -> None:
        """Connect nowhere yet; raises `ConfigError` for a URL that cannot be used."""
        self._address = Address.parse(url)
        self.where = shown or self._address.place
        self.nodes = Nodes(self._address.places)
        self._idle: list[tuple[Link, float]] = []  # with when each was last used
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._scripts = Scripts()
        self._closed = False

    def connection(self) -> Link:
        """Return a new connection that is not connected yet; whoever takes it disconnects it."""
        options = dict(self._address.options)
        if self.nodes.current is not None:
            options["host"], options["port"] = self.nodes.current
        # A command that was sent must not be sent again behind our back: whoever asked decides.
        options["retry"] = Retry(NoBackoff(), 0)
        return self._address.kind(**options)

    def leave(self, link: Link) -> None:
        """Ask another node from now on, where there is one: the one of `link` failed."""
        self.nodes.leave(_place(link))

    async def learn(self) -> None:
        """Ask what nodes the cluster has. A server that is none, or does not tell, leaves us with those we know."""
        try:
            slots = await self._ask(_SLOTS)
        except (ResponseError, EngineError) as error:
            log.debug("Redis at %s names no nodes of a cluster: %s", self.where, error)
            return
        host = self.nodes.current[0] if self.nodes.current else ""
        self.nodes.learn(places_of(slots, host))

    async def open(self) -> None:
        """Be ready to run commands again after a `close`."""
        self._closed = False

    async def close(self) -> None:
        """Let go of every connection; those in use are let go of as their commands end. Idempotent."""
        self._closed = True
        idle, self._idle = self._idle, []
        for link, _ in idle:
            await link.disconnect(nowait=True)

    async def run(self, verb: str, root: str, *arguments: Word) -> Any:
        """Run the script `verb` on the keys under `root`; raises `EngineError` when that fails in a way that may pass."""
        script = self._scripts[verb]
        try:
            return await self._call("EVALSHA", script.digest, 1, root, *arguments)
        except NoScriptError:  # a new server, or somebody flushed its scripts: it did not run
            return await self._call("EVAL", script.text, 1, root, *arguments)

    async def call(self, *words: Word) -> Any:
        """Run one command; raises as `run` does."""
        return await self._call(*words)

    async def _call(self, *words: Word) -> Any:
        packed = _pack(words)
        if self._free.locked():
            await self._wait_for_turn()
        else:
            await self._free.acquire()
        try:
            for _ in range(_MAX_HOPS):
                try:
                    return await self._ask(packed)
                except ResponseError as error:
                    if not await self._follow(error):
                        raise self._explained(error) from error
            raise EngineError(f"the cluster of Redis at {self.where} sends us from node to node")
        finally:
            self._free.release()

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(COMMAND_S):
                await self._free.acquire()
        except TimeoutError:
            raise EngineError(
                f"Redis at {self.where} does not answer: {MAX_CONNECTIONS} commands wait already"
            ) from None

    async def _ask(self, packed: bytes) -> Any:
        link: Link | None = None
        try:
            link = await self._living()
            try:
                async with asyncio.timeout(COMMAND_S):
                    await link.send_packed_command(packed, check_health=False)
                    answer = cast("Any", await link.read_response(disable_decoding=True))
            except ResponseError:
                await self._put_back(link)
                raise
            except BaseException:
                # An answer may still be on its way: nobody else must take it for theirs.
                await link.disconnect(nowait=True)
                raise
        except ResponseError:
            raise
        except (RedisError, OSError, TimeoutError) as error:
            if link is not None:
                self.leave(link)
            # What broke one has likely broken all: nobody must find that out one by one.
            await self._hang_up()
            raise self._explained(error) from error
        await self._put_back(link)
        return answer

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, NoScriptError):
            return error
        return explained(error, self.where)

    async def _living(self) -> Link:
        """Return a connection that answers, as far as can be told: one gone dark would cost a command all of its time."""
        link, idle_s = self._take()
        if idle_s < _DOUBTED_AFTER_S:
            return link
        try:
            async with asyncio.timeout(_PING_S):
                await link.send_packed_command(_PING, check_health=False)
                await cast("Any", link.read_response(disable_decoding=True))
        except BaseException as error:
            await link.disconnect(nowait=True)
            if not isinstance(error, (RedisError, OSError, TimeoutError)):
                raise
            await self._hang_up()
            return self.connection()
        return link

    def _take(self) -> tuple[Link, float]:
        """Return a connection and how many seconds it was not used."""
        while self._idle:
            link, used_at = self._idle.pop()
            reader = link._reader  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - nothing public tells that the server hung up
            if reader is not None and not reader.at_eof():
                return link, time.monotonic() - used_at
            link._close()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - no await: it is dead
        return self.connection(), 0.0

    async def _put_back(self, link: Link) -> None:
        if self._closed or _place(link) != self.nodes.current:
            await link.disconnect(nowait=True)
        else:
            self._idle.append((link, time.monotonic()))

    async def _follow(self, error: ResponseError) -> bool:
        """Go where a cluster sends us; False when `error` says nothing of the kind."""
        if isinstance(
            error, _GOES_ON_ELSEWHERE
        ):  # another one may know better, or the name lead to another server by now
            self.nodes.leave(self.nodes.current)
            await self._hang_up()
            return False
        if not isinstance(error, MovedError) and not str(error).startswith("MOVED "):
            return False
        host, _, port = str(error).rpartition(" ")[2].rpartition(":")
        if self.nodes.follow((host or self._address.host, int(port))):
            await self._hang_up()
            await self.learn()
        return True

    async def _hang_up(self) -> None:
        idle, self._idle = self._idle, []
        for link, _ in idle:
            await link.disconnect(nowait=True)


def _place(link: Link) -> Place | None:
    return None if isinstance(link, UnixDomainSocketConnection) else (link.host, int(link.port))
