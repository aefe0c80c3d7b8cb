"""The deno-kv engine: all ports over one SQLite file in the layout of Deno KV."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from netscript_workers.domain.message import NO_TERMS, Terms
from netscript_workers.domain.overview import TopicDepth
from netscript_workers.engines.deno_kv.admin import DenoKvAdmin
from netscript_workers.engines.deno_kv.ageing import DenoKvAgeing
from netscript_workers.engines.deno_kv.base import make_folder
from netscript_workers.engines.deno_kv.history import DenoKvHistory
from netscript_workers.engines.deno_kv.probing import probe_file
from netscript_workers.engines.deno_kv.schedules import DenoKvSchedules
from netscript_workers.engines.deno_kv.schema import prepare
from netscript_workers.engines.deno_kv.times import wall_ms as host_wall_ms

_MOVE_BOUND_S: Final = 30.0


class DenoKvEngine(DenoKvSchedules, DenoKvAdmin, DenoKvHistory, DenoKvAgeing):
    """Fulfils `ports.archive.AgeingEngine` and `Probing`. Many processes of one host may have the file open.

    Owns two threads, two connections and the descriptors of its bells between `open` and `close`.
    `wall_ms` tells the time (ms since 1970), so that tests can own it. `terms` say how to read what Deno enqueues.
    """

    def __init__(
        self,
        path: Path,
        queue_name: str = "jobs",
        wall_ms: Callable[[], int] = host_wall_ms,
        terms: Terms = NO_TERMS,
    ) -> None:
        super().__init__(path, queue_name, wall_ms, terms)
        self._opened = False

    async def open(self) -> None:
        """Open the file, or make it with its directory; raises `EngineUnavailableError`, `EngineFormatError`."""
        if self._opened:
            return
        make_folder(self._path, "the queue")

        def remember(db: sqlite3.Connection) -> None:
            self._number = prepare(db, self._path, self._queue_name, self._sql)

        self._connections.open(remember)
        try:
            self._bells.open()
        except BaseException:
            await self._connections.close()
            raise
        self._arrivals.allow()
        self._opened = True

    async def depths(self) -> list[TopicDepth]:
        """See `ports.queue_admin.QueueAdmin`. A worker counts what Deno has enqueued too: it is moved first."""
        await self._arrivals.caught_up(_MOVE_BOUND_S)
        return await super().depths()

    async def probe(self) -> None:
        """See `ports.engine.Probing`."""
        await asyncio.get_running_loop().run_in_executor(None, probe_file, self._path)

    async def close(self) -> None:
        """Finish what is queued and let go of everything. Idempotent."""
        if self._opened:
            self._opened = False
            await self._arrivals.stop()
            await self._connections.close()
            self._bells.close()
