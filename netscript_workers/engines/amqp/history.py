"""The history port: the store of records has it all."""

from collections.abc import Sequence

from netscript_workers.domain.execution import Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.amqp.base import Base
from netscript_workers.ports.history import HistoryQuery, JournalEntry, Swept


class AmqpHistory(Base):
    """What can be known of executions."""

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        return await self._store.get_many(execution_ids)

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        return await self._store.find(query)

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        return await self._store.attempts(execution_id)

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        return await self._store.logs(execution_id, after)

    async def record_many(self, entries: Sequence[JournalEntry]) -> None:
        """See `ports.history.History`."""
        await self._store.record_many(entries)

    async def wait_for_end(self, execution_ids: Sequence[str], timeout_ms: int) -> list[Execution]:
        """See `ports.history.History`."""
        return await self._store.wait_for_end(execution_ids, timeout_ms)

    async def sweep(self, limit: int) -> Swept:
        """See `ports.history.History`."""
        return await self._store.sweep(limit)
