"""What the ports of this engine share: the store of records, the two connections, the tickets."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from netscript_workers.domain.message import Terms
from netscript_workers.engines.amqp.address import Address
from netscript_workers.engines.amqp.inbox import Inbox
from netscript_workers.engines.amqp.intake import Intake
from netscript_workers.engines.amqp.keeper import Keeper
from netscript_workers.engines.amqp.listening import Listening
from netscript_workers.engines.amqp.tickets import MOST_AT_ONCE, Ticket, Tickets
from netscript_workers.engines.amqp.topology import Topology
from netscript_workers.ports.engine import Engine, Probing

FLUSH_BOUND_S: Final = 3.0

log = logging.getLogger("netscript_workers.engine")


class Base:
    """State of one engine; the ports are mixed in over it.

    Two connections, as RabbitMQ asks for: an alarm stops the one that publishes, and deliveries and acknowledgements go on. The
    consuming one is made when this process first claims: a program that only enqueues has one.
    """

    def __init__(self, store: Engine, address: Address, queue_name: str, terms: Terms) -> None:
        """Touch nothing yet. `store` keeps the records; it is opened and closed with this engine."""
        self._store = store
        self._topology = Topology(queue_name, address.queue_type)
        name = f"netscript-workers {queue_name}"
        self._publishing = Keeper(
            address, f"{name} publishing", lambda _delivery: None, lambda _tag: None, lambda: None
        )
        self._tickets = Tickets(self._publishing, self._topology)
        self._inbox = Inbox(address, name, self._inbox_changed)
        self._intake = Intake(self._inbox, self._topology, store, self._tickets, terms)
        self._listening = Listening(self._inbox, self._topology, self._intake.put)
        self._consuming = asyncio.Lock()
        self._heard = False
        self._claimed: dict[str, tuple[str, str]] = {}  # topic and target of what was claimed here, by id
        self._limited: set[str] = set()  # targets whose runs are counted (`max_concurrency`)

    async def open(self) -> None:
        """Open the store and reach RabbitMQ; raises `EngineUnavailableError`, `EngineFormatError`. Idempotent."""
        await self._store.open()
        try:
            await self._publishing.open()
            await self._publishing.link.call(self._topology.declare_intake())
        except BaseException:
            await self._publishing.close()
            await self._store.close()
            raise
        self._tickets.start()

    async def probe(self) -> None:
        """See `ports.engine.Probing`."""
        if isinstance(self._store, Probing):
            await self._store.probe()
        else:
            await self._store.open()
            await self._store.close()
        try:
            await self._publishing.open()
        finally:
            await self._publishing.close()

    async def close(self) -> None:
        """Publish what is due, for `FLUSH_BOUND_S` at most, and let go of everything. Idempotent."""
        await self._intake.stop()
        await self._tickets.stop(FLUSH_BOUND_S)
        self._listening.stop()
        await self._inbox.keeper.close()
        self._heard = False
        self._inbox_changed()  # what it held is RabbitMQ's again, should this engine be opened anew
        await self._publishing.close()
        await self._store.close()

    async def _listen(self) -> None:
        """Make the consuming connection, the first time; raises `EngineError`."""
        if self._heard:
            return
        async with self._consuming:
            if not self._heard:
                await self._inbox.keeper.open()
                self._heard = True
                self._intake.start()

    def _inbox_changed(self) -> None:
        self._listening.changed()
        self._intake.changed()

    async def _call_queued(self, topics: Sequence[str] | None = None) -> None:
        """Have tickets published for all that is queued (in `topics`), as many as are of use."""
        depths = await self._store.depths()
        self._tickets.post(
            [
                Ticket(depth.topic)
                for depth in depths
                if topics is None or depth.topic in topics
                for _ in range(min(depth.queued, MOST_AT_ONCE))
            ]
        )
