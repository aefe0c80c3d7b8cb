"""Enqueues that meet each other, a settlement, or a clock that is wrong."""

import asyncio
import uuid

import asyncpg
import pytest

from contracts.engines import DAY_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain.execution import Enqueued, Status
from netscript_workers.engines.postgres import PostgresEngine, settling
from netscript_workers.engines.postgres.statements import statement

pytestmark = pytest.mark.services


@pytest.fixture
async def engine(postgres_server):
    engine = PostgresEngine(postgres_server.url, f"enqueue-{uuid.uuid4()}")
    await engine.open()
    yield engine
    await engine.close()


async def test_an_id_that_is_being_settled_does_not_run_again(postgres_server, engine):
    again, fresh = new(), new()
    await put(engine, again)
    (execution,) = await claim(engine)
    connection = await asyncpg.connect(postgres_server.url)
    async with connection.transaction():
        parameters = settling.parameters(engine._number, [ending(execution)], [12345], None, repeated=False)
        await connection.fetch(statement("settle"), *parameters)
        enqueueing = asyncio.create_task(engine.enqueue_many([fresh, again]))
        await until_somebody_waits(postgres_server)
    await connection.close()
    assert await enqueueing == [Enqueued(fresh.id), Enqueued(again.id, deduplicated=True)]
    assert await claimed_ids(engine) == [fresh.id]
    (record,) = await engine.get_many([again.id])
    assert record.status is Status.COMPLETED


async def until_somebody_waits(server):
    question = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    connection = await asyncpg.connect(server.url)
    async with asyncio.timeout(8):
        while not await connection.fetchval(question):
            await asyncio.sleep(0.01)
    await connection.close()


async def test_batches_of_the_same_ids_in_another_order_do_not_lock_each_other_out(engine):
    for _ in range(5):
        batch = [new() for _ in range(800)]
        orders = [batch, batch[::-1], batch, batch[::-1]]
        answers = await asyncio.gather(*(engine.enqueue_many(order) for order in orders))
        assert sum(not answer.deduplicated for told in answers for answer in told) == 800


async def test_what_is_stored_by_its_id_is_handed_out_as_it_was_given(engine):
    ids = await put(engine, *(new(id=name) for name in ("c", "a", "b", "ä", "B")))
    assert await claimed_ids(engine) == ids


@pytest.mark.parametrize("days", [-2, 2])
async def test_a_key_is_held_by_the_servers_clock_however_wrong_the_workers_is(engine, days):
    host = (await now_of(engine)) + days * DAY_MS
    (first,) = await put(engine, new(idempotency_key="k"))
    (execution,) = await claim(engine)
    await engine.settle_many([ending(execution, now=host)])
    assert await engine.enqueue_many([new(idempotency_key="k")]) == [Enqueued(first, deduplicated=True)]
    table = "UPDATE netscript.finished SET keyed_at = keyed_at - $2 WHERE queue = $1"
    await engine._connections.run(table, engine._number, DAY_MS)
    assert (await put(engine, new(idempotency_key="k"))) != [first]


async def now_of(engine) -> int:
    return (await engine._connections.run("SELECT netscript.now_ms()"))[0][0]
