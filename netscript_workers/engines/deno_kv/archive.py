"""The archive in a SQLite file, for engines that have none of their own: the file's archive tables and nothing else."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from netscript_workers.domain.execution import FINISHED, Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.deno_kv.base import make_folder
from netscript_workers.engines.deno_kv.finding import RESTING, finding
from netscript_workers.engines.deno_kv.kept import Keeping, keep_all, remove_all
from netscript_workers.engines.deno_kv.probing import probe_file
from netscript_workers.engines.deno_kv.rows import batch, read_texts
from netscript_workers.engines.deno_kv.schema import prepare
from netscript_workers.engines.deno_kv.times import wall_ms as host_wall_ms
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.ports.archive import Archived
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter

_NO_LIMIT = -1


class SqliteArchive(Keeping):
    """Fulfils `ports.archive.Archive` in the file at `path`, which has the layout of the embedded queue.

    Many processes of one host may have it open. Owns two threads and two connections between `open` and `close`.
    `wall_ms` tells the time (ms since 1970), so that tests can own it.
    """

    def __init__(
        self, path: Path, queue_name: str = "jobs", wall_ms: Callable[[], int] = host_wall_ms
    ) -> None:
        super().__init__(path, queue_name, wall_ms)
        self._opened = False

    async def open(self) -> None:
        """Open the file, or make it with its directory; raises `EngineUnavailableError`, `EngineFormatError`."""
        if self._opened:
            return
        make_folder(self._path, "the archive")

        def remember(db: sqlite3.Connection) -> None:
            self._number = prepare(db, self._path, self._queue_name, self._sql)

        self._connections.open(remember)
        self._opened = True

    async def probe(self) -> None:
        """See `ports.engine.Probing`."""
        await asyncio.get_running_loop().run_in_executor(None, probe_file, self._path)

    async def close(self) -> None:
        """Finish what is queued and let go of everything. Idempotent."""
        if self._opened:
            self._opened = False
            await self._connections.close()

    async def put_many(self, records: Sequence[Archived]) -> None:
        """See `ports.archive.Archive`."""
        latest = {record.execution.id: record for record in records}

        def put(tx: Transaction) -> None:
            remove_all(tx, self._sql, self._number, batch(list(latest)), live=False)
            keep_all(tx, self._sql, self._number, list(latest.values()))

        if latest:
            await self._connections.write(put)

    async def read_many(self, execution_ids: Sequence[str]) -> list[Archived]:
        """See `ports.archive.Archive`."""
        return await self._read_whole(batch(list(execution_ids)), live=False)

    async def drop_many(self, execution_ids: Sequence[str]) -> int:
        """See `ports.archive.Archive`."""
        ids = batch(list(execution_ids))
        return await self._connections.write(
            lambda tx: remove_all(tx, self._sql, self._number, ids, live=False)
        )

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        found = await self._records(list(execution_ids))
        return [found.get(execution_id) for execution_id in execution_ids]

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        if query.status is not None and query.status not in FINISHED:
            return []
        parameters = self._with(
            target=query.target,
            topic=query.topic,
            correlation=query.correlation_id,
            limit=_NO_LIMIT if query.limit is None else query.limit,
        )
        return await self._found(finding(RESTING, query), parameters)

    async def find_dead(self, which: DeadFilter, limit: int | None) -> list[Execution]:
        """See `ports.archive.Archive`."""
        parameters = self._with(
            target=which.target,
            topic=which.topic,
            ids=batch(list(which.ids)) if which.ids else None,
            limit=_NO_LIMIT if limit is None else limit,
        )
        return await self._found(self._sql["find_archived_dead"], parameters)

    async def count_dead(self) -> int:
        """See `ports.archive.Archive`."""
        return await self._connections.read(self._sql["count_archived_dead"], self._with())

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        return [one for record in await self.read_many([execution_id]) for one in record.attempts]

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        records = await self.read_many([execution_id])
        return [line for record in records for line in record.lines if line[0] > after]

    async def drop_due(self, limit: int) -> int:
        """See `ports.archive.Archive`."""
        parameters = self._with(now=self._wall_ms(), limit=limit)
        if not read_texts(await self._connections.read(self._sql["look_due"], parameters)):
            return 0

        def drop(tx: Transaction) -> int:
            ids = tx.one(self._sql["look_due"], parameters)
            return remove_all(tx, self._sql, self._number, ids, live=False)

        return await self._connections.write(drop)

    async def _found(self, statement: str, parameters: dict[str, object]) -> list[Execution]:
        ids = read_texts(await self._connections.read(statement, parameters))
        found = await self._records(ids)
        return [found[execution_id] for execution_id in ids if execution_id in found]

    async def _records(self, execution_ids: list[str]) -> dict[str, Execution]:
        rows = await self._kept(batch(execution_ids), live=False)
        return {each.row.id: each.row.execution() for each in rows}
