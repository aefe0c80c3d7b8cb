"""`workers conformance`: it finds every broken promise, and leaves nothing on the server."""

import asyncio

import msgspec
import pytest

from netscript_workers.cli import conformance_order as orders
from netscript_workers.cli import conformance_time as times
from netscript_workers.cli.conformance_stage import Stage, Worker
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.ports.history import HistoryQuery

pytestmark = pytest.mark.slow


class Backwards(MemoryEngine):
    async def claim_many(self, request):
        return [*reversed(await super().claim_many(request))]


class Twice(MemoryEngine):
    async def claim_many(self, request):
        claimed = await super().claim_many(request)
        return [*claimed, *claimed[:1]]


class Forgetful(MemoryEngine):
    async def enqueue_many(self, requests):
        return await super().enqueue_many(
            [msgspec.structs.replace(one, idempotency_key=None) for one in requests]
        )


class Unlimited(MemoryEngine):
    async def claim_many(self, request):
        return await super().claim_many(msgspec.structs.replace(request, target_limits={}))


class Restless(MemoryEngine):
    async def pause(self, topic):
        pass


class Doubled(MemoryEngine):
    async def enqueue_ticks(self, ticks):
        return await super().enqueue_many([each.request for each in ticks])


class Hasty(MemoryEngine):
    async def enqueue_many(self, requests):
        return await super().enqueue_many([msgspec.structs.replace(one, delay_ms=0) for one in requests])


class Empty(MemoryEngine):
    async def claim_many(self, request):
        return []

    async def wait_for_work(self, topics, timeout_ms):
        await asyncio.sleep(0.1)  # nothing ever comes


class Credulous(MemoryEngine):
    async def settle_many(self, settlements):
        await super().settle_many(settlements)
        return [True for _ in settlements]


class Deaf(MemoryEngine):
    async def extend_many(self, claims, lease_ms):
        return await super().extend_many([], lease_ms)


@pytest.mark.parametrize(
    ("engine", "check"),
    [
        (Backwards, orders.order),
        (Backwards, orders.priority),
        (Twice, orders.duplicates),
        (Forgetful, orders.idempotency),
        (Unlimited, orders.limit),
        (Restless, orders.pause),
        (Doubled, orders.ticks),
        (Credulous, orders.completed),
        (Hasty, times.delay),
        (Credulous, times.lost_worker),
        (Deaf, times.renewal),
    ],
)
async def test_a_broken_promise_is_found(engine, check):
    broken, sound = engine(), MemoryEngine()
    assert not (await check(Stage(broken, 200))).kept
    assert (await check(Stage(sound, 200))).kept


@pytest.mark.parametrize("check", [times.latency, times.retry, times.cancel])
async def test_a_sound_engine_keeps_its_times(check):
    sound = MemoryEngine()
    assert (await check(Stage(sound, 200))).kept


@pytest.mark.parametrize("engine", [Empty, Twice])
@pytest.mark.parametrize(
    "check",
    [
        orders.order,
        orders.priority,
        orders.duplicates,
        orders.completed,
        orders.idempotency,
        orders.limit,
        orders.pause,
        orders.ticks,
        times.latency,
        times.delay,
        times.retry,
        times.cancel,
        times.renewal,
        times.lost_worker,
    ],
)
async def test_a_claim_that_brings_none_or_too_many_is_a_verdict(engine, check, monkeypatch):
    monkeypatch.setattr(Worker, "claim_within", lambda worker, topic, _, count=1: worker.claim(topic, count))
    await check(Stage(engine(), 200))


async def test_nothing_is_left_of_the_queue(tmp_path):
    engine = DenoKvEngine(tmp_path / "queue.db", "throw-away")
    await engine.open()
    stage = Stage(engine, 500)
    for check in (orders.order, orders.pause, orders.completed, times.cancel, times.lost_worker):
        assert (await check(stage)).kept
    await stage.put(stage.topic(), 3)
    assert await stage.clear() == 0
    assert await engine.find(HistoryQuery(limit=None)) == []
    await engine.erase()
    for table in ("queue", "execution", "archive", "attempt", "line", "pause", "worker"):
        assert await engine._connections.read(f"SELECT count(*) FROM netscript_{table}", {}) == 0
    await engine.close()


async def test_what_still_runs_is_told_as_left(tmp_path):
    engine = MemoryEngine()
    stage = Stage(engine, 500)
    topic = stage.topic()
    await stage.put(topic)
    await stage.two.claim(topic)
    assert await asyncio.wait_for(stage.clear(), 20) == 1
