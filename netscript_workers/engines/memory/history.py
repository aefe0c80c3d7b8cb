"""The history port, in memory."""

import itertools
from collections.abc import Sequence

from netscript_workers.domain.execution import FINISHED, Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.engines.memory.store import Store, changed
from netscript_workers.ports.history import HistoryQuery, JournalEntry, Swept
from netscript_workers.ports.promises import GARBAGE_KEEP_MS


class MemoryHistory:
    """What can be known of executions, over a `Store`."""

    def __init__(self, store: Store) -> None:
        """Serve from `store`."""
        self._store = store

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `ports.history.History`."""
        found = (self._store.entries.get(execution_id) for execution_id in execution_ids)
        return [entry.record if entry is not None else None for entry in found]

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `ports.history.History`."""
        entries = sorted(self._store.entries.values(), key=lambda e: (e.archived, -e.place))
        return [entry.record for entry in entries if _matches(entry.record, query)][: query.limit]

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `ports.history.History`."""
        entry = self._store.entries.get(execution_id)
        return list(entry.attempts) if entry is not None else []

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `ports.history.History`."""
        entry = self._store.entries.get(execution_id)
        return [line for line in entry.lines if line[0] > after] if entry is not None else []

    async def record_many(self, entries: Sequence[JournalEntry]) -> None:
        """See `ports.history.History`."""
        for new in entries:
            entry = self._store.running.get(new.execution_id)
            if entry is None or entry.record.token != new.token:
                continue
            if new.progress is not None:
                entry.record = changed(entry.record, progress=new.progress)
            entry.add_lines(new.lines)

    async def wait_for_end(self, execution_ids: Sequence[str], timeout_ms: int) -> list[Execution]:
        """See `ports.history.History`."""
        store = self._store
        ended = self._ended(execution_ids)
        deadline = store.lease_ms() + timeout_ms
        while not ended and (left := deadline - store.lease_ms()) > 0:
            await store.ends.wait(store.ends.strokes, left / 1000)
            ended = self._ended(execution_ids)
        return ended

    def _ended(self, execution_ids: Sequence[str]) -> list[Execution]:
        found = (self._store.entries.get(execution_id) for execution_id in execution_ids)
        return [entry.record for entry in found if entry is not None and entry.record.status in FINISHED]

    async def sweep(self, limit: int) -> Swept:
        """See `ports.history.History`."""
        now = self._store.wall_ms()
        aged = [e for e in self._store.finished() if not e.archived and e.archive_at <= now]
        stale = [e for e in self._store.finished() if e.archived and e.delete_at <= now]
        for entry in itertools.islice(aged, limit):
            entry.archived = True
        for entry in itertools.islice(stale, limit):
            self._store.remove(entry)
        old = [key for key, one in self._store.garbage.items() if one.failed_at <= now - GARBAGE_KEEP_MS]
        for garbage_id in old:
            del self._store.garbage[garbage_id]
        return Swept(min(limit, len(aged)), min(limit, len(stale)) + len(old))


def _matches(record: Execution, query: HistoryQuery) -> bool:
    return (
        query.target in (None, record.target)
        and query.topic in (None, record.topic)
        and query.status in (None, record.status)
        and query.correlation_id in (None, record.correlation_id)
    )
