"""The redis engine: all ports over one Redis or Valkey server, or a cluster of them."""

import logging
import re
from collections.abc import Callable
from typing import Final

from redis.exceptions import NoPermissionError

from netscript_workers.engines.redis.admin import RedisAdmin
from netscript_workers.engines.redis.ageing import RedisAgeing
from netscript_workers.engines.redis.history import RedisHistory
from netscript_workers.engines.redis.schedules import RedisSchedules
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError

_GLOB: Final = re.compile(r"[\\*?\[\]^-]")
OLDEST: Final = 7
"""The first version whose scripts can say that they may run with full memory."""

log = logging.getLogger("netscript_workers.engines.redis")


class RedisEngine(RedisSchedules, RedisAdmin, RedisHistory, RedisAgeing):
    """Fulfils `ports.engine.Engine` and `ports.archive.Ageing`. Any number of processes on any number of hosts may share a queue.

    Owns its connections and, once it has waited for something, a task that listens, between `open` and `close`. `url` is shown
    as `shown` wherever it is named. `clock` (ms since 1970) stands in for the server's time of records and due times, so that
    tests can own it; leases always count in the server's own.
    """

    def __init__(
        self, url: str, queue_name: str = "jobs", *, shown: str = "", clock: Callable[[], int] | None = None
    ) -> None:
        """Connect nowhere yet; raises `ConfigError` for a URL that cannot be used."""
        super().__init__(url, shown, queue_name, clock)

    async def open(self) -> None:
        """Reach the server; raises `EngineUnavailableError`, or `EngineFormatError` for one that is too old."""
        await self._server.open()
        try:
            version, policy = await self._look_around()
            await self._bells.check()
            await self._server.learn()
        except EngineUnavailableError:
            await self._server.close()
            raise
        except EngineError as error:
            await self._server.close()
            raise EngineUnavailableError(
                f"{str(error).rstrip('.')}. Start the server, or correct connections.redis_url (REDIS_URL)."
            ) from error
        if version < OLDEST:
            await self._server.close()
            raise EngineFormatError(
                f"Redis at {self._server.where} is version {version}; this engine needs Redis {OLDEST} or Valkey. Upgrade it."
            )
        if policy not in ("", "noeviction"):
            log.warning(
                "Redis at %s has maxmemory-policy %s: it may throw away executions when its memory is full. "
                "Set maxmemory-policy noeviction.",
                self._server.where,
                policy,
            )

    async def probe(self) -> None:
        """See `ports.engine.Probing`: opening makes nothing here."""
        await self.open()
        await self.close()

    async def close(self) -> None:
        """Give back what may have been claimed without our knowing, and let go of every connection. Idempotent."""
        try:
            await self._give_back_doubtful()
        except (EngineError, TimeoutError) as error:
            log.warning("what a claim without an answer claimed runs again when its lease ends: %s", error)
        finally:
            try:
                await self._bells.close()
            finally:
                await self._server.close()

    async def erase(self) -> None:
        """Delete this queue with all that it holds: a look at every key of the server, a stretch at a time."""
        await self._server.call(
            "EXISTS", f"{self._root}:seq"
        )  # in a cluster: to the node that holds the queue
        pattern = _GLOB.sub(r"\\\g<0>", self._root) + ":*"
        cursor = b"0"
        while True:
            cursor, keys = await self._server.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1_000)
            if keys:
                await self._server.call("UNLINK", *keys)
            if cursor == b"0":
                return

    async def _look_around(self) -> tuple[int, str]:
        """Look at the first node that answers."""
        for others in reversed(range(len(self._server.nodes))):
            try:
                return await self._look()
            except EngineUnavailableError:
                raise
            except EngineError as error:
                if not others:
                    raise
                log.info("trying the next node: %s", error)
        raise AssertionError("there is a node to try")

    async def _look(self) -> tuple[int, str]:
        """Return the server's major version and what it does when its memory is full, empty where it may not be asked."""
        try:
            told = await self._server.call("INFO", "server")
            told += await self._server.call("INFO", "memory")
        except EngineUnavailableError as error:
            if not isinstance(error.__cause__, NoPermissionError):
                raise
            log.debug("this user may not ask the server about itself: %s", error)
            await self._server.call("HLEN", f"{self._root}:workers")  # but it can use the queue
            return OLDEST, ""
        lines = (line.partition(":") for line in told.decode("utf-8", "replace").splitlines())
        facts = {name: value for name, _, value in lines}
        major = facts.get("redis_version", "").partition(".")[0]
        return int(major) if major.isdecimal() else OLDEST, facts.get("maxmemory_policy", "")
