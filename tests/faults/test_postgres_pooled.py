"""Behind PgBouncer in transaction mode everything works as before; only the waking is a bounded look again and again."""

import asyncio
import contextlib
import logging
import uuid

import pytest

from contracts.engines import BOUND_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain.execution import Status
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue import Claim
from support.pgbouncer import PgBouncer

pytestmark = [pytest.mark.faults, pytest.mark.services]


@pytest.fixture(scope="module")
def bouncer(postgres_server):
    with PgBouncer(postgres_server) as bouncer:
        yield bouncer


@pytest.fixture
async def two(bouncer):
    name = f"pooled-{uuid.uuid4()}"
    async with contextlib.AsyncExitStack() as stack:
        engines = []
        for _ in range(2):
            engine = PostgresEngine(bouncer.url, name)
            await engine.open()
            stack.push_async_callback(engine.close)
            engines.append(engine)
        yield engines


async def test_work_arrives_runs_and_ends(two):
    engine, other = two
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    ids = await put(other, *(new() for _ in range(50)))
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    ending_of_first = asyncio.create_task(other.wait_for_end(ids[:1], BOUND_MS))
    claimed = await claim(engine)
    assert [one.id for one in claimed] == ids
    held = [Claim(claimed[0].id, claimed[0].token)]
    cancelling = asyncio.create_task(engine.wait_for_cancels(held, BOUND_MS))
    await other.cancel_many(ids[:1])
    assert await asyncio.wait_for(cancelling, BOUND_MS / 2000) == ids[:1]
    assert await engine.settle_many([ending(one) for one in claimed]) == [True] * 50
    (record,) = await asyncio.wait_for(ending_of_first, BOUND_MS / 2000)
    assert record.status is Status.COMPLETED
    assert len(await other.find(HistoryQuery(limit=None))) == 50


async def test_many_at_once_share_few_server_connections(two):
    engine, other = two
    ids = await put(engine, *(new() for _ in range(400)))
    got: list[str] = []

    async def work(one) -> None:
        while claimed := await claim(one, 7):
            got.extend(execution.id for execution in claimed)
            await one.settle_many([ending(execution) for execution in claimed])

    await asyncio.gather(*(work(one) for one in (engine, other) * 4))
    assert sorted(got) == sorted(ids)
    assert await claimed_ids(engine) == []


async def test_the_log_says_how_waking_is_replaced(bouncer, caplog):
    engine = PostgresEngine(bouncer.url, f"pooled-{uuid.uuid4()}", shown="the pool")
    with caplog.at_level(logging.WARNING):
        await engine.open()
    await engine.close()
    assert "the pool is reached through a pooler" in caplog.text
