"""What every check of `workers conformance` stands on: two engines on one throw-away queue, and short words for its verbs.

Each check has a topic and a target of its own, so that one that failed cannot spoil the next.
"""

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Execution, NewExecution
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.retry import RetryPolicy
from netscript_workers.domain.settlement import Retain, decide
from netscript_workers.domain.target import Concept
from netscript_workers.ports.queue import ClaimRequest, LaneDemand

if TYPE_CHECKING:
    from netscript_workers.domain.outcome import Outcome
    from netscript_workers.ports.engine import Engine

LEASE_MS: Final = 60_000
# Records of this queue are of no use to anybody: the sweep at the end takes them all.
_RETAIN: Final = Retain(keep_ms=1, archive_ms=0)
_LOOK_MS: Final = 1_000


@dataclass(frozen=True)
class Verdict:
    """What one check found. `kept`: the promise was kept; `figures` are the measured values, by their wire names."""

    name: str
    promise: str
    kept: bool
    found: str
    figures: dict[str, Any] = field(default_factory=dict[str, Any])

    def shape(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "check": self.name,
            "promise": self.promise,
            "kept": self.kept,
            "found": self.found,
            "figures": self.figures,
        }


@dataclass
class Worker:
    """One claimer: a name and an engine of its own (its own connections)."""

    name: str
    engine: "Engine"

    async def claim(
        self, topic: str, count: int = 1, *, lease_ms: int = LEASE_MS, limits: dict[str, int] | None = None
    ) -> list[Execution]:
        """Claim what is due now in `topic`."""
        request = ClaimRequest(
            worker_id=self.name,
            lease_ms=lease_ms,
            total=count,
            lanes=(LaneDemand((topic,), count),),
            target_limits=limits or {},
        )
        return await self.engine.claim_many(request)

    async def claim_within(self, topic: str, seconds: float, count: int = 1) -> list[Execution]:
        """Claim, waiting for work as a worker does; empty after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            claimed = await self.claim(topic, count)
            left = deadline - time.monotonic()
            if claimed or left <= 0:
                return claimed
            await self.engine.wait_for_work([topic], min(_LOOK_MS, max(1, int(left * 1000))))

    async def settle(
        self,
        executions: Sequence[Execution],
        outcome: "Outcome | None" = None,
        *,
        attempts: int = 1,
        delay_ms: int = 0,
    ) -> list[bool]:
        """End attempts, as a success unless told otherwise."""
        now = time.time_ns() // 1_000_000
        policy = RetryPolicy(max_attempts=attempts, delay_ms=delay_ms)
        said = outcome or outcomes.succeeded(b"null")
        settlements = [decide(each, said, policy, _RETAIN, now, started_at=now) for each in executions]
        return await self.engine.settle_many(settlements) if settlements else []


class Stage:
    """The queue under test, seen by two workers. `lease_ms` is the lease of the worker that gets lost."""

    def __init__(self, engine: "Engine", lease_ms: int) -> None:
        """Use an opened engine for both workers; give `two` one of its own on the same queue, where there can be two."""
        self.one = Worker("conformance-1", engine)
        self.two = Worker("conformance-2", engine)
        self.lease_ms = lease_ms
        self._ids = IdFactory()
        self._topics: list[str] = []
        self._numbers = itertools.count(1)

    def topic(self) -> str:
        """Return a topic that nobody has used."""
        name = f"check-{next(self._numbers)}"
        self._topics.append(name)
        return name

    def new(self, topic: str, **fields: Any) -> NewExecution:
        """Build an execution of the topic's own target."""
        made = self._ids.new(time.time_ns() // 1_000_000)
        return NewExecution(id=made, concept=Concept.JOB, target=topic, topic=topic, **fields)

    async def put(self, topic: str, count: int = 1, **fields: Any) -> list[str]:
        """Enqueue some alike, in one call, and return their ids in order."""
        requests = [self.new(topic, **fields) for _ in range(count)]
        return [answer.id for answer in await self.one.engine.enqueue_many(requests)]

    async def clear(self) -> int:
        """Work off and delete all that the checks left; return how many executions could not be removed."""
        worker = self.one
        for topic in self._topics:
            await worker.engine.resume(topic)
            while claimed := await worker.claim(topic, 500):
                await worker.settle(claimed)
        while lost := await worker.engine.take_expired(worker.name, LEASE_MS, 500):
            await worker.settle(lost)
        await asyncio.sleep(0.05)  # the live age of the records, 1 ms by the server's clock
        while (swept := await worker.engine.sweep(500)) and (swept.archived or swept.deleted):
            pass
        return sum(depth.pending + depth.queued + depth.running for depth in await worker.engine.depths())


def middle(values: Iterable[float]) -> float:
    """Return the median of some measured values."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
