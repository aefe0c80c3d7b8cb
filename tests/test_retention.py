"""The sweeper: it sweeps at once, until nothing is left, and no fault ends it."""

import asyncio

from contracts.engines import DAY_MS, Clock, run
from netscript_workers import retention
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import Swept

BOUND_S = 20


async def test_all_that_is_due_goes_batch_by_batch():
    clock = Clock()
    engine = MemoryEngine(clock)
    for _ in range(3):
        await run(engine, now=clock.now)
    clock.move(8 * DAY_MS)
    assert await retention.sweep_all(engine) == (3, 0)
    clock.move(30 * DAY_MS)
    assert await retention.sweep_all(engine) == (0, 3)


async def test_neither_an_outage_nor_a_fault_ends_the_sweeping(monkeypatch, caplog):
    monkeypatch.setattr(retention, "PERIOD_S", 0.0)
    swept = asyncio.Event()
    answers = iter([EngineError("away for now"), ValueError("a bug")])

    class Failing(MemoryEngine):
        async def sweep(self, limit):
            error = next(answers, None)
            if error is not None:
                raise error
            swept.set()
            return Swept(0, 0)

    sweeper = retention.Sweeper(Failing())
    await sweeper.start()
    await asyncio.wait_for(swept.wait(), BOUND_S)
    await sweeper.stop(1000)
    await sweeper.stop(1000)
    assert "away for now" in caplog.text
    assert "a sweep broke" in caplog.text
