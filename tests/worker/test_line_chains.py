"""The line with a runner that takes runs ahead, and with what it holds unstarted."""

import asyncio

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from support.line import Line


async def test_an_unstarted_attempt_whose_claim_is_lost_is_dropped_and_records_nothing():
    line = Line(default=1)
    gate = asyncio.Event()

    @line.job("slow")
    async def slow(_execution, _observer):
        await gate.wait()
        return outcomes.succeeded(b"1")

    async with line:
        line.worker.lanes._by_topic["default"].mean_ms = 1.0  # runs were short so far: it looks ahead
        first, *others = await line.enqueue("slow", 3)
        await line.until(lambda: line.worker.lanes.held == 2)
        lost = next(a for a in line.leases.attempts if a.execution.id == others[0])
        line.leases.lose_unstarted(lost)
        assert line.worker.lanes.held == 1
        assert [a.execution.id for a in line.leases.attempts] == [first, others[1]]
        gate.set()
        await line.ended(first, others[1])
        assert (await line.record(others[0])).status is Status.RUNNING  # as whoever holds its claim left it
        assert others[0] not in line.runner.starts
