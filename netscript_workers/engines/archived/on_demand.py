"""An archive that is reached when somebody first asks it something."""

import asyncio
from collections.abc import Sequence

from netscript_workers.domain.execution import Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.ports.archive import Archive, Archived
from netscript_workers.ports.erasable import Erasable
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter


class OnDemand:
    """Fulfils `ports.archive.Archive` over one that it opens late and closes.

    For whoever mostly enqueues: a program that hands work to the queue neither waits for the archive's server nor fails
    because that is away. Every method may raise what `Archive.open` raises; the next one tries again.
    """

    def __init__(self, archive: Archive) -> None:
        """Own `archive`."""
        self._archive = archive
        self._lock = asyncio.Lock()
        self._opened = False

    async def _reached(self) -> Archive:
        async with self._lock:
            if not self._opened:
                await self._archive.open()
                self._opened = True
        return self._archive

    async def open(self) -> None:
        """Do nothing yet."""

    async def close(self) -> None:
        """Let go of everything. Idempotent."""
        async with self._lock:
            self._opened = False
            await self._archive.close()

    async def erase(self) -> None:
        """See `ports.erasable.Erasable`; nothing is done where the archive is none."""
        if isinstance(self._archive, Erasable):
            await self._reached()
            await self._archive.erase()

    async def put_many(self, records: Sequence[Archived]) -> None:
        """See `ports.archive.Archive`."""
        await (await self._reached()).put_many(records)

    async def read_many(self, execution_ids: Sequence[str]) -> list[Archived]:
        """See `ports.archive.Archive`."""
        return await (await self._reached()).read_many(execution_ids)

    async def drop_many(self, execution_ids: Sequence[str]) -> int:
        """See `ports.archive.Archive`."""
        return await (await self._reached()).drop_many(execution_ids)

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        return await (await self._reached()).get_many(execution_ids)

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        return await (await self._reached()).find(query)

    async def find_dead(self, which: DeadFilter, limit: int | None) -> list[Execution]:
        """See `ports.archive.Archive`."""
        return await (await self._reached()).find_dead(which, limit)

    async def count_dead(self) -> int:
        """See `ports.archive.Archive`."""
        return await (await self._reached()).count_dead()

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        return await (await self._reached()).attempts(execution_id)

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        return await (await self._reached()).logs(execution_id, after)

    async def drop_due(self, limit: int) -> int:
        """See `ports.archive.Archive`."""
        return await (await self._reached()).drop_due(limit)
