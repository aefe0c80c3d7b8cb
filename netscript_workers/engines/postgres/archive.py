"""An archive in PostgreSQL for engines that keep their live records elsewhere: the tables of the postgres engine."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from netscript_workers.domain.execution import Execution, LogLine, Status
from netscript_workers.engines.postgres import keeping
from netscript_workers.engines.postgres.connection import LONG_BOUND_S
from netscript_workers.engines.postgres.opening import look, number_of
from netscript_workers.engines.postgres.reading import Reading, attempt_of
from netscript_workers.engines.postgres.rows import record_of
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.ports.archive import Archived
from netscript_workers.ports.queue_admin import DeadFilter
from netscript_workers.ports.tables import Upkeep

if TYPE_CHECKING:
    from netscript_workers.domain.settlement import AttemptRecord
    from netscript_workers.engines.postgres.connection import Connection


class PostgresArchive(Reading):
    """Fulfils `ports.archive.Archive`. Parameters as for `PostgresEngine`; owns its connections between `open` and `close`."""

    _archive_only = True

    def __init__(
        self,
        url: str,
        queue_name: str = "jobs",
        *,
        shown: str = "(a database)",
        upkeep: Upkeep = Upkeep.UPGRADE,
        clock: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(url, queue_name, shown, clock)
        self._upkeep = upkeep
        self._opened = False

    async def open(self) -> None:
        """Reach the server; raises `EngineUnavailableError` or `EngineFormatError`."""
        if not self._opened:
            self._number = await number_of(self._connections, self._queue_name, upkeep=self._upkeep)
            self._opened = True

    async def probe(self) -> None:
        """See `ports.engine.Probing`."""
        await look(self._connections)

    async def close(self) -> None:
        """Let go of every connection. Idempotent."""
        self._opened = False
        await self._connections.close()

    async def put_many(self, records: Sequence[Archived]) -> None:
        """See `ports.archive.Archive`."""
        latest = {record.execution.id: record for record in records}
        if not latest:
            return

        async def put(connection: "Connection") -> None:
            await connection.execute(statement("remove"), self._number, list(latest))
            rows = await connection.fetch(
                statement("keep"), self._number, *keeping.columns(list(latest.values()))
            )
            seqs: dict[str, int] = {row[0]: row[1] for row in rows}
            kept = [(seq, latest[execution_id]) for execution_id, seq in seqs.items()]
            await connection.execute(statement("keep_attempts"), *keeping.attempt_columns(kept))
            await connection.execute(statement("keep_lines"), *keeping.line_columns(kept))

        await self._connections.transaction(put)

    async def read_many(self, execution_ids: Sequence[str]) -> list[Archived]:
        """See `ports.archive.Archive`."""
        rows = await self._long("read_kept", self._number, list(execution_ids))
        seqs: list[int] = [row[24] for row in rows]
        attempts: defaultdict[int, list[AttemptRecord]] = defaultdict(list)
        for row in await self._long("attempts_of", seqs):
            attempts[row[9]].append(attempt_of(row))
        lines: defaultdict[int, list[tuple[int, LogLine]]] = defaultdict(list)
        for row in await self._long("lines_of", seqs):
            lines[row[5]].append((row[0], LogLine(row[1], row[2], row[3], row[4])))
        return [
            Archived(
                execution=(execution := record_of(row)),
                archive_at=row[25],
                delete_at=row[26],
                attempts=(
                    *attempts[row[24]],
                    *(
                        [keeping.success(execution, row[27], row[28])]
                        if execution.status is Status.COMPLETED
                        else []
                    ),
                ),
                lines=tuple(lines[row[24]]),
            )
            for row in rows
        ]

    async def drop_many(self, execution_ids: Sequence[str]) -> int:
        """See `ports.archive.Archive`."""
        rows = await self._long("remove", self._number, list(execution_ids))
        return int(rows[0][0])

    async def find_dead(self, which: DeadFilter, limit: int | None) -> list[Execution]:
        """See `ports.archive.Archive`."""
        ids = list(which.ids) if which.ids else None
        rows = await self._long("find_dead", self._number, ids, which.target, which.topic, limit)
        return [record_of(row) for row in rows]

    async def count_dead(self) -> int:
        """See `ports.archive.Archive`."""
        rows = await self._long("count_archived_dead", self._number)
        return int(rows[0][0])

    async def drop_due(self, limit: int) -> int:
        """See `ports.archive.Archive`."""
        await self._long("fold_dead_letters", self._number)
        rows = await self._long("drop_due", self._number, limit, self._now())
        return int(rows[0][0])

    async def _long(self, verb: str, *parameters: Any) -> Any:
        return await self._connections.run(statement(verb), *parameters, bound_s=LONG_BOUND_S)
