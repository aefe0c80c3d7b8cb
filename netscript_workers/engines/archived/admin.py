"""The operator's port over the pair: dead letters span both stores, and what is to run again comes back first."""

from collections.abc import Collection, Sequence
from typing import Final

from netscript_workers.domain.execution import DEAD, Execution
from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo
from netscript_workers.engines.archived.pair import Pair
from netscript_workers.ports.queue_admin import Cancelled, DeadFilter

_BATCH: Final = 500
_LOOK_FOR_DOUBLES: Final = 1000


class ArchivedAdmin(Pair):
    """What an operator needs."""

    async def cancel_many(self, execution_ids: Sequence[str]) -> list[Cancelled]:
        """See `ports.queue_admin.QueueAdmin`."""
        answers = await self._live.cancel_many(execution_ids)
        missing = [one.execution_id for one in answers if one.before is None]
        found = await self._archive.get_many(missing) if missing else []
        before = {record.id: record.status for record in found if record is not None}
        return [
            Cancelled(one.execution_id, before.get(one.execution_id)) if one.before is None else one
            for one in answers
        ]

    async def retry_many(self, execution_ids: Sequence[str]) -> list[bool]:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._lift(execution_ids)
        return await self._live.retry_many(execution_ids)

    async def pause(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._live.pause(topic)

    async def resume(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._live.resume(topic)

    async def depths(self) -> list[TopicDepth]:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._live.depths()

    async def dead_letters(self, which: DeadFilter, limit: int | None) -> list[DeadLetter]:
        """See `ports.queue_admin.QueueAdmin`."""
        letters = await self._live.dead_letters(which, limit)
        shown = {letter.id for letter in letters}
        resting = await self._resting(lambda most: self._archive.find_dead(which, most), limit, shown)
        letters += map(_letter, resting)
        letters.sort(key=lambda letter: letter.failed_at, reverse=True)
        return letters[:limit]

    async def count_dead(self) -> int:
        """See `ports.queue_admin.QueueAdmin`. What is in both stores, since a move was cut off or is under way, counts once."""
        count = await self._live.count_dead() + await self._archive.count_dead()
        return count - await self._count_doubles()

    async def _count_doubles(self) -> int:
        """Count the archived dead letters that live too: copied by a sweep or restored, and not yet removed where they were."""
        moving = set(await self._live.restored(_LOOK_FOR_DOUBLES))
        if await self._live.aged(1):
            aged = await self._live.aged(_LOOK_FOR_DOUBLES)
            moving |= {record.execution.id for record in aged if record.execution.status in DEAD}
        if not moving:
            return 0
        found = await self._archive.get_many(list(moving))
        return sum(1 for record in found if record is not None and record.status in DEAD)

    async def requeue_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        count = 0
        tried: set[str] = set()
        while ids := await self._dead_batch(which, tried):
            tried.update(ids)
            await self._lift(ids, doubles=True)
            count += await self._live.requeue_dead(DeadFilter(ids=tuple(ids)))
        return count + await self._live.requeue_dead(which)

    async def purge_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        count = 0
        tried: set[str] = set()
        while ids := await self._dead_batch(which, tried):
            tried.update(ids)
            living = await self._living(ids)  # counted when it is purged there
            await self._archive.drop_many(ids)
            count += len(ids) - len(living)
        return count + await self._live.purge_dead(which)

    async def _dead_batch(self, which: DeadFilter, tried: Collection[str]) -> list[str]:
        """Return ids of dead letters in the archive, the latest of them; none once those have all been tried."""
        found = await self._archive.find_dead(which, _BATCH)
        return [record.id for record in found if record.id not in tried]

    async def bury_raw(self, raw: bytes, reason: str) -> str:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._live.bury_raw(raw, reason)

    async def announce(self, worker: WorkerInfo) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._live.announce(worker)

    async def forget(self, worker_id: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._live.forget(worker_id)

    async def workers(self) -> list[WorkerInfo]:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._live.workers()


def _letter(record: Execution) -> DeadLetter:
    return DeadLetter(
        id=record.id, execution=record, reason=record.error or "", failed_at=record.completed_at or 0
    )
