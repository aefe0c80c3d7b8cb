"""`--drain`: tell when nothing is left to do for the topics this worker serves."""

import asyncio
from typing import Final

from netscript_workers.domain.execution import Status
from netscript_workers.ports.engine import Engine
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.service import WorkerService
from netscript_workers.worker.settler import Settler

_LOOK_AGAIN_S: Final = 0.1
_COUNT_AGAIN_S: Final = (
    0.5  # a count reads every waiting row: not as often as a look at this worker's own books
)


async def drained(worker: WorkerService, settler: Settler, engine: Engine, outages: Outages) -> None:
    """Return once nothing is queued in a served topic, nothing runs here, and no retry of a run made here is outstanding.

    Paused topics do not count, nor do executions delayed by whoever enqueued them: their time has not come.
    """
    worker.track_retries()
    while True:
        pause = _LOOK_AGAIN_S
        if worker.lanes.all_dry and not settler.unsettled:
            if await _nothing_left(worker, engine, outages):
                return
            pause = _COUNT_AGAIN_S
        await asyncio.sleep(pause)


async def _nothing_left(worker: WorkerService, engine: Engine, outages: Outages) -> bool:
    served = set(worker.lanes.topics)
    depths = await outages.outlast("count what is queued", engine.depths)
    if any(depth.queued for depth in depths if depth.topic in served and not depth.paused):
        return False
    retrying = worker.retrying
    if retrying:
        waiting = tuple(retrying)
        records = await outages.outlast("look after retries", lambda: engine.get_many(waiting))
        retrying.difference_update(
            execution_id
            for execution_id, record in zip(waiting, records, strict=True)
            if record is None or record.status not in (Status.PENDING, Status.QUEUED, Status.RUNNING)
        )
    return not retrying
