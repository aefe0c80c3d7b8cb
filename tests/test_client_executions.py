"""Looking after executions with the client, over the memory engine."""

import asyncio

import pytest

from netscript_workers import Client, job
from netscript_workers.domain.execution import Status
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import IllegalMoveError, UnknownExecutionError, UsageError, WaitTimeoutError
from netscript_workers.testing import LocalWorker
from netscript_workers.testing.handlers import catalog_of


@job("bill", topic="bills")
async def bill(ctx, order: dict):
    return {"billed": order["order_id"]}


@job("note")
def note(ctx):
    ctx.log.info("noted %s", ctx.payload)


@pytest.fixture
async def client():
    async with Client(engine=MemoryEngine(), catalog=catalog_of([bill, note])) as opened:
        yield opened


async def test_waiting_ends_with_the_execution():
    async with LocalWorker(bill, note) as worker:
        enqueued = await worker.trigger("bill", {"order_id": "A", "amount": 1})
        waiting = asyncio.ensure_future(worker.wait(enqueued.id, "30s"))
        await worker.drain()
        record = await waiting
        assert (record.status, record.decoded_result()) == (Status.COMPLETED, {"billed": "A"})
        assert (await worker.wait(enqueued.id, 1)).status is Status.COMPLETED


async def test_waiting_has_a_bound(client):
    enqueued = await client.trigger("note")
    with pytest.raises(WaitTimeoutError, match=r"still queued after 20 ms"):
        await client.wait(enqueued.id, 20)


async def test_an_unknown_execution_is_told(client):
    missing = "01938f6e-0000-7000-8000-000000000001"
    for call in (client.get, client.wait, client.cancel, client.retry, client.logs):
        with pytest.raises(UnknownExecutionError, match=missing):
            await call(missing)


async def test_a_waiting_execution_is_cancelled_and_a_finished_one_retried(client):
    enqueued = await client.trigger("note")
    with pytest.raises(IllegalMoveError, match="queued"):
        await client.retry(enqueued.id)
    assert await client.cancel(enqueued.id) is Status.QUEUED
    assert (await client.get(enqueued.id)).status is Status.CANCELLED
    with pytest.raises(IllegalMoveError, match="cancelled"):
        await client.cancel(enqueued.id)
    await client.retry(enqueued.id)
    assert (await client.get(enqueued.id)).status is Status.QUEUED


async def test_executions_are_found_by_what_is_known_of_them(client):
    first = await client.trigger("note", correlation_id="c")
    await client.trigger("bill", {"order_id": "A", "amount": 1})
    later = await client.trigger("note", delay="1h")
    assert [record.id for record in await client.executions(job="note")] == [later.id, first.id]
    assert [record.id for record in await client.executions(correlation_id="c")] == [first.id]
    assert [record.id for record in await client.executions(status="pending")] == [later.id]
    assert [record.target for record in await client.executions(topic="bills")] == ["bill"]
    assert len(await client.executions(limit=2)) == 2
    assert len(await client.executions(limit=None)) == 3
    with pytest.raises(UsageError, match="status must be one of"):
        await client.executions(status="done")
    with pytest.raises(UsageError, match="limit must be"):
        await client.executions(limit=0)


async def test_the_log_of_a_run_can_be_read():
    async with LocalWorker(note) as worker:
        enqueued = await worker.trigger("note", {"a": 1})
        await worker.drain()
        assert [line.line for line in await worker.logs(enqueued.id)] == ["noted {'a': 1}"]


async def test_the_targets_are_listed(client):
    assert list(await client.targets()) == ["bill", "note"]
