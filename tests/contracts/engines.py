"""Short words for the engine contracts: new executions, claims, settlements, and a clock that tests own."""

import itertools

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Concept, Execution, NewExecution
from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.retry import RetryPolicy
from netscript_workers.domain.settlement import Retain, Settlement, decide
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.queue import ClaimRequest, LaneDemand

DAY_MS = 24 * 60 * 60 * 1000
LEASE_MS = 60_000
BOUND_MS = 20_000
RETAIN = Retain(keep_ms=7 * DAY_MS, archive_ms=30 * DAY_MS)

_numbers = itertools.count(1)


class Clock:
    """A wall clock that stands still until it is moved (ms since 1970)."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def move(self, ms: int) -> None:
        self.now += ms


def new(target: str = "mail", **fields) -> NewExecution:
    """Build an execution with an id of its own."""
    fields.setdefault("id", f"e{next(_numbers):06}")
    return NewExecution(concept=Concept.JOB, target=target, **fields)


async def put(engine: Engine, *requests: NewExecution) -> list[str]:
    """Enqueue and return the ids."""
    return [answer.id for answer in await engine.enqueue_many(requests or [new()])]


def asking(
    total: int = 100,
    *lanes: tuple[tuple[str, ...], int],
    worker: str = "w1",
    lease_ms: int = LEASE_MS,
    **limits: int,
) -> ClaimRequest:
    """Build a claim; without `lanes` one of the topic `default`."""
    return ClaimRequest(
        worker_id=worker,
        lease_ms=lease_ms,
        total=total,
        lanes=tuple(LaneDemand(*lane) for lane in lanes or ((("default",), total),)),
        target_limits=limits,
    )


async def claim(engine: Engine, *args, **fields) -> list[Execution]:
    return await engine.claim_many(asking(*args, **fields))


async def claimed_ids(engine: Engine, *args, **fields) -> list[str]:
    return [execution.id for execution in await claim(engine, *args, **fields)]


def ending(
    execution: Execution,
    outcome: Outcome | None = None,
    *,
    attempts: int = 1,
    delay_ms: int = 0,
    now: int = 0,
) -> Settlement:
    """Build the settlement of a claim; a success unless told otherwise."""
    policy = RetryPolicy(max_attempts=attempts, delay_ms=delay_ms)
    return decide(execution, outcome or outcomes.succeeded(b"1"), policy, RETAIN, now, started_at=now)


async def run(engine: Engine, outcome: Outcome | None = None, *, now: int, **fields) -> Execution:
    """Enqueue one, claim it, settle it, and return its record."""
    (one,) = await put(engine, new(**fields))
    topic = fields.get("topic", "default")
    (execution,) = await claim(engine, 1, ((topic,), 1))
    assert execution.id == one
    assert await engine.settle_many([ending(execution, outcome, now=now)]) == [True]
    (record,) = await engine.get_many([one])
    assert record is not None
    return record
