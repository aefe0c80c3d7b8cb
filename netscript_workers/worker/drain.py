"""`--drain`: tell when nothing is left to do for the topics this worker serves."""

import asyncio
from typing import Final

from netscript_workers.domain.execution import Status
from netscript_workers.ports.engine import Engine
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.service import WorkerService
from netscript_workers.worker.settler import Settler

_LOOK_AGAIN_S: Final = 0.1


async def drained(worker: WorkerService, settler: Settler, engine: Engine, outages: Outages) -> None:
    """Return once nothing is queued in a served topic, nothing runs here, and no retry of a run made here is outstanding.

    Paused topics do not count, nor do executions delayed by whoever enqueued them: their time has not come.
    """
    while True:
        if worker.lanes.all_dry and not settler.unsettled and await _nothing_left(worker, engine, outages):
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _nothing_left(worker: WorkerService, engine: Engine, outages: Outages) -> bool:
    served = set(worker.lanes.topics)
    depths = await outages.outlast("count what is queued", engine.depths)
    if any(depth.queued for depth in depths if depth.topic in served and not depth.paused):
        return False
    waiting = tuple(worker.retrying)
    if waiting:
        records = await outages.outlast("look after retries", lambda: engine.get_many(waiting))
        worker.retrying.difference_update(
            execution_id
            for execution_id, record in zip(waiting, records, strict=True)
            if record is None or record.status not in (Status.PENDING, Status.QUEUED, Status.RUNNING)
        )
    return not worker.retrying
