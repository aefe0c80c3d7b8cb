"""What is enqueued in a caller's transaction appears with its commit, wakes workers then, and vanishes with its rollback."""

import asyncio
import contextlib
import uuid

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from contracts.engines import BOUND_MS, claimed_ids
from netscript_workers import Client, SyncClient, Trigger, job
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.errors import UsageError
from netscript_workers.testing.handlers import catalog_of

pytestmark = pytest.mark.services


@job("note")
def note(ctx):
    return None


CATALOG = catalog_of([note])


def alchemy(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://")


@contextlib.asynccontextmanager
async def over_asyncpg(url):
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection, transaction.commit, transaction.rollback
    await connection.close()


@contextlib.asynccontextmanager
async def over_asyncpg_pool(url):
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection, transaction.commit, transaction.rollback


@contextlib.asynccontextmanager
async def over_psycopg(url):
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        yield connection, connection.commit, connection.rollback


@contextlib.asynccontextmanager
async def over_blocking_psycopg(url):
    with psycopg.connect(url) as connection:
        yield connection, awaitable(connection.commit), awaitable(connection.rollback)


@contextlib.asynccontextmanager
async def over_async_connection(url):
    engine = create_async_engine(alchemy(url, "asyncpg"), poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection, connection.commit, connection.rollback
    await engine.dispose()


@contextlib.asynccontextmanager
async def over_async_session(url):
    engine = create_async_engine(alchemy(url, "psycopg"), poolclass=NullPool)
    async with AsyncSession(engine) as session:
        yield session, session.commit, session.rollback
    await engine.dispose()


@contextlib.asynccontextmanager
async def over_session(url):
    engine = create_engine(alchemy(url, "psycopg"), poolclass=NullPool)
    with Session(engine) as session:
        yield session, awaitable(session.commit), awaitable(session.rollback)
    engine.dispose()


def awaitable(call):
    async def do():
        call()

    return do


KINDS = [
    over_asyncpg,
    over_asyncpg_pool,
    over_psycopg,
    over_blocking_psycopg,
    over_async_connection,
    over_async_session,
    over_session,
]


@pytest.fixture
async def engine(postgres_server):
    engine = PostgresEngine(postgres_server.url, f"transactional-{uuid.uuid4()}")
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def client(engine):
    async with Client(engine=engine, catalog=CATALOG) as client:
        yield client


@pytest.mark.parametrize("over", KINDS)
async def test_it_appears_with_the_commit_and_wakes_whoever_waits(postgres_server, engine, client, over):
    async with over(postgres_server.url) as (connection, commit, _):
        assert await claimed_ids(engine) == []
        waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
        one = await client.trigger(
            "note", {"a": "\u00e9"}, correlation_id="c", connection=connection, idempotency_key="k"
        )
        many = await client.trigger_many("note", [{"n": n} for n in range(3)], connection=connection)
        again = await client.trigger("note", idempotency_key="k", connection=connection)
        assert (again.id, again.deduplicated, one.deduplicated) == (one.id, True, False)
        assert await claimed_ids(engine) == []
        await commit()
        await asyncio.wait_for(waiting, BOUND_MS / 2000)
    assert await claimed_ids(engine) == [one.id, *(each.id for each in many)]
    record = await client.get(one.id)
    assert (record.decoded_payload(), record.correlation_id) == ({"a": "\u00e9"}, "c")


@pytest.mark.parametrize("over", KINDS)
async def test_it_vanishes_with_the_rollback(postgres_server, engine, client, over):
    async with over(postgres_server.url) as (connection, _, roll_back):
        await client.trigger_many([Trigger("note", {"n": 1}), Trigger("note")], connection=connection)
        await roll_back()
    assert await claimed_ids(engine) == []


def test_the_sync_twin_does_the_same_in_the_calling_thread(postgres_server, tmp_path):
    jobs = tmp_path / "workers" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "note.py").write_text("from netscript_workers import job\n\n\n@job('note')\ndef note(ctx): ...\n")
    (tmp_path / "config.toml").write_text(
        f'queue_provider = "postgres"\nqueue_name = "sync-{uuid.uuid4()}"\n'
        f'[connections]\ndatabase_url = "{postgres_server.url}"\n'
    )
    with (
        SyncClient(tmp_path / "config.toml") as client,
        psycopg.connect(postgres_server.url) as connection,
    ):
        one = client.trigger("note", {"n": 1}, connection=connection)
        connection.rollback()
        assert client.executions() == []
        client.trigger("note", {"n": 1}, connection=connection)
        client.trigger_many("note", [{"n": 2}], connection=connection)
        connection.commit()
        assert [each.decoded_payload() for each in client.executions()] == [{"n": 2}, {"n": 1}]
        assert one.id not in {each.id for each in client.executions()}


async def test_a_connection_outside_a_transaction_is_refused(postgres_server, client):
    connection = await asyncpg.connect(postgres_server.url)
    with pytest.raises(UsageError, match="in no transaction"):
        await client.trigger("note", connection=connection)
    await connection.close()
    async with await psycopg.AsyncConnection.connect(postgres_server.url, autocommit=True) as other:
        with pytest.raises(UsageError, match="in no transaction"):
            await client.trigger("note", connection=other)


def test_the_sync_twin_refuses_a_connection_of_another_loop(postgres_server, tmp_path):
    async def ask() -> None:
        connection = await asyncpg.connect(postgres_server.url)
        try:
            with SyncClient(engine=MemoryEngine(), catalog=CATALOG) as client:
                client.trigger("note", connection=connection)
        finally:
            await connection.close()

    with pytest.raises(UsageError, match="a connection that blocks"):
        asyncio.run(ask())


async def test_something_that_is_no_connection_is_refused(client):
    with pytest.raises(UsageError, match=r"not a builtins\.object"):
        await client.trigger("note", connection=object())


async def test_another_queue_says_that_it_cannot():
    async with Client(engine=MemoryEngine(), catalog=CATALOG) as client:
        with pytest.raises(UsageError, match="needs the queue in PostgreSQL"):
            await client.trigger("note", connection=object())
