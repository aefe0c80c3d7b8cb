"""A worker whose store does not take what it is given."""

import asyncio

import pytest

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineError
from netscript_workers.worker.lane import MAX_LOOK_AHEAD
from netscript_workers.worker.settler import MAX_BATCH, MAX_UNSETTLED
from support.line import Line, no_op


class Stuck(MemoryEngine):
    """Takes no settlement before `opened`."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()
        self.claimed = 0

    async def claim_many(self, request):
        claimed = await super().claim_many(request)
        self.claimed += len(claimed)
        return claimed

    async def settle_many(self, settlements):
        await self.opened.wait()
        return await super().settle_many(settlements)


async def test_a_worker_whose_ends_of_runs_are_not_taken_claims_no_more_and_goes_on_afterwards():
    engine = Stuck()
    line = Line(engine)
    line.job("short")(no_op)
    count = MAX_UNSETTLED + 2 * MAX_BATCH + 4 * MAX_LOOK_AHEAD
    async with line:
        ids = await line.enqueue("short", count)
        await line.until(lambda: line.settler.is_behind and not line.worker.lanes.busy)
        assert engine.claimed <= MAX_UNSETTLED + 2 * MAX_LOOK_AHEAD
        engine.opened.set()
        assert len(await line.ended(*ids)) == count


FAILING = frozenset(
    ("claim_many", "extend_many", "take_expired", "wait_for_work", "wait_for_cancels", "settle_many")
)


class Away(MemoryEngine):
    """A store whose server is away while `is_away`."""

    is_away = False

    def __getattribute__(self, name: str):
        if name in FAILING and object.__getattribute__(self, "is_away"):
            raise EngineError("the server is away")
        return object.__getattribute__(self, name)


class Silent(MemoryEngine):
    """Gives work, but cannot tell of it before it `may_tell`."""

    may_tell = False

    async def wait_for_work(self, topics, timeout_ms):
        if not self.may_tell:
            raise EngineError("nobody tells of work")
        await super().wait_for_work(topics, timeout_ms)


async def test_work_goes_on_while_the_engine_cannot_tell_of_it_and_the_worker_is_degraded():
    engine = Silent()
    line = Line(engine)
    tries = []

    @line.job("second-time", max_retries=1, retry_delay=200)
    async def second_time(execution, _observer):
        tries.append(execution.attempt)
        return outcomes.failed("not yet") if execution.attempt == 1 else outcomes.succeeded(b"1")

    async with line:
        await line.until(lambda: line.outages.degraded is not None)
        (record,) = await line.ended(*await line.enqueue("second-time"))
        assert (record.status, tries) == (Status.COMPLETED, [1, 2])
        assert line.outages.degraded == "wait for work: nobody tells of work"
        engine.may_tell = True
        await line.until(lambda: line.outages.degraded is None)
        (record,) = await line.ended(*await line.enqueue("second-time"))
    assert record.status is Status.COMPLETED


@pytest.mark.slow
async def test_after_an_outage_longer_than_a_lease_workers_that_live_do_not_bury_each_others_runs():
    engine = Away()
    gate = asyncio.Event()
    workers = [Line(engine, lease_ms=4_000, worker_id=name, default=1) for name in ("w1", "w2")]
    for line in workers:

        @line.job("long", max_retries=0)
        async def long(_execution, _observer):
            await gate.wait()
            return outcomes.succeeded(b"1")

    first, second = workers
    async with first, second:
        ids = await first.enqueue("long", 2)
        await first.until(lambda: bool(first.runner.running and second.runner.running))
        engine.is_away = True
        await first.until(lambda: first.outages.degraded is not None and second.outages.degraded is not None)
        await asyncio.sleep(5.0)  # the length of the outage is what is tested
        engine.is_away = False
        await first.until(lambda: first.outages.degraded is None and second.outages.degraded is None)
        await asyncio.sleep(1.0)
        gate.set()
        records = await first.ended(*ids)
    assert [(record.status, record.attempt) for record in records] == [(Status.COMPLETED, 1)] * 2
