"""A worker's word of itself: that it lives, and that it is degraded, for `workers status`."""

import asyncio
from functools import partial

import pytest

from netscript_workers.domain import wire
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.queue_admin import WorkerInfo
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.presence import Presence

PATIENCE_S = 20
INFO = WorkerInfo(
    id="w1",
    host="h",
    pid=1,
    role="worker",
    topics=("default",),
    slots_total=1,
    slots_busy=0,
    started_at=1,
    last_seen_at=1,
)


class Crowded(MemoryEngine):
    """An engine that refuses some verbs while `full`."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    async def pause(self, topic: str) -> None:
        if self.full:
            raise EngineError("its memory is full")

    async def announce(self, worker: WorkerInfo) -> None:
        if self.full and worker.degraded is None:
            raise EngineError("its memory is full")
        await super().announce(worker)


async def until(holds) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def engine():
    return Crowded()


async def test_a_degraded_worker_is_announced_soon_and_its_recovery_too(engine, caplog):
    outages, faults = Outages(), Faults()
    presence = Presence(engine, lambda: INFO, outages, faults)
    await presence.start()

    async def said() -> str | None:
        return (await engine.workers())[0].degraded

    async def degraded() -> bool:
        return await said() == "pause a topic: its memory is full"

    async def recovered() -> bool:
        return await said() is None

    assert await recovered()
    engine.full = True
    pausing = asyncio.create_task(outages.outlast("pause a topic", partial(engine.pause, "x")))
    await until(degraded)
    engine.full = False
    await asyncio.wait_for(pausing, PATIENCE_S)
    await until(recovered)
    assert "recovered: could not pause a topic for" in caplog.text
    await presence.stop(5_000)
    assert await engine.workers() == []


async def test_what_an_announcement_fails_at_is_not_told_once_it_works_again(engine):
    outages = Outages()
    presence = Presence(engine, lambda: INFO, outages, Faults())
    engine.full = True
    starting = asyncio.create_task(presence.start())

    async def failing() -> bool:
        return outages.degraded is not None

    await until(failing)
    engine.full = False
    await asyncio.wait_for(starting, PATIENCE_S)
    assert [worker.degraded for worker in await engine.workers()] == [None]
    await presence.stop(5_000)


def test_status_shows_whether_a_worker_is_degraded():
    assert wire.status("redis", "jobs", [], [INFO], 0)["workers"][0]["degraded"] is None
