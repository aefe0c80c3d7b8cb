"""The schedulers' port: the store of records keeps the book, in the same transaction as the records; tickets follow."""

from collections.abc import Sequence

from netscript_workers.domain.execution import Enqueued
from netscript_workers.engines.amqp.queue import AmqpQueue
from netscript_workers.engines.amqp.tickets import tickets_for
from netscript_workers.ports.schedules import Standing, Tick


class AmqpSchedules(AmqpQueue):
    """What a scheduler needs."""

    async def standing(self, targets: Sequence[str], marks: Sequence[str] = ()) -> Standing:
        """See `ports.schedules.TickBook`."""
        return await self._store.standing(targets, marks)

    async def enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        """See `ports.schedules.TickBook`.

        Like `enqueue_many`: nothing is noted while RabbitMQ is known to be away, and work whose ticket was lost (this process was
        killed between the two) is found within `LOOK_AGAIN_MS`. No ticket goes ahead: the tick may be enqueued already.
        """
        if not ticks:
            return []
        self._tickets.check()
        answers = await self._store.enqueue_ticks(ticks)
        fresh = (
            tick.request
            for tick, answer in zip(ticks, answers, strict=True)
            if answer is not None and not answer.deduplicated
        )
        await self._tickets.publish(tickets_for((new.topic, new.delay_ms) for new in fresh))
        return answers

    async def forget_schedules(self, targets: Sequence[str]) -> None:
        """See `ports.schedules.TickBook`."""
        await self._store.forget_schedules(targets)
