"""What an archive outside of Redis takes from it and gives back (`ports.archive.Ageing`)."""

from collections.abc import Sequence
from typing import Any

from netscript_workers.domain.execution import Status
from netscript_workers.engines.redis.base import Base
from netscript_workers.engines.redis.history import all_attempts, progress_blob
from netscript_workers.engines.redis.records import (
    Words,
    base_of,
    encode,
    folded,
    long,
    read_execution,
    read_line,
    short,
    without_none,
    word,
)
from netscript_workers.ports.archive import Archived

_FIRST_BLOB = 4
_STOPPED = -1


class RedisAgeing(Base):
    """The verbs of the move to an archive and back."""

    async def aged(self, limit: int) -> list[Archived]:
        """See `ports.archive.Ageing`."""
        found = await self._run("aged", (limit,))
        while found == [_STOPPED]:  # it met so many that had expired by themselves
            found = await self._run("aged", (limit,))
        return [
            Archived(
                execution=read_execution(record),
                archive_at=archive_at,
                delete_at=delete_at,
                attempts=tuple(all_attempts(record, failed)),
                lines=tuple(map(read_line, lines)),
            )
            for record, archive_at, delete_at, failed, lines in (one for one in found if one != _STOPPED)
        ]

    async def drop_aged(self, records: Sequence[Archived]) -> int:
        """See `ports.archive.Ageing`."""
        if not records:
            return 0
        given = [(word(one.execution.id), folded(one.execution.token), one.archive_at) for one in records]
        return await self._run("drop", given)

    async def restore(self, records: Sequence[Archived], keep_ms: int = 0) -> None:
        """See `ports.archive.Ageing`. A record stands about where it stood in the order of age: by when it was triggered."""
        if not records:
            return
        blobs = [base_of(one.execution) for one in records]
        rows = [_row(one, blobs) for one in records]
        await self._run("restore", rows, keep_ms, *blobs)

    async def restored(self, limit: int, for_ms: int = 0) -> list[str]:
        """See `ports.archive.Ageing`."""
        return [long(one) for one in await self._run("restored", (limit, for_ms))]

    async def let_go(self, execution_ids: Sequence[str]) -> None:
        """See `ports.archive.Ageing`."""
        if execution_ids:
            await self._server.call("SREM", f"{self._root}:restored", *map(short, execution_ids))


def _row(one: Archived, blobs: list[bytes]) -> tuple[Any, ...]:
    execution = one.execution
    completed = execution.status is Status.COMPLETED
    success = one.attempts[-1] if completed and one.attempts else None
    failed = one.attempts[:-1] if success is not None else one.attempts
    words = progress = None
    token = folded(execution.token)
    kept = None if token == execution.token else execution.token
    if execution.error is not None or execution.result is not None or kept is not None:
        blobs.append(encode(Words(execution.error, execution.result, kept)))
        words = _FIRST_BLOB - 1 + len(blobs)
    if execution.progress is not None:
        blobs.append(progress_blob(execution.progress))
        progress = _FIRST_BLOB - 1 + len(blobs)
    first_attempt = _FIRST_BLOB + len(blobs)
    blobs.extend(encode(attempt) for attempt in failed)
    first_line = _FIRST_BLOB + len(blobs)
    blobs.extend(encode(line) for line in one.lines)
    changing = without_none(
        {
            "status": execution.status,
            "attempt": execution.attempt,
            "max_attempts": execution.max_attempts,
            "triggered_by": execution.triggered_by,
            "triggered_at": execution.triggered_at,
            "token": token if kept is None else None,
            "folded": None if kept is None else token,
            "started_at": execution.started_at,
            "completed_at": execution.completed_at,
            "worker_id": execution.worker_id,
            "exit_code": execution.exit_code,
            "peak_memory": success.peak_memory if success else None,
            "cpu_ms": success.cpu_ms if success else None,
            "delete_at": one.delete_at,
            "lines": one.lines[-1][0] if one.lines else None,
        }
    )
    return (
        word(execution.id),
        one.archive_at,
        changing,
        words,
        first_attempt,
        len(failed),
        first_line,
        len(one.lines),
        progress,
        (
            execution.priority,
            execution.target,
            execution.topic,
            execution.correlation_id,
            execution.idempotency_key,
        ),
    )
