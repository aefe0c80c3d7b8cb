"""Connections in which an enqueue could not keep its promise are refused, and a key that is held says so."""

import asyncio
import uuid

import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from contracts.engines import claimed_ids
from netscript_workers import Client, SyncClient, job
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.errors import KeyHeldError, UsageError
from netscript_workers.testing.handlers import catalog_of
from support.transactions import KINDS, alchemy, over_async_connection, over_asyncpg

pytestmark = pytest.mark.services


@job("note")
def note(ctx):
    return None


CATALOG = catalog_of([note])


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


@pytest.mark.parametrize("of", [Session, None])
async def test_a_sqlalchemy_connection_that_commits_by_itself_is_refused(postgres_server, engine, client, of):
    there = create_engine(
        alchemy(postgres_server.url, "psycopg"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with (
        Session(there) if of else there.connect() as connection,
        pytest.raises(UsageError, match="commits by itself"),
    ):
        await client.trigger("note", connection=connection)
    there.dispose()
    assert await claimed_ids(engine) == []


@pytest.mark.parametrize("of", [AsyncSession, None])
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_an_async_sqlalchemy_connection_that_commits_by_itself_is_refused(
    postgres_server, engine, client, of, driver
):
    there = create_async_engine(
        alchemy(postgres_server.url, driver), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    async with AsyncSession(there) if of else there.connect() as connection:
        with pytest.raises(UsageError, match="commits by itself"):
            await client.trigger("note", connection=connection)
    await there.dispose()
    assert await claimed_ids(engine) == []


async def test_a_cursor_and_a_pool_are_refused(postgres_server, client):
    with (
        psycopg.connect(postgres_server.url) as connection,
        connection.cursor() as cursor,
        pytest.raises(UsageError, match=r"not a psycopg\.Cursor"),
    ):
        await client.trigger("note", connection=cursor)
    async with asyncpg.create_pool(postgres_server.url, min_size=1, max_size=1) as pool:
        # It has an `execute` of its own, each on whichever connection is free.
        with pytest.raises(UsageError, match=r"not a asyncpg\.pool\.Pool"):
            await client.trigger("note", connection=pool)


@pytest.mark.parametrize("over", [each for each in KINDS if each is not over_async_connection])
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
async def test_a_key_in_a_transaction_that_cannot_see_who_has_it_is_refused(
    postgres_server, engine, client, over, level
):
    url = f"{postgres_server.url}?options=-cdefault_transaction_isolation%3D{level.replace(' ', '%5C%20')}"
    async with over(url) as (connection, _, roll_back):
        await client.trigger("note", connection=connection)
        with pytest.raises(UsageError, match=f"READ COMMITTED only, and this one is {level}"):
            await client.trigger("note", connection=connection, idempotency_key="k")
        await roll_back()
    assert await claimed_ids(engine) == []


async def test_a_key_that_an_open_transaction_holds_fails_its_own_trigger_and_no_other(
    postgres_server, engine, client
):
    async with over_asyncpg(postgres_server.url) as (connection, _, roll_back):
        held = await client.trigger("note", idempotency_key="k", connection=connection)
        calls = [
            client.trigger("note", idempotency_key="k"),
            client.trigger("note"),
            client.trigger("note", idempotency_key="other"),
            client.trigger("note", idempotency_key="k"),
            client.trigger("note"),
        ]
        first, *rest = (asyncio.create_task(call) for call in calls)
        plain = {rest[0], rest[3]}
        await asyncio.wait({first, *rest}, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait(plain, timeout=4)  # long before the key's wait is over
        assert done == plain
        answers = await asyncio.gather(first, *rest, return_exceptions=True)
        await roll_back()
    errors = [answers[0], answers[3]]
    assert all(
        isinstance(error, KeyHeldError) and (error.target, error.key) == ("note", "k") for error in errors
    )
    assert 'holds the idempotency key "k" of "note"' in str(errors[0])
    stored = [answer.id for place, answer in enumerate(answers) if place not in {0, 3}]
    assert sorted(await claimed_ids(engine)) == sorted(stored)
    assert not (await client.trigger("note", idempotency_key="k")).deduplicated, held


async def test_something_that_is_no_connection_is_refused(client):
    with pytest.raises(UsageError, match=r"not a builtins\.object"):
        await client.trigger("note", connection=object())


async def test_another_queue_says_that_it_cannot():
    async with Client(engine=MemoryEngine(), catalog=CATALOG) as client:
        with pytest.raises(UsageError, match="needs the queue in PostgreSQL"):
            await client.trigger("note", connection=object())
