"""Rates: how fast runs are enqueued and done."""

import time
from typing import TYPE_CHECKING, Any, Final

from netscript_workers.cli.bench_project import BenchProject, daemon
from netscript_workers.domain.execution import Execution, NewExecution, Status
from netscript_workers.domain.outcome import succeeded
from netscript_workers.domain.retry import RetryPolicy
from netscript_workers.domain.settlement import Retain, decide
from netscript_workers.domain.target import Concept
from netscript_workers.errors import WorkersError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netscript_workers.ports.engine import Engine

_BATCH: Final = 10_000
_FILL_BATCH: Final = 1_000
_DRAIN_BOUND_S: Final = 300.0
_DAY_MS: Final = 24 * 60 * 60 * 1000
_OLD: Final = "finished-long-ago"


async def enqueue_rate(project: BenchProject, runs: int) -> float:
    """Return how many executions a second one `Client` enqueues in bulk."""
    return runs / await _enqueue(project, "noop", _empty(runs))


async def run_rate(project: BenchProject, runs: int, target: str = "noop") -> float:
    """Return how many no-op executions a second a daemon runs, from the first start to the last end on record."""
    return runs * 1_000 / await _drained(project, target, _empty(runs))


async def processor_ratio(project: BenchProject, runs: int, busy_ms: int) -> float:
    """Return how much longer `runs` of `busy_ms` processor time took than they would on slots that cost nothing."""
    taken = await _drained(project, "spin", [{"ms": busy_ms}] * runs)
    return taken / (runs * busy_ms / project.slots)


async def fill(project: BenchProject, finished: int, delayed: int) -> None:
    """Put `finished` completed and `delayed` executions that are not due into the queue of `project`."""
    from netscript_workers import wiring

    async with wiring.open_engine(project.settings()) as engine:
        for start in range(0, delayed, _BATCH):
            await engine.enqueue_many(_old(min(_BATCH, delayed - start), _DAY_MS))
        for start in range(0, finished, _FILL_BATCH):
            await engine.enqueue_many(_old(min(_FILL_BATCH, finished - start), 0))
            await _finish(engine, min(_FILL_BATCH, finished - start))


async def _finish(engine: "Engine", count: int) -> None:
    from netscript_workers.ports.queue import ClaimRequest, LaneDemand

    request = ClaimRequest(
        worker_id="bench",
        lease_ms=60_000,
        total=count,
        lanes=(LaneDemand(("default",), count),),
        target_limits={},
    )
    while claimed := await engine.claim_many(request):
        now = time.time_ns() // 1_000_000
        policy, retain = RetryPolicy(), Retain(7 * _DAY_MS, 90 * _DAY_MS)
        await engine.settle_many(
            [
                decide(each, succeeded(b"null"), policy, retain, now, started_at=each.started_at)
                for each in claimed
            ]
        )


def _old(count: int, delay_ms: int) -> list[NewExecution]:
    from netscript_workers.domain.ids import IdFactory

    ids = IdFactory().new_many(time.time_ns() // 1_000_000, count)
    return [NewExecution(id=each, concept=Concept.JOB, target=_OLD, delay_ms=delay_ms) for each in ids]


async def _drained(project: BenchProject, target: str, payloads: "Sequence[dict[str, Any]]") -> float:
    """Enqueue, have a daemon drain the queue, and return the ms between the first start and the last end."""
    await _enqueue(project, target, payloads)
    async with daemon(project, "--drain") as running:
        await running.drained(_DRAIN_BOUND_S)
    records = await _records(project, target, len(payloads))
    ends = [record.completed_at for record in records if record.completed_at is not None]
    starts = [record.started_at for record in records if record.started_at is not None]
    return max(1, max(ends) - min(starts))


async def _records(project: BenchProject, target: str, count: int) -> list[Execution]:
    from netscript_workers import wiring
    from netscript_workers.ports.history import HistoryQuery

    async with wiring.open_engine(project.settings()) as engine:
        records = await engine.find(HistoryQuery(target=target, limit=count))
    undone = [record for record in records if record.status is not Status.COMPLETED]
    if undone or len(records) != count:
        raise WorkersError(
            f"{len(records) - len(undone)} of {count} measured runs completed; the first other one is: {undone[:1]}"
        )
    return records


def _empty(count: int) -> list[dict[str, Any]]:
    return [{} for _ in range(count)]


async def _enqueue(project: BenchProject, target: str, payloads: "Sequence[dict[str, Any]]") -> float:
    """Enqueue through a `Client` in batches; return the seconds it took once the client was open."""
    from netscript_workers.client import Client

    async with Client(project.config) as client:
        begun = time.perf_counter()
        for start in range(0, len(payloads), _BATCH):
            await client.trigger_many(target, payloads[start : start + _BATCH])
        return time.perf_counter() - begun
