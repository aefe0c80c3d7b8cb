"""Tickets: the small messages that say where there may be work, now or after a delay.

A ticket names a topic and no execution: whoever gets one asks the store of records, which knows order, limits and pauses,
and asks on until it comes short. So a lost ticket delays work and never loses it, and one too many costs a question.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from netscript_workers.engines.amqp.keeper import Keeper
from netscript_workers.engines.amqp.messages import Outgoing
from netscript_workers.engines.amqp.topology import IDLE_MS, Stretch, Topology
from netscript_workers.errors import EngineError

KIND: Final = "netscript-workers.ticket"
MOST_AT_ONCE: Final = 16
"""How many workers one batch of one topic wakes; each that gets all it asked for hands its ticket on."""

_DECLARED_FOR_S: Final = IDLE_MS / 2000
_GRAIN_MS: Final = 8
_BATCH: Final = 1000
_MOST_OWED: Final = 10_000
_TRY_AGAIN_S: Final = 0.5

log = logging.getLogger("netscript_workers.engine")


class Ticket(msgspec.Struct, frozen=True, omit_defaults=True):
    """There may be work in `topic` after `delay_ms`."""

    topic: str
    delay_ms: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Ticket).decode


def read_ticket(body: bytes) -> Ticket | None:
    """Return the ticket in a message's body; None when there is none."""
    try:
        return _decode(body)
    except msgspec.DecodeError:
        return None


def tickets_for(work: Iterable[tuple[str, int]]) -> list[Ticket]:
    """Return the tickets for executions given as topic and delay (ms): one each, at most `MOST_AT_ONCE` of a kind."""
    counts = Counter((topic, -(-delay // _GRAIN_MS) * _GRAIN_MS) for topic, delay in work)
    return [
        Ticket(topic, delay)
        for (topic, delay), count in counts.items()
        for _ in range(min(count, MOST_AT_ONCE))
    ]


class Tickets:
    """Publishes tickets, and keeps those that RabbitMQ did not take until it does."""

    def __init__(self, keeper: Keeper, topology: Topology) -> None:
        """Publish through `keeper`'s link."""
        self._keeper = keeper
        self._topology = topology
        self._declared: dict[str, float] = {}
        self._declared_on = 0
        self._topics: set[str] = set()
        self._owed: list[Ticket] = []
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def topics(self) -> set[str]:
        """Return the topics that tickets were published for here."""
        return set(self._topics)

    def forget(self) -> None:
        """Declare every queue anew before it is used again."""
        self._declared.clear()
        self._topics.clear()

    def start(self) -> None:
        """Begin to publish what is posted."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work_off(), name="amqp tickets")

    async def stop(self, bound_s: float) -> None:
        """Publish what is posted, for at most `bound_s`, and end. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            await asyncio.wait_for(self._idle.wait(), bound_s)
        except TimeoutError:
            log.warning(
                "%d tickets were not taken by RabbitMQ; workers find their work by themselves",
                len(self._owed),
            )
        task.cancel()
        await asyncio.wait({task}, timeout=5)

    def check(self) -> None:
        """Raise `EngineError` when RabbitMQ is away or takes no messages."""
        self._keeper.link.check_alarm()

    def announce(self, topics: Iterable[str]) -> None:
        """Wake workers ahead of tickets that will follow; only where that costs nothing but a message."""
        if self._keeper.alive:
            tickets = [Ticket(topic) for topic in topics if self._topology.ready(topic) in self._declared]
            if tickets and self._declared_on == self._keeper.number:
                self._keeper.link.announce([self._message(ticket) for ticket in tickets])

    def post(self, tickets: Sequence[Ticket]) -> None:
        """Have `tickets` published soon; never waits."""
        if not tickets:
            return
        if len(self._owed) > _MOST_OWED:  # one of each topic says as much
            self._owed = [Ticket(topic) for topic in {ticket.topic for ticket in self._owed}]
        self._owed.extend(tickets)
        self._some.set()
        self._idle.clear()

    async def publish(self, tickets: Sequence[Ticket]) -> None:
        """Publish `tickets` and wait until RabbitMQ has them; what it does not take is posted, with a word in the log."""
        for start in range(0, len(tickets), _BATCH):
            part = tickets[start : start + _BATCH]
            try:
                await self._publish(part)
            except EngineError as error:
                log.warning(
                    "recorded, but RabbitMQ was not told: %s; workers find it by themselves within seconds",
                    error,
                )
                self.post(tickets[start:])
                return

    async def _work_off(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while self._owed:
                part, self._owed = self._owed[:_BATCH], self._owed[_BATCH:]
                try:
                    await self._publish(part)
                except EngineError as error:
                    self._owed = [*part, *self._owed]
                    log.debug("%d tickets wait for RabbitMQ: %s", len(self._owed), error)
                    await asyncio.sleep(_TRY_AGAIN_S)
                except Exception:
                    log.exception("a fault of our own lost %d tickets; please report this", len(part))
            self._idle.set()

    async def _publish(self, tickets: Sequence[Ticket]) -> None:
        link = self._keeper.link
        link.check_alarm()  # a blocked connection answers nothing, declarations neither
        await self._declare(tickets)
        missing = await link.publish([self._message(ticket) for ticket in tickets])
        if missing:  # somebody deleted a queue: make it again, once
            for name in missing:
                self._declared.pop(name, None)
            lost = [ticket for ticket in tickets if self._message(ticket).queue in missing]
            await self._declare(lost)
            still = await link.publish([self._message(ticket) for ticket in lost])
            if still:
                raise EngineError(
                    f"RabbitMQ has no queue {', '.join(sorted(still))}, although it was just declared"
                )

    async def _declare(self, tickets: Sequence[Ticket]) -> None:
        now = asyncio.get_running_loop().time()
        if self._declared_on != self._keeper.number:
            self._declared_on = self._keeper.number
            self._declared.clear()
        wanted: dict[str, object] = {}
        for ticket in tickets:
            name = self._topology.ready(ticket.topic)
            self._topics.add(ticket.topic)
            if name not in self._declared:
                wanted[name] = self._topology.declare_ready(ticket.topic)
            if ticket.delay_ms > 0:
                stretch = Stretch(ticket.delay_ms)
                name = self._topology.delay(ticket.topic, stretch)
                if self._declared.get(name, 0.0) < now - _DECLARED_FOR_S:
                    wanted[name] = self._topology.declare_delay(ticket.topic, stretch)
                if stretch.rest and self._topology.intake not in self._declared:
                    wanted[self._topology.intake] = self._topology.declare_intake()
        if wanted:
            await self._keeper.link.call(*wanted.values())
            self._declared.update(dict.fromkeys(wanted, now))

    def _message(self, ticket: Ticket) -> Outgoing:
        if ticket.delay_ms <= 0:
            return Outgoing(self._topology.ready(ticket.topic), _encode(ticket), KIND)
        stretch = Stretch(ticket.delay_ms)
        return Outgoing(
            self._topology.delay(ticket.topic, stretch), _encode(Ticket(ticket.topic, stretch.rest)), KIND
        )
