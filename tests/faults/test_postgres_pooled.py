"""Behind PgBouncer in transaction mode everything works as before; only the waking is a bounded look again and again."""

import asyncio
import contextlib
import logging
import uuid

import asyncpg
import pytest

from contracts.engines import BOUND_MS, LEASE_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain.execution import Status
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.engines.postgres.connection import _PLANNING_LOCALLY
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue import Claim
from netscript_workers.ports.schedules import Tick
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


async def test_schedulers_enqueue_each_tick_once(two):
    targets = [f"t{number}" for number in range(50)]
    now = (await two[0].standing(targets)).now

    async def schedule(one, order) -> int:
        made = 0
        for moment in range(1, 6):
            answers = await one.enqueue_ticks([Tick(target, now + moment, new(target)) for target in order])
            made += len(answers) - answers.count(None)
        return made

    parts = [(one, order) for one in two for order in (targets, targets[::-1])]
    assert sum(await asyncio.gather(*(schedule(*part) for part in parts))) == 250
    assert len(await claimed_ids(two[1], 500)) == 250


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


async def test_a_row_that_a_limit_held_back_is_taken_soon_after_its_target_has_room(two):
    engine, other = two
    ids = await put(engine, *(new() for _ in range(4)))
    (running,) = await claim(engine, mail=1)
    for next_id in ids[1:]:
        assert await claim(other, mail=1) == []
        waiting = asyncio.create_task(take_with_a_limit_of_one(other))
        assert await engine.settle_many([ending(running)]) == [True]
        running = await asyncio.wait_for(waiting, BOUND_MS / 4000)  # none of it is a wait's own end
        assert running.id == next_id


async def take_with_a_limit_of_one(engine):
    while True:
        for one in await claim(engine, mail=1):
            return one
        await engine.wait_for_work(["default"], 10 * BOUND_MS)


async def test_what_a_limit_holds_back_costs_a_few_looks_a_second_and_no_more(two):
    engine, other = two
    await put(engine, new(), new())
    assert len(await claim(engine, mail=1)) == 1
    looks = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            while True:
                assert await claim(other, mail=1) == []
                await other.wait_for_work(["default"], BOUND_MS)
                looks += 1
    assert looks < 30


async def test_a_worker_that_freezes_before_its_commit_holds_the_queue_up_for_seconds_only(bouncer, two):
    engine, _ = two
    ids = await put(engine, *(new() for _ in range(3)))
    frozen = await asyncpg.connect(bouncer.url, statement_cache_size=0)
    await frozen.execute("BEGIN")
    await frozen.execute(_PLANNING_LOCALLY)
    request = ["frozen", LEASE_MS, 3, [0], ["default"], [3], ["mail"], [3]]
    assert len(await frozen.fetch(statement("claim"), engine._number, *request, 77, None)) == 3
    got: list[str] = []
    async with asyncio.timeout(40):
        while not got:
            with contextlib.suppress(EngineError):  # whoever waits for the limit's lock gives up after 8 s
                got = await claimed_ids(engine, mail=3)
    assert got == ids
    frozen.terminate()


async def test_every_transaction_ends_by_itself_when_its_process_freezes(two):
    engine, _ = two
    question = "SELECT current_setting('idle_in_transaction_session_timeout')"
    assert [tuple(row) for row in await engine._connections.run(question)] == [("15s",)]
    assert await engine._connections.transaction(lambda one: one.fetchval(question)) == "15s"


async def test_the_log_says_how_waking_is_replaced(bouncer, caplog):
    engine = PostgresEngine(bouncer.url, f"pooled-{uuid.uuid4()}", shown="the pool")
    with caplog.at_level(logging.WARNING):
        await engine.open()
    await engine.close()
    assert "the pool is reached through a pooler" in caplog.text
