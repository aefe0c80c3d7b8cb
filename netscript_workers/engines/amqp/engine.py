"""The amqp engine: the three ports over a store of records and a RabbitMQ."""

from netscript_workers.domain.message import Terms
from netscript_workers.engines.amqp.address import Address
from netscript_workers.engines.amqp.admin import AmqpAdmin
from netscript_workers.engines.amqp.history import AmqpHistory
from netscript_workers.engines.amqp.queue import AmqpQueue
from netscript_workers.ports.engine import Engine


class AmqpEngine(AmqpQueue, AmqpAdmin, AmqpHistory):
    """Fulfils `ports.engine.Engine`.

    `store` is another engine, which keeps the records; this one opens and closes it. `terms` says how messages of other programs
    are read. Owns up to two connections and four tasks between `open` and `close`.
    """

    def __init__(
        self, store: Engine, address: Address, queue_name: str = "jobs", terms: Terms | None = None
    ) -> None:
        super().__init__(store, address, queue_name, terms or Terms())
