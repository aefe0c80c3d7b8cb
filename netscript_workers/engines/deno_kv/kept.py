"""Finished records whole: read out of the file with all that belongs to them, and written into it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from netscript_workers.domain.execution import LogLine, Progress, Status
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.deno_kv.base import Base
from netscript_workers.engines.deno_kv.rows import Row, batch, read_texts, writable
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.ports.archive import Archived

# Row numbers of records that came from another store: the time they were triggered and a number within that ms, so
# that the newest is found first. They are negative, away from the numbers that this file counts for itself.
_MS_BITS: Final = 20
_FIRST: Final = -(1 << 62)


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """One row of `read_kept.sql`."""

    archive_at: int
    delete_at: int
    row: Row


class _Attempt(msgspec.Struct, array_like=True, frozen=True):
    """One row of `attempts_of.sql`."""

    execution: int
    attempt: int
    worker_id: str | None
    started_at: int | None
    completed_at: int
    cause: str | None
    error: str | None
    exit_code: int | None
    peak_memory: int | None
    cpu_ms: int | None

    def record(self) -> AttemptRecord:
        return AttemptRecord(
            attempt=self.attempt,
            worker_id=self.worker_id,
            started_at=self.started_at,
            completed_at=self.completed_at,
            cause=self.cause,
            error=self.error,
            exit_code=self.exit_code,
            peak_memory=self.peak_memory,
            cpu_ms=self.cpu_ms,
        )


_read_kept = msgspec.json.Decoder(list[Kept]).decode
_read_attempts = msgspec.json.Decoder(list[_Attempt]).decode
_read_lines = msgspec.json.Decoder(list[tuple[int, int, LogLine]]).decode
_read_last = msgspec.json.Decoder(list[int | None]).decode
_read_numbered = msgspec.json.Decoder(list[tuple[str, int]]).decode


def success(row: Row) -> AttemptRecord:
    """Return the attempt that succeeded, which the execution's own row tells."""
    return AttemptRecord(
        attempt=row.attempt,
        worker_id=row.worker_id,
        started_at=row.started_at,
        completed_at=row.completed_at or 0,
        exit_code=row.exit_code,
        peak_memory=row.peak_memory,
        cpu_ms=row.cpu_ms,
    )


class Keeping(Base):
    """Reads and writes finished records whole."""

    async def erase(self) -> None:
        """See `ports.erasable.Erasable`: all that this queue's name has in the file, live and archived."""

        def erase(tx: Transaction) -> None:
            for statement in self._sql.script("erase"):
                tx.run(statement, self._with())

        await self._connections.write(erase)

    async def _kept(self, ids: str, *, live: bool) -> list[Kept]:
        """Return the finished rows of `ids` (a batch); live ones too if `live`. In no particular order."""
        parameters = self._with(ids=ids, live=int(live))
        return _read_kept(await self._connections.read(self._sql["read_kept"], parameters))

    async def _read_whole(self, ids: str, *, live: bool) -> list[Archived]:
        """Return `_kept` with all that belongs to it."""
        kept = await self._kept(ids, live=live)
        seqs = batch([each.row.seq for each in kept])
        attempts: defaultdict[int, list[AttemptRecord]] = defaultdict(list)
        for attempt in _read_attempts(
            await self._connections.read(self._sql["attempts_of"], self._with(seqs=seqs))
        ):
            attempts[attempt.execution].append(attempt.record())
        lines: defaultdict[int, list[tuple[int, LogLine]]] = defaultdict(list)
        for seq, position, line in _read_lines(
            await self._connections.read(self._sql["lines_of"], self._with(seqs=seqs))
        ):
            lines[seq].append((position, line))
        return [
            Archived(
                execution=each.row.execution(),
                archive_at=each.archive_at,
                delete_at=each.delete_at,
                attempts=(*attempts[each.row.seq], *_successes(each.row)),
                lines=tuple(lines[each.row.seq]),
            )
            for each in kept
        ]


def keep_all(tx: Transaction, sql: Statements, queue: int, records: Sequence[Archived]) -> None:
    """Put records into the archive; none of their ids is there."""
    numbered = list(zip(_row_numbers(tx, sql, records), records, strict=True))
    rows = [_values(seq, record) for seq, record in numbered]
    tx.run(sql["keep"], {"queue": queue, "batch": batch(rows)})
    _keep_belongings(tx, sql, queue, numbered)


def restore_all(tx: Transaction, sql: Statements, queue: int, records: Sequence[Archived]) -> None:
    """Put records among the live ones; none of their ids is there."""
    rows = [_values(0, record) for record in records]
    tx.run(sql["restore_kept"], {"queue": queue, "batch": batch(rows)})
    ids = batch([record.execution.id for record in records])
    seqs = dict(_read_numbered(tx.one(sql["rows_of"], {"queue": queue, "ids": ids})))
    _keep_belongings(tx, sql, queue, [(seqs[record.execution.id], record) for record in records])


def remove_all(tx: Transaction, sql: Statements, queue: int, ids: str, *, live: bool) -> int:
    """Remove records of the archive with all that belongs to them; live ones too if `live`. Returns how many."""
    for verb in ("purge_attempts", "purge_lines"):
        tx.run(sql[verb], {"queue": queue, "ids": ids})
    gone = tx.run(sql["purge_live"], {"queue": queue, "ids": ids}) if live else 0
    return gone + tx.run(sql["unarchive"], {"queue": queue, "ids": ids})


def still_aged(tx: Transaction, sql: Statements, queue: int, records: Sequence[Archived]) -> list[str]:
    """Return the ids of `records` that stand as they were read."""
    rows = [[each.execution.id, each.execution.token, each.archive_at] for each in records]
    return read_texts(tx.one(sql["still_aged"], {"queue": queue, "batch": batch(rows)}))


def _keep_belongings(
    tx: Transaction, sql: Statements, queue: int, numbered: Iterable[tuple[int, Archived]]
) -> None:
    attempts: list[list[Any]] = []
    lines: list[list[Any]] = []
    for seq, record in numbered:
        told = record.attempts[:-1] if _ends_in_success(record) else record.attempts
        attempts += ([seq, *_attempt_values(one)] for one in told)
        lines += (
            [seq, position, line.time, line.stream, line.level, writable(line.line)]
            for position, line in record.lines
        )
    if attempts:
        tx.run(sql["keep_attempts"], {"queue": queue, "batch": batch(attempts)})
    if lines:
        tx.run(sql["keep_lines"], {"queue": queue, "batch": batch(lines)})


def _row_numbers(tx: Transaction, sql: Statements, records: Sequence[Archived]) -> list[int]:
    bases = [_FIRST + (record.execution.triggered_at << _MS_BITS) for record in records]
    distinct = sorted(set(bases))
    ranges = batch([[base, base + (1 << _MS_BITS)] for base in distinct])
    last = _read_last(tx.one(sql["last_rows"], {"ranges": ranges}))
    following = {base: base if seq is None else seq + 1 for base, seq in zip(distinct, last, strict=True)}
    numbers: list[int] = []
    for base in bases:
        numbers.append(following[base])
        following[base] += 1
    return numbers


def _successes(row: Row) -> tuple[AttemptRecord, ...]:
    return (success(row),) if row.status is Status.COMPLETED else ()


def _ends_in_success(record: Archived) -> bool:
    completed = record.execution.status is Status.COMPLETED
    return completed and bool(record.attempts) and record.attempts[-1].cause is None


def _attempt_values(one: AttemptRecord) -> list[Any]:
    return [
        one.attempt,
        one.worker_id,
        one.started_at,
        one.completed_at,
        one.cause,
        writable(one.error),
        one.exit_code,
        one.peak_memory,
        one.cpu_ms,
    ]


def _values(seq: int, record: Archived) -> list[Any]:
    """Return one row in the order of `keep.sql` and `restore_kept.sql`."""
    one = record.execution
    usage = record.attempts[-1] if _ends_in_success(record) else None
    return [
        seq,
        one.id,
        one.status,
        one.concept,
        one.target,
        one.topic,
        one.priority,
        one.attempt,
        one.max_attempts,
        one.token,
        one.triggered_by,
        one.triggered_at,
        one.due_at,
        one.started_at,
        one.completed_at,
        record.archive_at,
        record.delete_at,
        one.exit_code,
        usage.peak_memory if usage else None,
        usage.cpu_ms if usage else None,
        one.worker_id,
        one.correlation_id,
        one.idempotency_key,
        one.traceparent,
        one.tracestate,
        _progress_text(one.progress),
        writable(one.error),
        one.payload.decode(),
        None if one.result is None else one.result.decode(),
    ]


def _progress_text(progress: Progress | None) -> str | None:
    if progress is None:
        return None
    return msgspec.json.encode(Progress(progress.percent, writable(progress.message))).decode()
