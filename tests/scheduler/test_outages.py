"""Ticks that the engine does not take for long are judged anew, and no answer that took long puts the clock ahead."""

import asyncio
import contextlib

import pytest

from netscript_workers.domain.target import CatchUp, Concept, Source, Target
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.scheduler import service
from netscript_workers.scheduler.service import EngineClock, Scheduler
from netscript_workers.wiring.scheduling import Around
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages

PATIENCE_S = 30
NOON = 1_800_000_000_000
MINUTE = 60_000


def scheduled(cron: str, name: str = "a", **fields) -> Target:
    return Target(
        id=name, concept=Concept.JOB, source=Source.CONFIG, file="", path="", schedule=cron, **fields
    )


class Away(MemoryEngine):
    """An engine that refuses ticks while it is away, and notes how often; its clock is moved by hand."""

    def __init__(self) -> None:
        self.wall = NOON
        self.away = False
        self.refused = 0
        super().__init__(lambda: self.wall)

    async def enqueue_ticks(self, ticks):
        if self.away:
            self.refused += 1
            raise EngineError("away")
        return await super().enqueue_ticks(ticks)


async def until(holds) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def refused_a_tick(targets):
    """Have a scheduler whose tick at noon was refused, and go on being refused."""
    engine = Away()
    engine.wall = NOON - 1
    scheduler = Scheduler(engine, targets, Around(Outages(), Faults()))
    await scheduler.start()
    try:
        engine.away = True
        await until(lambda: engine.refused)
        yield engine, scheduler
    finally:
        await scheduler.stop(1_000)


@pytest.mark.parametrize(("catch_up", "runs"), [(CatchUp.SKIP, 0), (CatchUp.LATEST, 1), (CatchUp.ALL, 61)])
async def test_ticks_refused_for_an_hour_are_missed_ticks(catch_up, runs, monkeypatch, caplog):
    monkeypatch.setattr(service, "LATE_MS", 200, raising=False)  # how long an outage must last for that
    targets = {"a": scheduled("* * * * *", catch_up=catch_up)}
    async with refused_a_tick(targets) as (engine, scheduler):
        engine.wall = NOON + 60 * MINUTE
        monkeypatch.setattr(engine, "standing", back(engine))
        await until(lambda: "was missed" in caplog.text)
        await until(lambda: scheduler.enqueued == runs)
        assert len(await engine.find(HistoryQuery(limit=100))) == runs


def back(engine):
    """Make it answer again from the moment at which it is asked how far the schedules are."""
    asked = engine.standing

    async def standing(*arguments):
        engine.away = False
        return await asked(*arguments)

    return standing


async def test_a_target_taken_away_while_its_tick_is_refused_is_not_enqueued_afterwards():
    targets = {"a": scheduled("* * * * *"), "b": scheduled("* * * * *", "b")}
    async with refused_a_tick(targets) as (engine, scheduler):
        del targets["a"]
        scheduler.targets_changed()
        await until(lambda: scheduler.schedules == 1)
        engine.away = False
        await until(lambda: scheduler.enqueued)
        assert [run.target for run in await engine.find(HistoryQuery(limit=100))] == ["b"]


def test_an_answer_that_took_long_never_puts_the_clock_ahead(monkeypatch):
    wall, monotonic = [1_000.0], [50.0]
    monkeypatch.setattr(service.time, "time", lambda: wall[0])
    monkeypatch.setattr(service.time, "monotonic", lambda: monotonic[0])
    clock = EngineClock()
    monotonic[0] += 4  # the engine looked at its clock at the very end of four seconds
    wall[0] += 4
    clock.set(5_000_000, 50.0)
    assert clock.now() == 5_000_000
    assert not clock.is_stale()
    monotonic[0] += 1.5
    wall[0] += 1.5
    assert clock.is_stale(), "it is asked again soon"
    clock.set(5_001_500, monotonic[0] - 0.01)
    exact = clock.now()
    assert exact == 5_001_505
    monotonic[0] += 4
    wall[0] += 4
    clock.set(5_001_505, monotonic[0] - 4)
    assert clock.now() == exact + 4_000, "what is known exactly already is kept"
