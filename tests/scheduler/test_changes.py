"""The scheduler after an outage, and schedules that were taken away or changed."""

import asyncio

import msgspec
import pytest

from netscript_workers.domain.target import CatchUp, Concept, Source, Target
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.scheduler.service import Scheduler
from netscript_workers.wiring.scheduling import Around
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages

pytestmark = pytest.mark.slow  # a tick is a second away
PATIENCE_S = 30


def scheduled(cron: str, name: str = "a", **fields) -> Target:
    return Target(
        id=name, concept=Concept.JOB, source=Source.CONFIG, file="", path="", schedule=cron, **fields
    )


class Away(MemoryEngine):
    """An engine that cannot tell how far the schedules are, the first times it is asked."""

    refusals = 5

    async def standing(self, targets, marks=()):
        if self.refusals:
            self.refusals -= 1
            raise EngineError("away")
        return await super().standing(targets, marks)


async def until(holds) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_the_time_for_which_an_engine_was_away_does_not_put_the_clock_ahead():
    engine = Away()
    scheduler = Scheduler(engine, {"a": scheduled("@yearly")}, Around(Outages(), Faults()))
    await scheduler.start()
    try:
        now = (await engine.standing(["a"])).now
        ahead = scheduler._clock.now() - now
        assert abs(ahead) < 200, f"{ahead} ms ahead"
    finally:
        await scheduler.stop(1_000)


@pytest.mark.parametrize("taken_away", [{}, {"a": scheduled("* * * * *", enabled=False)}])
async def test_a_schedule_that_was_taken_away_for_an_hour_has_missed_nothing(taken_away):
    wall = [1_800_000_000_000]
    engine = MemoryEngine(lambda: wall[0])
    targets = {"a": scheduled("0 0 * * * *", catch_up=CatchUp.ALL)}
    scheduler = Scheduler(engine, targets, Around(Outages(), Faults()))
    await scheduler.start()
    try:
        targets.clear()
        targets.update(taken_away)
        scheduler.targets_changed()
        await until(lambda: not len(scheduler._table))
        wall[0] += 5 * 3_600_000
    finally:
        await scheduler.stop(1_000)
    targets["a"] = scheduled("0 0 * * * *", catch_up=CatchUp.ALL)
    targets["b"] = scheduled("* * * * * *", "b")
    later = Scheduler(engine, targets, Around(Outages(), Faults()))
    await later.start()
    try:
        await until(lambda: later.enqueued)  # what was missed comes before what is due
        assert {run.target for run in await engine.find(HistoryQuery(limit=10))} == {"b"}
    finally:
        await later.stop(1_000)


@pytest.mark.parametrize("change", [{"schedule": "0 30 * * * *"}, {"timezone": "Asia/Kolkata"}, {}])
async def test_a_schedule_that_was_changed_while_nothing_ran_has_missed_nothing(change):
    wall = [1_800_000_000_000]
    engine = MemoryEngine(lambda: wall[0])
    before = scheduled("0 0 * * * *", catch_up=CatchUp.ALL)
    first = Scheduler(engine, {"a": before}, Around(Outages(), Faults()))
    await first.start()
    await first.stop(1_000)
    wall[0] += 5 * 3_600_000
    later = Scheduler(engine, {"a": msgspec.structs.replace(before, **change)}, Around(Outages(), Faults()))
    await later.start()
    try:
        assert len(later._table.due(wall[0], 100)) == (0 if change else 5)
        assert bool(later._table.missed()) is not bool(change)
    finally:
        await later.stop(1_000)
