"""The history port over the file."""

from collections.abc import Sequence
from typing import Final

import msgspec

from netscript_workers.domain.execution import FINISHED, Execution, LogLine, Progress, Status
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.deno_kv.base import Base
from netscript_workers.engines.deno_kv.bells import LOOK_AGAIN_S, Bell
from netscript_workers.engines.deno_kv.finding import LIVE, RESTING, finding
from netscript_workers.engines.deno_kv.garbage import kept_since
from netscript_workers.engines.deno_kv.kept import success
from netscript_workers.engines.deno_kv.rows import Row, batch, read_rows, read_texts, writable
from netscript_workers.engines.deno_kv.settling import add_lines
from netscript_workers.engines.deno_kv.times import boot_ms
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.ports.history import HistoryQuery, JournalEntry, Swept

_SOURCES: Final = (LIVE, RESTING)


class _Attempt(msgspec.Struct, array_like=True, frozen=True):
    """One row of `read_attempts.sql`."""

    attempt: int
    worker_id: str | None
    started_at: int | None
    completed_at: int
    cause: str | None
    error: str | None
    exit_code: int | None
    peak_memory: int | None
    cpu_ms: int | None


_read_attempts = msgspec.json.Decoder(list[_Attempt]).decode
_read_lines = msgspec.json.Decoder(list[tuple[int, LogLine]]).decode
_read_aged = msgspec.json.Decoder(tuple[list[str], list[str], int]).decode


class DenoKvHistory(Base):
    """What can be known of executions."""

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        found = {row.id: row.execution() for row in await self._rows(list(execution_ids))}
        return [found.get(execution_id) for execution_id in execution_ids]

    async def _rows(self, execution_ids: list[str]) -> list[Row]:
        found = await self._connections.read(self._sql["get"], self._with(ids=batch(execution_ids)))
        return read_rows(found)

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        records: list[Execution] = []
        for source in _SOURCES if query.status is None or query.status in FINISHED else _SOURCES[:1]:
            left = -1 if query.limit is None else query.limit - len(records)
            if left == 0:
                break
            parameters = self._with(
                target=query.target, topic=query.topic, correlation=query.correlation_id, limit=left
            )
            ids = read_texts(await self._connections.read(finding(source, query), parameters))
            found = {row.id: row.execution() for row in await self._rows(ids)}
            records += [found[execution_id] for execution_id in ids if execution_id in found]
        return records

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        found = await self._connections.read(self._sql["read_attempts"], self._with(id=execution_id))
        records = [
            AttemptRecord(
                attempt=row.attempt,
                worker_id=row.worker_id,
                started_at=row.started_at,
                completed_at=row.completed_at,
                cause=row.cause,
                error=row.error,
                exit_code=row.exit_code,
                peak_memory=row.peak_memory,
                cpu_ms=row.cpu_ms,
            )
            for row in _read_attempts(found)
        ]
        # The attempt that succeeded is told by the execution's own row.
        own = await self._rows([execution_id])
        records.extend(success(row) for row in own if row.status is Status.COMPLETED)
        return records

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        parameters = self._with(id=execution_id, after=after)
        return _read_lines(await self._connections.read(self._sql["read_lines"], parameters))

    async def record_many(self, entries: Sequence[JournalEntry]) -> None:
        """See `ports.history.History`."""
        progress = [
            [entry.execution_id, entry.token, _progress_text(entry.progress)]
            for entry in entries
            if entry.progress is not None
        ]

        def record(tx: Transaction) -> None:
            if progress:
                tx.run(self._sql["record_progress"], self._with(batch=batch(progress)))
            lines = [(entry.execution_id, entry.token, entry.lines) for entry in entries]
            add_lines(tx, self._sql, self._number, lines)

        await self._connections.write(record, durable=False)

    async def wait_for_end(self, execution_ids: Sequence[str], timeout_ms: int) -> list[Execution]:
        """See `ports.history.History`."""
        deadline = boot_ms() + timeout_ms
        ids = batch(list(execution_ids))
        while True:
            heard = self._bells.strokes(Bell.SETTLED)
            found = await self._connections.read(self._sql["finished_of"], self._with(ids=ids))
            finished = read_texts(found)
            if finished:
                records = await self.get_many(finished)
                return [one for one in records if one is not None and one.status in FINISHED]
            left = deadline - boot_ms()
            if left <= 0:
                return []
            await self._bells.wait(Bell.SETTLED, heard, min(left / 1000, LOOK_AGAIN_S))

    async def sweep(self, limit: int) -> Swept:
        """See `ports.history.History`."""
        now = self._wall_ms()
        parameters = self._with(now=now, limit=limit, kept_since=kept_since(now))
        aged, stale, old = _read_aged(await self._connections.read(self._sql["look_aged"], parameters))
        if not aged and not stale and not old:
            return Swept(0, 0)

        def sweep(tx: Transaction) -> Swept:
            aged, stale, old = _read_aged(tx.one(self._sql["look_aged"], parameters))
            if old:
                tx.run(self._sql["drop_garbage"], self._with(kept_since=kept_since(now)))
            if stale:
                ids = batch(stale)
                for verb in ("purge_attempts", "purge_lines", "unarchive"):
                    tx.run(self._sql[verb], self._with(ids=ids))
            if aged:
                ids = batch(aged)
                tx.run(self._sql["archive"], self._with(ids=ids))
                tx.run(self._sql["purge_live"], self._with(ids=ids))
            return Swept(len(aged), len(stale) + old)

        return await self._connections.write(sweep)


def _progress_text(progress: Progress) -> str:
    return msgspec.json.encode(Progress(progress.percent, writable(progress.message))).decode()
