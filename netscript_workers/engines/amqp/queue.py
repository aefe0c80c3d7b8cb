"""The queue port: the store of records decides, RabbitMQ tells the workers when to ask it."""

import logging
import random
from collections.abc import Iterable, Sequence
from typing import Final

from netscript_workers.domain.execution import Enqueued, Execution, NewExecution
from netscript_workers.domain.settlement import Action, Settlement
from netscript_workers.engines.amqp.base import Base
from netscript_workers.engines.amqp.tickets import tickets_for
from netscript_workers.errors import EngineError, EngineFormatError
from netscript_workers.ports.queue import Claim, ClaimRequest, Renewal

LOOK_AGAIN_MS: Final = 10_000
"""A waiting worker asks the store this often all the same: so long may work wait whose ticket was lost."""

FEW: Final = 4
"""A batch of so few is announced ahead, so that a waiting worker is awake when the record is there: a third less latency."""

_REMEMBERED: Final = 100_000

log = logging.getLogger("netscript_workers.engine")


class AmqpQueue(Base):
    """What the line needs."""

    def _remember(self, executions: Iterable[Execution]) -> None:
        """Keep the topic and target of what this process claimed: its settlement may free work of the same kind."""
        known = self._claimed
        if len(known) > _REMEMBERED:  # claims that were lost and never settled here
            known.clear()
        for execution in executions:
            known[execution.id] = (execution.topic, execution.target)

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """See `ports.queue.Queue`.

        Records first, tickets then. While RabbitMQ is known to be away or takes no messages nothing is recorded and an
        `EngineError` says so; should it fail between the two, the work is enqueued and found within `LOOK_AGAIN_MS`.
        """
        if not requests:
            return []
        self._tickets.check()
        if len(requests) <= FEW:
            self._tickets.announce({new.topic for new in requests if new.delay_ms <= 0})
        answers = await self._store.enqueue_many(requests)
        fresh = zip(requests, answers, strict=True)
        await self._tickets.publish(
            tickets_for((new.topic, new.delay_ms) for new, answer in fresh if not answer.deduplicated)
        )
        return answers

    async def claim_many(self, request: ClaimRequest) -> list[Execution]:
        """See `ports.queue.Queue`. The first claim begins to serve other programs too; RabbitMQ away, the others go on."""
        try:
            await self._listen()
        except EngineFormatError:
            raise
        except EngineError as error:
            log.debug("%s; claiming what is recorded", error)  # the wait for work tells of it
        wanted: dict[str, int] = {}
        for lane in request.lanes:
            for topic in lane.topics:
                wanted[topic] = wanted.get(topic, 0) + lane.limit
        before = self._listening.before_claim(wanted)
        self._limited.update(request.target_limits)
        claimed = await self._store.claim_many(request)
        self._remember(claimed)
        if before and len(claimed) < request.total:
            self._listening.used_up(_emptied(request, claimed), before)
        return claimed

    async def settle_many(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See `ports.queue.Queue`."""
        applied = await self._store.settle_many(settlements)
        done = [one for one, ok in zip(settlements, applied, strict=True) if ok]
        known = {one.execution_id: self._claimed.pop(one.execution_id, None) for one in done}
        returned = [one for one in done if one.action in (Action.RETRY, Action.GIVE_BACK)]
        strangers = [one.execution_id for one in returned if known[one.execution_id] is None]
        if strangers:  # claimed through another engine
            records = await self._store.get_many(strangers)
            known.update({record.id: (record.topic, record.target) for record in records if record})
        work = [(found[0], one.delay_ms) for one in returned if (found := known[one.execution_id])]
        if self._limited:  # their end may let one go that the limit held back, on any worker
            work += {(found[0], 0) for found in known.values() if found and found[1] in self._limited}
        self._tickets.post(tickets_for(work))
        return applied

    async def extend_many(self, claims: Sequence[Claim], lease_ms: int) -> Renewal:
        """See `ports.queue.Queue`."""
        renewal = await self._store.extend_many(claims, lease_ms)
        for execution_id in renewal.lost:
            self._claimed.pop(execution_id, None)
        return renewal

    async def take_expired(
        self, worker_id: str, lease_ms: int, limit: int, mine: Sequence[Claim] = ()
    ) -> list[Execution]:
        """See `ports.queue.Queue`."""
        taken = await self._store.take_expired(worker_id, lease_ms, limit, mine)
        self._remember(taken)
        return taken

    async def wait_for_work(self, topics: Sequence[str], timeout_ms: int) -> None:
        """See `ports.queue.Queue`. Returns after about `LOOK_AGAIN_MS` at the latest.

        Raises `EngineError` while RabbitMQ is away; `claim_many` gives what is recorded all the same.
        """
        await self._listen()
        bound_ms = min(timeout_ms, LOOK_AGAIN_MS * random.uniform(0.8, 1.2))
        await self._listening.wait(topics, bound_ms / 1000)

    async def wait_for_cancels(self, claims: Sequence[Claim], timeout_ms: int) -> list[str]:
        """See `ports.queue.Queue`."""
        return await self._store.wait_for_cancels(claims, timeout_ms)


def _emptied(request: ClaimRequest, claimed: Sequence[Execution]) -> list[str]:
    """Return the topics of the lanes that `claimed`, fewer than asked for in all, did not fill: nothing more is there."""
    counts: dict[str, int] = {}
    for execution in claimed:
        counts[execution.topic] = counts.get(execution.topic, 0) + 1
    return [
        topic
        for lane in request.lanes
        if sum(counts.get(one, 0) for one in lane.topics) < lane.limit
        for topic in lane.topics
    ]
