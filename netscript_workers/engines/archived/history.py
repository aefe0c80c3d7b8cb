"""The history port over the pair: the live store is read first, then the archive; a sweep moves from one to the other."""

from collections.abc import Sequence

import msgspec

from netscript_workers.domain.execution import FINISHED, Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.archived.pair import RESTORED_KEEP_MS, Pair
from netscript_workers.ports.archive import Archived
from netscript_workers.ports.history import HistoryQuery, JournalEntry, Swept


class ArchivedHistory(Pair):
    """What can be known of executions."""

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        records = {one.id: one for one in await self._live.get_many(execution_ids) if one is not None}
        missing = [each for each in dict.fromkeys(execution_ids) if each not in records]
        if missing:
            records |= {one.id: one for one in await self._archive.get_many(missing) if one is not None}
            gone = [each for each in missing if each not in records]
            if gone:  # one that came back between the two looks is live by now
                records |= {one.id: one for one in await self._live.get_many(gone) if one is not None}
        return [records.get(execution_id) for execution_id in execution_ids]

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        records = await self._live.find(query)
        left = None if query.limit is None else query.limit - len(records)
        if left == 0 or not (query.status is None or query.status in FINISHED):
            return records

        async def fetch(limit: int | None) -> list[Execution]:
            return await self._archive.find(msgspec.structs.replace(query, limit=limit))

        return records + await self._resting(fetch, left, {record.id for record in records})

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        records = await self._live.attempts(execution_id)
        if records or await self._living([execution_id]):
            return records
        return await self._archive.attempts(execution_id)

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        lines = await self._live.logs(execution_id, after)
        if lines or await self._living([execution_id]):
            return lines
        return await self._archive.logs(execution_id, after)

    async def record_many(self, entries: Sequence[JournalEntry]) -> None:
        """See `ports.history.History`."""
        await self._live.record_many(entries)

    async def wait_for_end(self, execution_ids: Sequence[str], timeout_ms: int) -> list[Execution]:
        """See `ports.history.History`."""
        found = await self.get_many(execution_ids)
        ended = [record for record in found if record is not None and record.status in FINISHED]
        return ended or await self._live.wait_for_end(execution_ids, timeout_ms)

    async def sweep(self, limit: int) -> Swept:
        """See `ports.history.History`. Every step may be repeated: a kill in the middle costs nothing but the step."""
        await self._finish_restoring(limit)
        aged = await self._live.aged(limit)
        kept = [record for record in aged if record.delete_at > record.archive_at]
        archived = dropped = 0
        if aged:
            if kept:
                await self._archive.put_many(kept)
            dropped = await self._live.drop_aged(aged)
            if dropped < len(aged):
                await self._take_back(kept)
            archived = min(len(kept), dropped)
        deleted = await self._archive.drop_due(limit)
        return Swept(archived, deleted + dropped - archived)

    async def _finish_restoring(self, limit: int) -> None:
        """Drop from the archive what somebody restored and was killed before dropping it.

        One that is about to age is left to the sweep that moves it: dropped here it might be nowhere.
        """
        restored = await self._live.restored(limit, RESTORED_KEEP_MS // 2)
        if restored:
            await self._archive.drop_many(restored)
            await self._live.let_go(restored)

    async def _take_back(self, kept: Sequence[Archived]) -> None:
        """Remove from the archive what was run again, or restored, while it was being copied."""
        living = await self._living([record.execution.id for record in kept])
        if living:
            await self._archive.drop_many(sorted(living))
