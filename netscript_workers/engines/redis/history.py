"""The history port over Redis: the live part, and what an archive outside needs of it."""

import time
from collections.abc import Sequence
from typing import Any, Final

from netscript_workers.domain.execution import Execution, LogLine, Progress, Status
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.redis.base import Base
from netscript_workers.engines.redis.bells import LOOK_AGAIN_S, Bell
from netscript_workers.engines.redis.records import (
    encode,
    line_blobs,
    read_attempt,
    read_execution,
    read_line,
    short,
    success_of,
    word,
    words,
    writable,
)
from netscript_workers.ports.history import HistoryQuery, JournalEntry, Swept
from netscript_workers.ports.promises import LINES_KEPT

_REACH: Final = 500
"""How many candidates one script looks at: the server does nothing else meanwhile."""
_FIRST_BLOB: Final = 3


class RedisHistory(Base):
    """What can be known of executions."""

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        ids, found = list(execution_ids), list[Execution | None]()
        for start in range(0, len(ids), _REACH):
            records = await self._run("get", words(ids[start : start + _REACH]))
            found += [None if record is None else read_execution(record) for record in records]
        return found

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        records: list[Execution] = []
        before: bytes | None = None
        while query.limit is None or len(records) < query.limit:
            left = _REACH if query.limit is None else min(_REACH, query.limit - len(records))
            given = (
                query.target,
                query.topic,
                query.status,
                query.correlation_id,
                left,
                _REACH,
                None if before is None else before.decode(),
            )
            before, *found = await self._run("find", given)
            records += [read_execution(record) for record in found]
            if before == -1:
                break
        return records

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        record, failed = await self._run("attempts", (word(execution_id),))
        return all_attempts(record, failed)

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        found = await self._server.call("LRANGE", f"{self._root}:l:".encode() + short(execution_id), 0, -1)
        return [line for line in map(read_line, found) if line[0] > after]

    async def record_many(self, entries: Sequence[JournalEntry]) -> None:
        """See `ports.history.History`."""
        rows: list[tuple[Any, ...]] = []
        blobs: list[bytes] = []
        for entry in entries:
            progress = line = None
            if entry.progress is not None:
                blobs.append(progress_blob(entry.progress))
                progress = _FIRST_BLOB - 1 + len(blobs)
            if entry.lines:
                line = _FIRST_BLOB + len(blobs)
                blobs.extend(line_blobs(entry.lines[-LINES_KEPT:]))
            rows.append(
                (word(entry.execution_id), entry.token, progress, line, min(len(entry.lines), LINES_KEPT))
            )
        if rows:
            await self._run("record", rows, *blobs)

    async def wait_for_end(self, execution_ids: Sequence[str], timeout_ms: int) -> list[Execution]:
        """See `ports.history.History`."""
        await self._bells.listen(Bell.END)
        deadline = time.monotonic() + timeout_ms / 1000
        ids = words(execution_ids)
        with self._bells.hearing(Bell.END, execution_ids) as ear:
            while True:
                finished = [read_execution(record) for record in await self._run("get_finished", ids)]
                left = deadline - time.monotonic()
                if finished or left <= 0:
                    return finished
                await ear.wait(min(left, LOOK_AGAIN_S))

    async def sweep(self, limit: int) -> Swept:
        """See `ports.history.History`. Archives nothing: an archive is another store, which takes what is `aged` first."""
        deleted = place = 0
        while deleted < limit and place >= 0:
            more, place = await self._run("sweep", (limit - deleted, place))
            deleted += more
        return Swept(0, deleted)


def progress_blob(progress: Progress) -> bytes:
    """Write progress as the map that stands beside the others of a record."""
    return encode({"progress": Progress(progress.percent, writable(progress.message))})


def all_attempts(record: Sequence[bytes | None] | None, failed: Sequence[bytes]) -> list[AttemptRecord]:
    """Read the attempts of a record: those that failed, and the one that succeeded, which the record itself tells."""
    attempts = [read_attempt(one) for one in failed]
    if record is not None:
        execution = read_execution(record)
        if execution.status is Status.COMPLETED:
            attempts.append(success_of(record, execution))
    return attempts
