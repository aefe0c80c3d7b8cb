"""Counting dead letters costs the same whether there are three or a million, and is right whatever became of them."""

import asyncio
import json

import asyncpg
import pytest

from contracts.archives import finished
from contracts.engines import DAY_MS, Clock, claim, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.engines.postgres import PostgresArchive, PostgresEngine
from netscript_workers.ports.queue_admin import DeadFilter

pytestmark = pytest.mark.services
BOOM = outcomes.failed("boom")
MANY = """
INSERT INTO netscript.finished (
  seq, token, triggered_at, started_at, completed_at, archive_at, delete_at, queue, priority, attempt, max_attempts, status,
  id, concept, target, topic, triggered_by, payload
)
SELECT
  nextval('netscript.arrival'), 1, n, n, n, 9e15, 9e15, $1, 50, 1, 1, 'failed', 'f' || n, 'job', 'a', 'default', 'manual', '{}'
FROM generate_series(1, 100000) AS n
"""
CHANGES = "SELECT count(*), sum(change) FROM netscript.dead_letters WHERE queue = $1"


@pytest.fixture
async def opened(postgres_server):
    url, clock = postgres_server.new_database(), Clock()
    engine = PostgresEngine(url, clock=clock)
    await engine.open()
    connection = await asyncpg.connect(url)
    yield engine, connection, clock
    await connection.close()
    await engine.close()


async def fail(engine, clock, count):
    await put(engine, *(new() for _ in range(count)))
    claimed = await claim(engine, count)
    assert all(await engine.settle_many([ending(one, BOOM, now=clock.now) for one in claimed]))
    return [one.id for one in claimed]


async def counted(connection, number):
    """What counting has to find out by reading."""
    query = "SELECT count(*) FROM netscript.finished WHERE queue = $1 AND status IN ('failed', 'timeout')"
    return await connection.fetchval(query, number)


async def test_many_dead_letters_are_counted_without_reading_them(opened):
    engine, connection, _ = opened
    await connection.execute(MANY, engine._number, timeout=100)
    assert await engine.count_dead() == 100_000
    for _ in range(6):
        await engine.sweep(10)
    assert (await connection.fetchrow(CHANGES, engine._number))[0] < 50
    await connection.execute("VACUUM netscript.dead_letters")
    call = f"SELECT netscript.count_dead({engine._number})"
    await connection.fetch(call)
    told = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {call}")
    top = json.loads(told)[0]["Plan"]
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 50
    assert await engine.count_dead() == 100_000


async def test_the_count_follows_every_way_in_and_out(opened):
    engine, connection, clock = opened
    ids = await fail(engine, clock, 130)
    assert await engine.count_dead() == 130
    assert await engine.retry_many(ids[:20]) == [True] * 20
    assert await engine.requeue_dead(DeadFilter(ids=tuple(ids[20:30]))) == 10
    assert await engine.purge_dead(DeadFilter(ids=tuple(ids[30:40]))) == 10
    assert await engine.count_dead() == await counted(connection, engine._number) == 90
    await engine.sweep(10)
    assert (await connection.fetchrow(CHANGES, engine._number))[0] == 1
    assert await engine.count_dead() == 90
    clock.move(100 * DAY_MS)
    while (swept := await engine.sweep(50)).archived or swept.deleted:
        pass
    assert await engine.count_dead() == await counted(connection, engine._number) == 0


async def test_the_count_is_right_while_it_is_folded_and_letters_come_and_go(opened):
    engine, connection, clock = opened
    await fail(engine, clock, 60)

    async def come_and_go():
        for _ in range(5):
            ids = await fail(engine, clock, 20)
            await engine.purge_dead(DeadFilter(ids=tuple(ids[:10])))

    async def fold():
        for _ in range(10):
            await engine.sweep(10)

    await asyncio.gather(come_and_go(), fold(), fold())
    assert await engine.count_dead() == await counted(connection, engine._number) == 60 + 5 * 10


async def test_a_settlement_taken_back_counts_nothing(opened):
    engine, connection, clock = opened
    (one,) = await fail(engine, clock, 1)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT netscript.remove($1, ARRAY[$2])", engine._number, one)
    await transaction.rollback()
    assert await engine.count_dead() == 1


async def test_an_erased_queue_leaves_no_count(opened):
    engine, connection, clock = opened
    await fail(engine, clock, 3)
    await engine.erase()
    assert tuple(await connection.fetchrow(CHANGES, engine._number)) == (0, None)


async def test_an_archive_counts_its_dead_letters_too(postgres_server):
    clock = Clock()
    archive = PostgresArchive(postgres_server.new_database(), clock=clock)
    await archive.open()
    records = [finished(clock, Status.FAILED) for _ in range(3)] + [finished(clock)]
    await archive.put_many(records)
    await archive.put_many(records)  # a sweep that was killed is repeated
    assert await archive.count_dead() == 3
    await archive.drop_many([records[0].execution.id, records[3].execution.id])
    assert await archive.count_dead() == 2
    clock.move(100 * DAY_MS)
    assert await archive.drop_due(10) == 2
    assert await archive.count_dead() == 0
    await archive.close()
