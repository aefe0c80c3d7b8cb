"""The clock of a worker's host jumps; leases, due times and idempotency keys go by the server's."""

import contextlib
import time
import uuid

import pytest

from contracts.amqp import amqp_engines
from contracts.engines import BOUND_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain.execution import Enqueued
from netscript_workers.domain.overview import WorkerInfo
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.ports.queue import Claim, Renewal
from netscript_workers.ports.schedules import Tick
from support import redis_queues

pytestmark = [pytest.mark.faults, pytest.mark.services]
HOUR_S = 3600


@pytest.fixture(params=["redis", "postgres", "amqp-redis", "amqp-postgres"])
async def engine(request):
    kind = request.param
    async with contextlib.AsyncExitStack() as stack:
        if kind.endswith("redis"):
            own = stack.enter_context(redis_queues.own(request.getfixturevalue("redis_server")))
            store = own.engine()
        else:
            store = PostgresEngine(request.getfixturevalue("postgres_server").url, f"jump-{uuid.uuid4()}")
        if kind.startswith("amqp"):
            broker = request.getfixturevalue("rabbitmq_server")
            (engine,) = await stack.enter_async_context(amqp_engines(broker, store))
        else:
            engine = store
            await engine.open()
            stack.push_async_callback(engine.close)
        yield engine


@pytest.fixture
def jump(monkeypatch):
    """Move this process's wall clock by so many seconds; the monotonic one goes on, as it does on a host."""
    real, real_ns = time.time, time.time_ns

    def jump(seconds: int) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + seconds * 1_000_000_000)

    return jump


def host_ms() -> int:
    return time.time_ns() // 1_000_000


async def claimed_at_last(engine) -> list[str]:
    deadline = time.monotonic() + BOUND_MS / 1000
    while time.monotonic() < deadline:
        if got := await claimed_ids(engine):
            return got
        await engine.wait_for_work(["default"], 200)
    return []


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_lease_lasts_as_long_as_it_was_given_for(engine, jump, hours):
    await put(engine)
    (execution,) = await claim(engine, lease_ms=60_000)
    held = [Claim(execution.id, execution.token)]
    jump(hours * HOUR_S)
    assert await engine.take_expired("w2", 60_000, 10) == []
    assert await engine.extend_many(held, 1) == Renewal()
    deadline = time.monotonic() + BOUND_MS / 1000
    expired = []
    while not expired and time.monotonic() < deadline:
        expired = await engine.take_expired("w2", 60_000, 10)
    assert [one.id for one in expired] == [execution.id]
    assert await engine.settle_many([ending(execution, now=host_ms())]) == [False]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_what_is_delayed_becomes_due_when_it_was_to_be(engine, jump, hours):
    soon, later = await put(engine, new(delay_ms=500), new(delay_ms=30 * 60_000))
    jump(hours * HOUR_S)
    assert await claimed_at_last(engine) == [soon]
    also_soon, also_later = await put(engine, new(delay_ms=500), new(delay_ms=30 * 60_000))
    jump(-hours * HOUR_S)
    assert await claimed_at_last(engine) == [also_soon]
    records = await engine.get_many([later, also_later])
    assert [record.status for record in records] == ["pending", "pending"]


@pytest.mark.parametrize("hours", [-25, -1, 1, 25])
async def test_an_idempotency_key_is_held_after_the_end(engine, jump, hours):
    (first,) = await put(engine, new(idempotency_key="k"))
    (execution,) = await claim(engine)
    jump(hours * HOUR_S)
    assert await engine.settle_many([ending(execution, now=host_ms())]) == [True]
    assert await engine.enqueue_many([new(idempotency_key="k")]) == [Enqueued(first, deduplicated=True)]
    jump(0)
    assert await engine.enqueue_many([new(idempotency_key="k")]) == [Enqueued(first, deduplicated=True)]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_schedulers_go_by_one_clock_whatever_their_hosts_say(engine, jump, hours):
    before = await engine.standing(["mail"])
    jump(hours * HOUR_S)
    after = await engine.standing(["mail", "news"])
    assert 0 <= after.now - before.now < BOUND_MS
    assert after.last["mail"] == before.last["mail"]
    assert before.now <= after.last["news"] <= after.now
    (one,) = await engine.enqueue_ticks([Tick("mail", after.now + 1, new())])
    jump(0)
    assert await engine.enqueue_ticks([Tick("mail", after.now + 1, new())]) == [None]
    assert await claimed_at_last(engine) == [one.id]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_machine_is_listed_whatever_its_host_says_of_the_time(engine, jump, hours):
    jump(hours * HOUR_S)
    info = {"host": "h", "pid": 1, "role": "all", "topics": (), "slots_total": 1, "slots_busy": 0}
    await engine.announce(WorkerInfo(id="w1", started_at=host_ms(), last_seen_at=host_ms(), **info))
    jump(0)
    (seen,) = await engine.workers()
    assert (seen.id, abs(seen.last_seen_at - host_ms()) < BOUND_MS) == ("w1", True)
