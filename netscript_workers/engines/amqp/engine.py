"""The amqp engine: all ports over a store of records and a RabbitMQ."""

from typing import Final

from pamqp import commands

from netscript_workers.domain.message import Terms
from netscript_workers.domain.target import DEFAULT_TOPIC
from netscript_workers.engines.amqp.address import Address
from netscript_workers.engines.amqp.admin import AmqpAdmin
from netscript_workers.engines.amqp.history import AmqpHistory
from netscript_workers.engines.amqp.schedules import AmqpSchedules
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.erasable import Erasable
from netscript_workers.ports.history import HistoryQuery

_LOOKED_AT: Final = 10_000


class AmqpEngine(AmqpSchedules, AmqpAdmin, AmqpHistory):
    """Fulfils `ports.engine.Engine`.

    `store` is another engine, which keeps the records; this one opens and closes it. `terms` says how messages of other programs
    are read. Owns up to two connections and four tasks between `open` and `close`.
    """

    def __init__(
        self, store: Engine, address: Address, queue_name: str = "jobs", terms: Terms | None = None
    ) -> None:
        super().__init__(store, address, queue_name, terms or Terms())

    async def erase(self) -> None:
        """See `ports.erasable.Erasable`. Takes in nothing from other programs any more, which would make the queue again.

        Delay queues go by themselves once their last ticket has left them.
        RabbitMQ tells no client which queues there are: the ready queues deleted are those of topics that the store knows of.
        """
        await self._intake.stop()
        topics = {DEFAULT_TOPIC, *self._tickets.topics}
        topics.update(depth.topic for depth in await self._store.depths())
        topics.update(record.topic for record in await self._store.find(HistoryQuery(limit=_LOOKED_AT)))
        names = [self._topology.intake, *map(self._topology.ready, sorted(topics))]
        await self._publishing.link.call(*(commands.Queue.Delete(queue=name) for name in names))
        self._tickets.forget()
        if isinstance(self._store, Erasable):
            await self._store.erase()
