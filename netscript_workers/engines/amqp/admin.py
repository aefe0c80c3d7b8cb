"""The operator's port: the store of records answers; what puts work back has its workers told."""

from collections.abc import Sequence

from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo
from netscript_workers.engines.amqp.base import Base
from netscript_workers.engines.amqp.tickets import Ticket, tickets_for
from netscript_workers.ports.queue_admin import Cancelled, DeadFilter


class AmqpAdmin(Base):
    """What an operator needs."""

    async def cancel_many(self, execution_ids: Sequence[str]) -> list[Cancelled]:
        """See `ports.queue_admin.QueueAdmin`. A ticket of what is cancelled stays and finds nothing."""
        return await self._store.cancel_many(execution_ids)

    async def retry_many(self, execution_ids: Sequence[str]) -> list[bool]:
        """See `ports.queue_admin.QueueAdmin`."""
        answers = await self._store.retry_many(execution_ids)
        back = [execution_id for execution_id, ok in zip(execution_ids, answers, strict=True) if ok]
        if back:
            records = await self._store.get_many(back)
            self._tickets.post(tickets_for((record.topic, 0) for record in records if record is not None))
        return answers

    async def pause(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._store.pause(topic)

    async def resume(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._store.resume(topic)
        self._tickets.post([Ticket(topic)])
        await self._call_queued([topic])

    async def depths(self) -> list[TopicDepth]:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._store.depths()

    async def dead_letters(self, which: DeadFilter, limit: int | None) -> list[DeadLetter]:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._store.dead_letters(which, limit)

    async def count_dead(self) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._store.count_dead()

    async def requeue_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        count = await self._store.requeue_dead(which)
        if count:
            await self._call_queued()
        return count

    async def purge_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._store.purge_dead(which)

    async def bury_raw(self, raw: bytes, reason: str) -> str:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._store.bury_raw(raw, reason)

    async def announce(self, worker: WorkerInfo) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._store.announce(worker)

    async def forget(self, worker_id: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._store.forget(worker_id)

    async def workers(self) -> list[WorkerInfo]:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._store.workers()
