"""The scheduler over an engine: ticks become executions, once, with any number of schedulers, and through outages."""

import asyncio
import contextlib
from collections import Counter

import pytest

from netscript_workers.domain.execution import TriggeredBy
from netscript_workers.domain.target import CatchUp, Concept, Source, Target
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.scheduler.service import EngineClock, Scheduler
from netscript_workers.wiring.scheduling import Around
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.outage import Outages

pytestmark = pytest.mark.slow  # a tick is a second away
PATIENCE_S = 30
EACH_SECOND = "* * * * * *"


def scheduled(name: str, cron: str | None = EACH_SECOND, **fields) -> Target:
    return Target(
        id=name,
        concept=Concept.JOB,
        source=Source.CONFIG,
        file="",
        path="",
        schedule=cron,
        topic="reports",
        priority=70,
        max_retries=2,
        **fields,
    )


class Flaky(MemoryEngine):
    """An engine that can be away."""

    away = False

    async def enqueue_ticks(self, ticks):
        if self.away:
            raise EngineError("away")
        return await super().enqueue_ticks(ticks)


@contextlib.asynccontextmanager
async def engine_of(kind=MemoryEngine):
    engine = kind()
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def scheduling(engine, targets, **options):
    scheduler = Scheduler(engine, targets, Around(Outages(), Faults()), **options)
    await scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.stop(1_000)


async def runs(engine) -> list:
    return await engine.find(HistoryQuery(limit=1_000))


async def until(engine, count: int) -> list:
    async with asyncio.timeout(PATIENCE_S):
        while len(found := await runs(engine)) < count:
            await asyncio.sleep(0.02)
    return found


async def test_a_tick_becomes_an_execution_with_what_its_target_says():
    lags = []
    async with engine_of() as engine, scheduling(engine, {"a": scheduled("a")}, observe=lags.extend):
        first = (await until(engine, 1))[0]
    assert (first.target, first.topic, first.priority, first.max_attempts) == ("a", "reports", 70, 3)
    assert (first.triggered_by, first.payload) == (TriggeredBy.CRON, b"{}")
    assert lags
    assert min(lags) >= 0


async def test_several_schedulers_enqueue_each_tick_once():
    targets = {name: scheduled(name) for name in ("a", "b")}
    async with engine_of() as engine, contextlib.AsyncExitStack() as stack:
        several = [await stack.enter_async_context(scheduling(engine, targets)) for _ in range(3)]
        await until(engine, 6)
        for one in several:
            one.pause()
        found = await runs(engine)
        ticks = Counter((run.target, round(run.triggered_at / 1000)) for run in found)
    assert set(ticks.values()) == {1}
    assert sum(one.enqueued for one in several) == len(found)


async def test_a_disabled_target_and_one_without_a_schedule_have_no_ticks():
    targets = {"a": scheduled("a"), "b": scheduled("b", enabled=False), "c": scheduled("c", None)}
    async with engine_of() as engine, scheduling(engine, targets):
        found = await until(engine, 2)
    assert {run.target for run in found} == {"a"}


async def test_a_changed_target_is_followed_when_it_is_told_of():
    targets = {"a": scheduled("a", "0 0 1 1 *")}
    async with engine_of() as engine, scheduling(engine, targets) as scheduler:
        targets["b"] = scheduled("b")
        scheduler.targets_changed()
        found = await until(engine, 1)
    assert {run.target for run in found} == {"b"}


async def test_while_paused_nothing_is_enqueued():
    async with engine_of() as engine, scheduling(engine, {"a": scheduled("a")}) as scheduler:
        await until(engine, 1)
        scheduler.pause()
        await asyncio.sleep(0)
        before = len(await runs(engine))
        async with asyncio.timeout(PATIENCE_S):
            while True:
                last = (await engine.standing(["a"])).now
                if last > (await engine.standing(["a"])).last["a"] + 2_000:
                    break
                await asyncio.sleep(0.05)
        assert len(await runs(engine)) <= before + 1  # the one that was on its way
        scheduler.resume()
        await until(engine, before + 2)


async def test_an_engine_that_is_away_loses_no_tick_of_the_last_minute():
    async with engine_of(Flaky) as engine, scheduling(engine, {"a": scheduled("a", catch_up=CatchUp.SKIP)}):
        await until(engine, 1)
        engine.away = True
        start = (await engine.standing(["a"])).last["a"]
        async with asyncio.timeout(PATIENCE_S):
            while (await engine.standing([])).now < start + 3_000:
                await asyncio.sleep(0.05)
        engine.away = False
        async with asyncio.timeout(PATIENCE_S):
            while (await engine.standing(["a"])).last["a"] < start + 3_000:
                await asyncio.sleep(0.02)
        found = await runs(engine)
        gone_by = (await engine.standing(["a"])).last["a"] - start
    assert len(found) >= 1 + gone_by // 1_000


@pytest.mark.parametrize(("catch_up", "at_least"), [(CatchUp.ALL, 4), (CatchUp.LATEST, 1)])
async def test_a_scheduler_that_starts_later_catches_up(catch_up, at_least, caplog):
    targets = {"a": scheduled("a", catch_up=catch_up)}
    async with engine_of() as engine:
        start = (await engine.standing(["a"])).now  # known from now on, and nobody enqueues
        async with asyncio.timeout(PATIENCE_S):
            while (await engine.standing([])).now < start + 4_500:
                await asyncio.sleep(0.05)
        async with scheduling(engine, targets):
            await until(engine, at_least)
    assert f"catch_up = “{catch_up.value}”" in caplog.text


def test_the_engines_clock_goes_on_with_this_hosts_and_asks_again_when_that_was_set(monkeypatch):
    from netscript_workers.scheduler import service

    wall, monotonic = [1_000.0], [50.0]
    monkeypatch.setattr(service.time, "time", lambda: wall[0])
    monkeypatch.setattr(service.time, "monotonic", lambda: monotonic[0])
    clock = EngineClock()
    assert clock.is_stale()
    clock.set(5_000_000, 50.0)
    assert not clock.is_stale()
    wall[0] += 10
    monotonic[0] += 10
    assert (clock.now(), clock.is_stale()) == (5_010_000, False)
    wall[0] -= 3_600
    assert clock.is_stale()
    wall[0] += 3_600
    monotonic[0] += 25
    assert clock.is_stale()
