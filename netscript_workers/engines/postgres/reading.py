"""What can be read of finished executions, by the history and by the archive alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netscript_workers.domain.execution import Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.postgres.base import Base
from netscript_workers.engines.postgres.connection import LONG_BOUND_S
from netscript_workers.engines.postgres.rows import record_of
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.ports.history import HistoryQuery

if TYPE_CHECKING:
    from asyncpg import Record


class Reading(Base):
    """Reads of one queue. `_archive_only`: what is live there is somebody else's."""

    _archive_only = False

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        if not execution_ids:
            return []
        rows = await self._connections.run(statement("get"), self._number, list(execution_ids))
        found = {row[0]: record_of(row) for row in rows}
        return [found.get(execution_id) for execution_id in execution_ids]

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        rows = await self._connections.run(
            statement("find"),
            self._number,
            query.target,
            query.topic,
            query.status,
            query.correlation_id,
            query.limit,
            self._archive_only,
            bound_s=LONG_BOUND_S,
        )
        return [record_of(row) for row in rows]

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        rows = await self._connections.run(statement("read_attempts"), self._number, execution_id)
        return [attempt_of(row) for row in rows]

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        rows = await self._connections.run(statement("read_lines"), self._number, execution_id, after)
        return [(row[0], LogLine(row[1], row[2], row[3], row[4])) for row in rows]


def attempt_of(row: "Record") -> AttemptRecord:
    """Return the record of a row in the order of `read_attempts.sql`."""
    return AttemptRecord(
        attempt=row[0],
        worker_id=row[1],
        started_at=row[2],
        completed_at=row[3],
        cause=row[4],
        error=row[5],
        exit_code=row[6],
        peak_memory=row[7],
        cpu_ms=row[8],
    )
