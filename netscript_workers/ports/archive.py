"""The archive: where finished executions rest once they are past their live age (SPEC section 11).

An engine that keeps its archive in its own store moves records there itself, in `History.sweep`. Where the archive is
another store (PostgreSQL beside Redis, say) the two verbs of `Ageing` and those of `Archive` do the same move in steps that may
be repeated: copied first, removed afterwards, so that a kill between the two leaves a record twice and never nowhere.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from netscript_workers.domain.execution import Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of one finished execution.

    `attempts` are what `History.attempts` says of it, the one that succeeded included; `lines` are kept log lines with their
    positions, in order. `archive_at` and `delete_at` (ms since 1970) are the ends of its live age and of its age in the
    archive; equal when it is not to be archived at all.
    """

    execution: Execution
    archive_at: int
    delete_at: int
    attempts: tuple[AttemptRecord, ...] = ()
    lines: tuple[tuple[int, LogLine], ...] = ()


class Ageing(Protocol):
    """What an engine gives to an archive outside its own store. Every method may raise `EngineError`."""

    async def aged(self, limit: int) -> list[Archived]:
        """Return up to `limit` finished records past their live age, oldest first; nothing is changed.

        Records that rest in an archive of the engine's own (it was used before another one was set) are past it too.
        """
        ...

    async def drop_aged(self, records: Sequence[Archived]) -> int:
        """Remove `records` with all that belongs to them and return how many.

        Left alone are those run again since (another token) and those restored since (another `archive_at`).
        """
        ...

    async def restore(self, records: Sequence[Archived], keep_ms: int = 0) -> None:
        """Put finished records back as live ones, as they were; one that lives already is left alone.

        Each stays live for `keep_ms` from now at least, by this store's own clock, and counts as restored until `let_go`.
        """
        ...

    async def restored(self, limit: int, for_ms: int = 0) -> list[str]:
        """Return up to `limit` ids that were restored and may be in the archive still: who restored them is at it, or was killed.

        Only those that stay live for longer than `for_ms`: no sweep is about to move them.
        """
        ...

    async def let_go(self, execution_ids: Sequence[str]) -> None:
        """Say that the archive holds these no more."""
        ...


class AgeingEngine(Engine, Ageing, Protocol):
    """An engine whose finished records may rest elsewhere."""


class Archive(Protocol):
    """A store of finished executions. Every method may raise `EngineError`."""

    async def open(self) -> None:
        """Reach the store and make what is missing in it; raises `EngineUnavailableError` or `EngineFormatError`."""
        ...

    async def close(self) -> None:
        """Let go of everything. Idempotent."""
        ...

    async def put_many(self, records: Sequence[Archived]) -> None:
        """Keep `records` durably; one that is there already is replaced."""
        ...

    async def read_many(self, execution_ids: Sequence[str]) -> list[Archived]:
        """Return what is kept of `execution_ids`; nothing is changed (`drop_many` removes it)."""
        ...

    async def drop_many(self, execution_ids: Sequence[str]) -> int:
        """Remove records; returns how many there were."""
        ...

    async def get_many(self, execution_ids: Sequence[str]) -> list[Execution | None]:
        """See `History.get_many`."""
        ...

    async def find(self, query: HistoryQuery) -> list[Execution]:
        """See `History.find`."""
        ...

    async def find_dead(self, which: DeadFilter, limit: int | None) -> list[Execution]:
        """Return the dead letters among the records, the latest failure first; `limit` None is no limit."""
        ...

    async def count_dead(self) -> int:
        """Count all dead letters among the records."""
        ...

    async def attempts(self, execution_id: str) -> list[AttemptRecord]:
        """See `History.attempts`."""
        ...

    async def logs(self, execution_id: str, after: int = 0) -> list[tuple[int, LogLine]]:
        """See `History.logs`."""
        ...

    async def drop_due(self, limit: int) -> int:
        """Delete up to `limit` records past their age in the archive; returns how many."""
        ...
