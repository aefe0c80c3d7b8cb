"""The link that messages come over: its consumers, what each was given, and what is not acknowledged yet."""

import itertools
from collections.abc import Callable, Collection
from typing import Any

from pamqp import commands

from netscript_workers.engines.amqp.address import Address
from netscript_workers.engines.amqp.keeper import Keeper
from netscript_workers.engines.amqp.messages import Delivery
from netscript_workers.errors import EngineError

Take = Callable[[Delivery], None]


class Inbox:
    """Owns the consuming link. A new link begins empty: what an older one delivered is RabbitMQ's to deliver again."""

    def __init__(self, address: Address, name: str, on_change: Callable[[], None]) -> None:
        """Prepare; `on_change` is called when the link was lost and when it was made anew."""
        self._on_change = on_change
        self.keeper = Keeper(address, f"{name} consuming", self._deliver, self._cancelled, self._changed)
        self._takers: dict[str, Take] = {}
        self._gone: dict[str, Callable[[], None]] = {}
        self._open: dict[int, None] = {}  # delivery tags not acknowledged, in rising order
        self._tags = itertools.count(1)

    def enlist(self, take: Take, gone: Callable[[], None]) -> str:
        """Return the tag of a consumer to `start`: `take` gets its deliveries, `gone` is called when RabbitMQ ends it."""
        tag = f"{next(self._tags)}"
        self._takers[tag], self._gone[tag] = take, gone
        return tag

    async def start(self, tag: str, declare: commands.Queue.Declare, prefetch: int) -> None:
        """Begin to consume a queue, made where it is missing; raises `EngineError`, and the tag is void then.

        `prefetch` deliveries at most come without an acknowledgement. Cancelled, the consumer begins all the same.
        """
        try:
            await self.keeper.link.call(
                declare,
                commands.Basic.Qos(prefetch_count=prefetch),
                commands.Basic.Consume(queue=declare.queue, consumer_tag=tag),
            )
        except EngineError:
            self._forget(tag)
            raise

    def stop(self, tag: str, unused: Collection[int]) -> None:
        """End a consumer and hand what it did not use back to RabbitMQ, for others."""
        self._forget(tag)
        self._send(commands.Basic.Cancel(consumer_tag=tag, nowait=True), *self._back(unused))

    def ack(self, tags: Collection[int]) -> None:
        """Acknowledge deliveries, with one frame where these are all up to the last of them."""
        if not tags:
            return
        for tag in tags:
            self._open.pop(tag, None)
        last = max(tags)
        if next(iter(self._open), last + 1) > last:
            self._send(commands.Basic.Ack(last, multiple=True))
        else:
            self._send(*(commands.Basic.Ack(tag) for tag in tags))

    def _back(self, tags: Collection[int]) -> list[Any]:
        for tag in tags:
            self._open.pop(tag, None)
        return [commands.Basic.Nack(tag, requeue=True) for tag in tags]

    def _send(self, *frames: Any) -> None:
        if self.keeper.alive:
            self.keeper.link.send(*frames)

    def _deliver(self, delivery: Delivery) -> None:
        self._open[delivery.tag] = None
        take = self._takers.get(delivery.consumer)
        if take is None:  # on its way when its consumer was stopped
            self._send(*self._back([delivery.tag]))
        else:
            take(delivery)

    def _cancelled(self, tag: str) -> None:
        gone = self._gone.get(tag)
        self._forget(tag)
        if gone is not None:
            gone()

    def _forget(self, tag: str) -> None:
        self._takers.pop(tag, None)
        self._gone.pop(tag, None)

    def _changed(self) -> None:
        if not self.keeper.alive:
            self._takers.clear()
            self._gone.clear()
            self._open.clear()
        self._on_change()
