"""Claims of named executions: those that an ordinary claim could hand out, and no others."""

import asyncio
import uuid

import pytest

from contracts.engines import Clock, asking, claim, claimed_ids, ending, new, put
from netscript_workers.engines.postgres import PostgresEngine

pytestmark = pytest.mark.services


@pytest.fixture
async def engine(postgres_server, clock):
    engine = PostgresEngine(postgres_server.url, f"ids-{uuid.uuid4()}", clock=clock)
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
def clock():
    return Clock()


async def ids_of(engine, ids, *args, **fields):
    return [one.id for one in await engine.claim_ids(ids, asking(*args, **fields))]


async def test_only_the_named_are_claimed_and_the_others_stay(engine):
    a, b, c = await put(engine, new(), new(priority=90), new())
    assert await ids_of(engine, [a, b, "nobody"]) == [b, a]
    assert await ids_of(engine, [a, b]) == []
    assert await claimed_ids(engine) == [c]


async def test_a_claim_by_id_is_a_claim_like_any_other(engine, clock):
    (one,) = await put(engine)
    (execution,) = await engine.claim_ids([one], asking(worker="w7"))
    assert (execution.attempt, execution.worker_id, execution.started_at) == (1, "w7", clock.now)
    assert await engine.get_many([one]) == [execution]
    assert await engine.settle_many([ending(execution)]) == [True]
    assert await ids_of(engine, [one]) == []


async def test_what_is_not_due_or_paused_or_of_another_topic_is_left(engine, clock):
    late, paused, other, good = await put(
        engine, new(delay_ms=5), new(topic="p"), new(topic="o"), new(topic="p2")
    )
    await engine.pause("p")
    lanes = ((("default", "p", "p2"), 9),)
    every = [late, paused, other, good]
    assert await ids_of(engine, every, 9, *lanes) == [good]
    clock.move(5)
    assert await ids_of(engine, every, 9, *lanes) == [late]


async def test_limits_of_targets_lanes_and_the_claim_hold(engine):
    a = await put(engine, *(new("a") for _ in range(3)))
    b = await put(engine, *(new("b", topic="x") for _ in range(4)))
    assert await ids_of(engine, [*a, *b], 9, (("default",), 9), (("x",), 2), a=1) == [a[0], *b[:2]]
    assert await ids_of(engine, a, 9, a=1) == []
    assert await ids_of(engine, b[2:], 1, (("x",), 9)) == [b[2]]


async def test_no_two_workers_get_the_same_one_and_no_limit_is_overrun(engine, postgres_server, clock):
    ids = await put(engine, *(new("a") for _ in range(30)), *(new("b") for _ in range(30)))
    got = await asyncio.gather(
        *(ids_of(engine, ids, a=4) for _ in range(4)), *(claimed_ids(engine, 20, a=4) for _ in range(4))
    )
    claimed = [one for part in got for one in part]
    assert len(claimed) == len(set(claimed))
    assert len([one for one in claimed if one in ids[:30]]) == 4


async def test_one_that_a_limit_parked_can_be_claimed_by_its_id(engine):
    first, second = await put(engine, new("a"), new("a"))
    (running,) = await claim(engine, a=1)
    assert running.id == first
    await engine.settle_many([ending(running)])
    assert await ids_of(engine, [second], a=1) == [second]
