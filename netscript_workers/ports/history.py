"""History: what was run and how it went. A reading of the same store as the queue."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from netscript_workers.domain.execution import Execution, LogLine, Progress, Status
from netscript_workers.domain.settlement import AttemptRecord


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which records, newest first; every field set must hold. `limit` None is no limit."""

    target: str | None = None
    topic: str | None = None
    status: Status | None = None
    correlation_id: str | None = None
    limit: int | None = 20


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a running attempt reports on its way: its latest progress and its new log lines."""

    execution_id: str
    token: int
    progress: Progress | None = None
    lines: tuple[LogLine, ...] = ()


class Swept(msgspec.Struct, frozen=True):
    """What one batch of the retention sweep did."""

    archived: int
    deleted: int


class History(Protocol):
    """What can be known of executions. Every method may raise `EngineError`."""

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """Return records by id, live or archived; None where there is none."""
        ...

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """Return the records that match, newest first, live ones and then archived ones."""
        ...

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """Return what each ended attempt left behind, oldest first."""
        ...

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """Return kept log lines in order, each with a rising position; only those behind position `after`."""
        ...

    async def record_many(self, entries: Sequence[JournalEntry]) -> None:
        """Write progress and lines of running attempts. What comes from a lost claim is dropped."""
        ...

    async def wait_for_end(self, execution_ids: Sequence[str], timeout_ms: int) -> list[Execution]:
        """Return those of `execution_ids` that are finished, as soon as there is one; empty after `timeout_ms`."""
        ...

    async def sweep(self, limit: int) -> Swept:
        """Move up to `limit` finished records past their live age to the archive, and delete as many past the archive's.

        Both zero means that nothing was left to do.
        """
        ...
