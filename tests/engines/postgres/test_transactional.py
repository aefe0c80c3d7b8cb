"""What is enqueued in a caller's transaction appears with its commit, wakes workers then, and vanishes with its rollback."""

import asyncio
import uuid

import psycopg
import pytest

from contracts.engines import BOUND_MS, claimed_ids
from netscript_workers import Client, SyncClient, Trigger, job
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.testing.handlers import catalog_of
from support.transactions import KINDS

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
