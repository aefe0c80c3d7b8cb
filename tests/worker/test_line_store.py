"""A worker whose store does not take what it is given."""

import asyncio

from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.worker.lanes import MAX_LOOK_AHEAD
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
