"""Listening for tickets: a consumer for each topic that wants work, only while it does.

A worker that has all it can take must not sit on tickets that would wake another. So consumers begin with a wait, and
`LET_GO_S` after the last wait or claim of their topic they end, and what they hold goes back to RabbitMQ.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from netscript_workers.engines.amqp.inbox import Inbox
from netscript_workers.engines.amqp.messages import Delivery
from netscript_workers.engines.amqp.tickets import KIND, read_ticket
from netscript_workers.engines.amqp.topology import Topology
from netscript_workers.errors import EngineError

LET_GO_S: Final = 0.02
PREFETCH: Final = (16, 256)
"""How many tickets of a topic come unasked: as many as executions are wanted, within these bounds. Left over ones go fast."""


class _Lane:
    """One topic: its consumer (None: not consuming), the tickets it holds, and when it was last of interest."""

    __slots__ = ("held", "prefetch", "tag", "topic", "wanted_at")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.tag: str | None = None
        self.held: list[int] = []
        self.wanted_at = 0.0
        self.prefetch = PREFETCH[0]


class Listening:
    """The tickets that this process holds."""

    def __init__(self, inbox: Inbox, topology: Topology, not_a_ticket: Callable[[Delivery], None]) -> None:
        """Listen through `inbox`; `not_a_ticket` gets whatever else lies in a ready queue."""
        self._inbox = inbox
        self._topology = topology
        self._not_a_ticket = not_a_ticket
        self._lanes: dict[str, _Lane] = {}
        self._waited_for: Counter[str] = Counter()
        self._rang = asyncio.Event()
        self._missed = False  # a link was lost since the last wait: tickets may be, too
        self._timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ what a claim does

    def before_claim(self, wanted: Mapping[str, int]) -> dict[str, list[int]]:
        """Note how many executions of each topic are wanted; return the tickets held now, which the claim may use up."""
        now = asyncio.get_running_loop().time()
        before: dict[str, list[int]] = {}
        for topic, count in wanted.items():
            lane = self._lane(topic)
            lane.prefetch = max(PREFETCH[0], min(PREFETCH[1], count))
            lane.wanted_at = now
            if lane.held:
                before[topic] = list(lane.held)
        return before

    def used_up(self, topics: Iterable[str], before: Mapping[str, list[int]]) -> None:
        """Acknowledge the tickets that were held before a claim which left nothing of `topics` to be claimed."""
        tags = [tag for topic in dict.fromkeys(topics) for tag in before.get(topic, ())]
        if not tags:
            return
        spent = set(tags)
        held = set[int]()
        for topic in topics:
            lane = self._lane(topic)
            held.update(spent.intersection(lane.held))
            lane.held = [tag for tag in lane.held if tag not in spent]
        self._inbox.ack(sorted(held))  # what went back to RabbitMQ meanwhile is not ours to acknowledge

    # ------------------------------------------------------------------ waiting

    async def wait(self, topics: Sequence[str], seconds: float) -> None:
        """Return once a ticket of `topics` is held, when some may have been lost, or after `seconds`; raises `EngineError`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._waited_for.update(topics)
        try:
            await self._consume(topics)
            if self._missed:
                self._missed = False
                return
            while not any(self._lane(topic).held for topic in topics):
                self._rang.clear()
                if self._missed:
                    _ = self._inbox.keeper.link  # says so while it is away
                    self._missed = False
                    return
                await self._consume(topics)
                if self._rang.is_set():
                    continue
                try:
                    await asyncio.wait_for(self._rang.wait(), deadline - loop.time())
                except TimeoutError:
                    return
        finally:
            self._waited_for.subtract(topics)
            now = loop.time()
            for topic in topics:
                self._lane(topic).wanted_at = now
            if self._timer is None:
                self._timer = loop.call_later(LET_GO_S, self._let_go)

    async def _consume(self, topics: Sequence[str]) -> None:
        _ = self._inbox.keeper.link
        for lane in map(self._lane, topics):
            if lane.tag is None:
                await self._start(lane)

    async def _start(self, lane: _Lane) -> None:
        tag = lane.tag = self._inbox.enlist(
            lambda delivery: self._take(lane, delivery), lambda: self._gone(lane)
        )
        try:
            await self._inbox.start(tag, self._topology.declare_ready(lane.topic), lane.prefetch)
        except EngineError:
            if lane.tag == tag:
                lane.tag = None
            raise

    def _take(self, lane: _Lane, delivery: Delivery) -> None:
        if delivery.kind == KIND and read_ticket(delivery.body) is not None:
            lane.held.append(delivery.tag)
            self._rang.set()
        else:
            self._not_a_ticket(delivery)

    def _gone(self, lane: _Lane) -> None:
        """Its queue was deleted: what it held is void, and the next wait makes the queue again."""
        lane.tag = None
        self._missed = True
        self._rang.set()

    def changed(self) -> None:
        """Forget everything: the link was lost, or is new."""
        for lane in self._lanes.values():
            lane.tag = None
            lane.held.clear()
        self._missed = True
        self._rang.set()

    # ------------------------------------------------------------------ letting go

    def _let_go(self) -> None:
        """End the consumers nobody wants any more, and look again while there are others."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        left = False
        for lane in self._lanes.values():
            if lane.tag is None or self._waited_for[lane.topic] > 0:
                continue
            if now - lane.wanted_at >= LET_GO_S * 0.9:
                held, lane.held = lane.held, []
                tag, lane.tag = lane.tag, None
                self._inbox.stop(tag, held)
            else:
                left = True
        if left:
            self._timer = loop.call_later(LET_GO_S, self._let_go)

    def stop(self) -> None:
        """End the timer; the link's end gives back what is held."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _lane(self, topic: str) -> _Lane:
        lane = self._lanes.get(topic)
        if lane is None:
            lane = self._lanes[topic] = _Lane(topic)
        return lane
