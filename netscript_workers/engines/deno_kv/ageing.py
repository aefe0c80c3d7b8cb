"""What this engine gives to an archive outside the file (`ports.archive.Ageing`)."""

from collections.abc import Sequence

import msgspec

from netscript_workers.engines.deno_kv.kept import Keeping, remove_all, restore_all, still_aged
from netscript_workers.engines.deno_kv.rows import batch, read_texts
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.ports.archive import Archived


class DenoKvAgeing(Keeping):
    """Hands out what is past its live age, and takes back what is to run again."""

    async def aged(self, limit: int) -> list[Archived]:
        """See `ports.archive.Ageing`."""
        parameters = self._with(now=self._wall_ms(), limit=limit)
        ids = await self._connections.read(self._sql["look_aged_all"], parameters)
        places = {execution_id: place for place, execution_id in enumerate(read_texts(ids))}
        if not places:
            return []
        records = await self._read_whole(ids, live=True)
        return sorted(records, key=lambda record: places[record.execution.id])

    async def drop_aged(self, records: Sequence[Archived]) -> int:
        """See `ports.archive.Ageing`."""

        def drop(tx: Transaction) -> int:
            ids = still_aged(tx, self._sql, self._number, records)
            return remove_all(tx, self._sql, self._number, batch(ids), live=True)

        return await self._connections.write(drop)

    async def restore(self, records: Sequence[Archived], keep_ms: int = 0) -> None:
        """See `ports.archive.Ageing`."""
        safe = self._wall_ms() + keep_ms

        def restore(tx: Transaction) -> None:
            missing = _missing(tx, self._sql, self._number, records)
            if missing:
                restore_all(tx, self._sql, self._number, [_kept_until(safe, record) for record in missing])
                ids = batch([record.execution.id for record in missing])
                tx.run(self._sql["note_restored"], self._with(ids=ids))

        await self._connections.write(restore)

    async def restored(self, limit: int, for_ms: int = 0) -> list[str]:
        """See `ports.archive.Ageing`."""
        parameters = self._with(until=self._wall_ms() + for_ms, limit=limit)
        return read_texts(await self._connections.read(self._sql["look_restored"], parameters))

    async def let_go(self, execution_ids: Sequence[str]) -> None:
        """See `ports.archive.Ageing`."""
        parameters = self._with(ids=batch(list(execution_ids)))
        await self._connections.write(lambda tx: tx.run(self._sql["forget_restored"], parameters))


def _kept_until(safe: int, record: Archived) -> Archived:
    archive_at = max(record.archive_at, safe)
    return msgspec.structs.replace(record, archive_at=archive_at, delete_at=max(record.delete_at, archive_at))


def _missing(tx: Transaction, sql: Statements, queue: int, records: Sequence[Archived]) -> list[Archived]:
    by_id = {record.execution.id: record for record in records}
    there = tx.one(sql["ids_there"], {"queue": queue, "ids": batch(list(by_id))})
    for execution_id in read_texts(there):
        by_id.pop(execution_id, None)
    return list(by_id.values())
