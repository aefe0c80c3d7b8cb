"""Connections to PostgreSQL that break at the worst moment: nothing is lost, nothing hangs, nothing is done twice."""

import asyncio
import time
import uuid

import asyncpg
import pytest

from contracts.engines import BOUND_MS, LEASE_MS, asking, claim, claimed_ids, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import LogLine, Status
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.errors import EngineError, EngineUnavailableError
from netscript_workers.ports.queue import Claim
from support.swallowing_proxy import Proxy

pytestmark = [pytest.mark.faults, pytest.mark.services]
BOOM = outcomes.failed("boom")


@pytest.fixture
def name() -> str:
    return f"faults-{uuid.uuid4()}"


@pytest.fixture
async def direct(postgres_server, name):
    engine = PostgresEngine(postgres_server.url, name)
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def proxy(postgres_server):
    async with Proxy(postgres_server.url) as proxy:
        yield proxy


@pytest.fixture
async def engine(proxy, name):
    """An engine behind the proxy."""
    engine = PostgresEngine(proxy.url, name)
    await engine.open()
    yield engine
    await engine.close()


async def warm(engine):
    """Have every statement prepared, so that the next one is a single message."""
    await put(engine)
    assert await engine.settle_many([ending(one) for one in await claim(engine)]) == [True]


async def until(holds, seconds=BOUND_MS / 1000):
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.01)


async def persist(call):
    """Do as the worker does: again and again while the engine fails."""
    async with asyncio.timeout(BOUND_MS / 1000):
        while True:
            try:
                return await call()
            except EngineError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("end", ["success", "retry", "dead"])
async def test_a_settlement_whose_answer_was_lost_is_repeated_and_told_applied(engine, direct, proxy, end):
    await warm(engine)
    (one,) = await put(engine, new(max_attempts=3))
    (execution,) = await claim(engine)
    outcome = outcomes.succeeded(b"1") if end == "success" else BOOM
    settlement = ending(execution, outcome, attempts=3 if end == "retry" else 1)
    settlement = type(settlement)(
        **{f: getattr(settlement, f) for f in settlement.__struct_fields__ if f != "lines"},
        lines=(LogLine(1, "log", "INFO", "last words"),),
    )
    proxy.swallowing = True
    settling = asyncio.create_task(engine.settle_many([settlement]))

    async def written() -> bool:
        (record,) = await direct.get_many([one])
        return record.status is not Status.RUNNING

    await until(written)
    proxy.cut()
    with pytest.raises(EngineError):
        await settling
    assert await persist(lambda: engine.settle_many([settlement])) == [True]
    assert await engine.settle_many([settlement]) == [False]
    assert len(await direct.attempts(one)) == 1
    assert len(await direct.logs(one)) == 1


async def test_a_connection_cut_between_claim_and_settle_costs_nothing(engine, direct, proxy):
    await put(engine, *(new() for _ in range(20)))
    claimed = await claim(engine)
    proxy.cut()
    settlements = [ending(one) for one in claimed]
    assert await persist(lambda: engine.settle_many(settlements)) == [True] * 20
    assert await claimed_ids(direct) == []


async def test_a_claim_whose_answer_was_lost_goes_back_and_uses_up_no_attempt(engine, direct, proxy):
    await warm(engine)
    (one,) = await put(engine)
    proxy.swallowing = True
    claiming = asyncio.create_task(claim(engine))

    async def taken() -> bool:
        (record,) = await direct.get_many([one])
        return record.status is Status.RUNNING

    await until(taken)
    proxy.cut()
    with pytest.raises(EngineError):
        await claiming
    (again,) = await persist(lambda: claim(engine))
    assert (again.id, again.attempt) == (one, 1)


async def test_a_cancelled_claim_goes_back(engine, direct, proxy):
    (one,) = await put(engine)
    claiming = asyncio.create_task(claim(engine))
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.wait({claiming})

    async def again() -> list[str]:
        return await claimed_ids(engine)

    got: list[str] = []
    async with asyncio.timeout(BOUND_MS / 1000):
        while not got:
            got = await again()
    assert got == [one]


async def test_a_cancelled_claim_is_undone_by_the_time_the_engine_is_closed(postgres_server, direct, name):
    ids = await put(direct, *(new() for _ in range(3)))
    engine = PostgresEngine(postgres_server.url, name)
    await engine.open()
    claiming = asyncio.create_task(claim(engine))
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.wait({claiming})
    await engine.close()
    assert [(one.id, one.attempt) for one in await claim(direct)] == [(one, 1) for one in ids]


async def test_a_claim_that_the_server_makes_after_its_connection_broke_is_undone(
    postgres_server, engine, direct, proxy
):
    await warm(engine)
    (one,) = await put(engine)
    limited = asking(mail=1)
    holder = await asyncpg.connect(postgres_server.url)
    async with holder.transaction():
        lock = f"hashtextextended('netscript limit:{direct._number}:mail', 0)"
        await holder.execute(f"SELECT pg_advisory_xact_lock({lock})")
        lost = asyncio.create_task(engine.claim_many(limited))

        async def waits() -> bool:
            question = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            return (await direct._connections.run(question))[0][0] > 0

        await until(waits)
        (record,) = await direct.get_many([one])
        before = record.token
        proxy.cut()
        with pytest.raises(EngineError):
            await lost
        assert await persist(lambda: claimed_ids(engine, 1, (("other",), 1))) == []  # gives back, in vain
    await holder.close()

    async def back() -> bool:
        await persist(lambda: claimed_ids(engine, 1, (("other",), 1)))
        (record,) = await direct.get_many([one])
        return record.status is Status.QUEUED and record.attempt == 0

    async def taken() -> bool:
        (record,) = await direct.get_many([one])
        return record.token != before

    await until(taken)
    await until(back)
    assert await claimed_ids(direct) == [one]


async def test_an_ended_backend_is_replaced_and_the_bells_ring_again(postgres_server, direct, name):
    await put(direct)
    assert len(await claim(direct)) == 1
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'netscript-workers' AND pid <> pg_backend_pid()"
    )
    await asyncio.to_thread(postgres_server.sql, kill)
    assert await persist(lambda: claim(direct)) == []
    waiting = asyncio.create_task(persist(lambda: direct.wait_for_work(["default"], BOUND_MS)))
    other = PostgresEngine(postgres_server.url, name)
    await other.open()
    (one,) = await put(other)
    await other.close()
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert await claimed_ids(direct) == [one]


async def test_a_paused_server_is_an_engine_error_within_fifteen_seconds(private_postgres, name):
    server = await asyncio.to_thread(private_postgres)
    engine = PostgresEngine(server.url, name, shown="the paused one")
    await engine.open()
    await put(engine)
    (execution,) = await claim(engine)
    server.pause()
    begun = time.monotonic()
    calls = [
        engine.settle_many([ending(execution)]),
        engine.extend_many([Claim(execution.id, execution.token)], LEASE_MS),
        engine.claim_many(asking()),
        engine.wait_for_work(["default"], BOUND_MS),
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert time.monotonic() - begun < 15
    assert all(isinstance(answer, EngineError) for answer in answers), answers
    assert "the paused one did not answer in time" in str(answers[0])
    other = PostgresEngine(server.url, name, shown="the paused one")
    with pytest.raises(EngineUnavailableError, match="did not answer in time"):
        await other.open()
    server.resume()
    assert await persist(lambda: engine.settle_many([ending(execution)])) == [True]
    await engine.close()


async def test_a_server_that_takes_no_writes_is_outlasted(private_postgres, name):
    server = await asyncio.to_thread(private_postgres)
    engine = PostgresEngine(server.url, name)
    await engine.open()
    (one,) = await put(engine)
    (execution,) = await claim(engine)
    for value in ("on", "off"):
        await asyncio.to_thread(server.sql, f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        await asyncio.to_thread(server.sql, "SELECT pg_reload_conf()")
        if value == "on":

            async def refused() -> bool:
                try:
                    await put(engine)
                except EngineError as error:
                    return "takes no writes" in str(error)
                return False

            await until(refused)
            with pytest.raises(EngineError, match="takes no writes"):
                await engine.settle_many([ending(execution)])
    assert await persist(lambda: engine.settle_many([ending(execution)])) == [True]
    (record,) = await engine.get_many([one])
    assert record.status is Status.COMPLETED
    await engine.close()


async def test_a_restarted_server_is_reached_again(private_postgres, name):
    server = await asyncio.to_thread(private_postgres)
    engine = PostgresEngine(server.url, name)
    await engine.open()
    ids = await put(engine, *(new() for _ in range(3)))
    await asyncio.to_thread(server.kill)
    with pytest.raises(EngineError):
        await engine.claim_many(asking())
    await asyncio.to_thread(server.start)
    claimed = await persist(lambda: claim(engine))
    assert [one.id for one in claimed] == ids
    assert await engine.settle_many([ending(one) for one in claimed]) == [True] * 3
    await engine.close()


@pytest.mark.parametrize(
    ("path", "words"),
    [("nowhere", "has no such database"), ("postgres?sslmode=require", "cannot be reached|does not let")],
)
async def test_what_cannot_be_opened_says_why_and_prints_no_password(postgres_server, path, words):
    url = postgres_server.url_of(path).replace("postgres@", "postgres:sesame@")
    engine = PostgresEngine(url, shown="postgresql://***@host/x")
    with pytest.raises(EngineUnavailableError, match=words) as raised:
        await engine.open()
    assert "sesame" not in str(raised.value)
    assert "database_url" in str(raised.value) or "createdb" in str(raised.value)
