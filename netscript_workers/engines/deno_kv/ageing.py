"""What this engine gives to an archive outside the file (`ports.archive.Ageing`)."""

from collections.abc import Sequence

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

    async def restore(self, records: Sequence[Archived]) -> None:
        """See `ports.archive.Ageing`."""

        def restore(tx: Transaction) -> None:
            missing = _missing(tx, self._sql, self._number, records)
            if missing:
                restore_all(tx, self._sql, self._number, missing)

        await self._connections.write(restore)


def _missing(tx: Transaction, sql: Statements, queue: int, records: Sequence[Archived]) -> list[Archived]:
    by_id = {record.execution.id: record for record in records}
    there = tx.one(sql["ids_there"], {"queue": queue, "ids": batch(list(by_id))})
    for execution_id in read_texts(there):
        by_id.pop(execution_id, None)
    return list(by_id.values())
