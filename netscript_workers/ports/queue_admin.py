"""The queue, as an operator sees it: what stands where, and the verbs that change it from outside a run."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from netscript_workers.domain.execution import Status
from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo

__all__ = ["Cancelled", "DeadFilter", "DeadLetter", "QueueAdmin", "TopicDepth", "WorkerInfo"]


class DeadFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters: by ids, target, topic; nothing set means all."""

    ids: tuple[str, ...] = ()
    target: str | None = None
    topic: str | None = None


class Cancelled(msgspec.Struct, frozen=True):
    """What a cancellation met: `before` is the status found (None: no such execution).

    A pending or queued one is `cancelled` at once; a running one is asked to stop and ends `cancelled` soon after;
    a finished one stays as it is.
    """

    execution_id: str
    before: Status | None


class QueueAdmin(Protocol):
    """What an operator needs of an engine. Every method may raise `EngineError`."""

    async def cancel_many(self, execution_ids: Sequence[str]) -> list[Cancelled]:
        """Cancel, or ask the running ones to stop (their workers are woken)."""
        ...

    async def retry_many(self, execution_ids: Sequence[str]) -> list[bool]:
        """Put finished executions back, attempts anew, triggered by `retry`; False for one not finished."""
        ...

    async def pause(self, topic: str) -> None:
        """Stop handing out work of `topic`, on all workers, until `resume`; what runs goes on. Idempotent."""
        ...

    async def resume(self, topic: str) -> None:
        """Hand out work of `topic` again and wake the workers. Idempotent."""
        ...

    async def depths(self) -> list[TopicDepth]:
        """Count what stands in each topic that holds anything or is paused, by name."""
        ...

    async def dead_letters(self, which: DeadFilter, limit: int | None) -> list[DeadLetter]:
        """List dead letters, the latest failure first; `limit` None is no limit."""
        ...

    async def count_dead(self) -> int:
        """Count all dead letters, garbage included."""
        ...

    async def requeue_dead(self, which: DeadFilter) -> int:
        """Put dead letters back into the queue, attempts anew, triggered by `retry`; returns how many. Garbage stays."""
        ...

    async def purge_dead(self, which: DeadFilter) -> int:
        """Delete dead letters with their records and lines, garbage included; returns how many."""
        ...

    async def bury_raw(self, raw: bytes, reason: str) -> str:
        """Keep something from the queue that is not in our format as a dead letter; returns the id it is known by."""
        ...

    async def announce(self, worker: WorkerInfo) -> None:
        """Say that this worker lives (the engine sets `last_seen_at` by its own clock)."""
        ...

    async def forget(self, worker_id: str) -> None:
        """Say that this worker has ended."""
        ...

    async def workers(self) -> list[WorkerInfo]:
        """List the workers seen within the last minute."""
        ...
