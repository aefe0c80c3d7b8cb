"""RabbitMQ away, restarted, paused, cut off, alarmed, emptied: an error that says so, within a bound, and nothing lost."""

import asyncio
import contextlib
import time

import pytest
from pamqp import commands

from contracts.amqp import bare_link, delete_queues, queue_name
from contracts.engines import BOUND_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.engines.amqp import Address, AmqpEngine
from netscript_workers.engines.amqp.queue import LOOK_AGAIN_MS
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError
from support.proxy import proxied
from support.server_kinds import RabbitServer
from support.servers import free_port

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(150)]
BOOM = outcomes.failed("boom")


@pytest.fixture(scope="module")
def server():
    """A RabbitMQ that these tests may stop and pause; each leaves it running and well."""
    with RabbitServer() as rabbit:
        yield rabbit


@contextlib.asynccontextmanager
async def serving(server, tmp_path, port=None, name=None):
    name = name or queue_name()
    url = f"amqp://guest:guest@127.0.0.1:{port or server.port}/?heartbeat=2"
    engine = AmqpEngine(DenoKvEngine(tmp_path / "records.db"), Address.parse(url), name)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()
        await delete_queues(server, name)


async def until(holds, seconds=BOUND_MS / 1000):
    """Call until the answer is truthy; an `EngineError` on the way is no answer."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(EngineError):
                if found := await holds():
                    return found
            await asyncio.sleep(0.02)


async def failing(call, seconds=20):
    """Call until it fails, and return the error with how long that call took."""
    async with asyncio.timeout(seconds * 2):
        while True:
            begun = time.monotonic()
            try:
                await call()
            except EngineError as error:
                return error, time.monotonic() - begun
            await asyncio.sleep(0.02)


async def enqueued(engine):
    return await put(engine, new())


async def waited(engine):
    await engine.wait_for_work(["default"], BOUND_MS)
    return True


async def test_a_server_that_is_not_there_is_told_with_place_and_cure(tmp_path):
    port = free_port()
    engine = AmqpEngine(
        DenoKvEngine(tmp_path / "records.db"), Address.parse(f"amqp://me:hunter2@127.0.0.1:{port}/jobs")
    )
    with pytest.raises(EngineUnavailableError) as told:
        await engine.open()
    words = str(told.value)
    assert f"127.0.0.1:{port}" in words
    assert "vhost “jobs”" in words
    assert "AMQP_URL" in words
    assert "hunter2" not in words
    await engine.close()


@pytest.mark.parametrize(
    ("where", "words"),
    [("guest:wrong@127.0.0.1:{}/", "ACCESS_REFUSED"), ("guest:guest@127.0.0.1:{}/nowhere", "nowhere")],
)
async def test_a_login_or_a_vhost_that_is_refused_is_told(server, tmp_path, where, words):
    engine = AmqpEngine(DenoKvEngine(tmp_path / "r.db"), Address.parse("amqp://" + where.format(server.port)))
    with pytest.raises(EngineUnavailableError, match=words):
        await engine.open()


async def test_a_queue_made_with_other_arguments_is_told(server, tmp_path):
    name = queue_name()
    async with bare_link(server) as link:
        await link.call(commands.Queue.Declare(queue=name, durable=False))
    with pytest.raises(EngineFormatError, match="other arguments"):
        async with serving(server, tmp_path, name=name):
            raise AssertionError
    await delete_queues(server, name)


async def test_a_server_that_speaks_no_amqp_is_told(tmp_path):
    async def babble(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
        await writer.drain()
        writer.close()

    babbler = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = babbler.sockets[0].getsockname()[1]
    engine = AmqpEngine(DenoKvEngine(tmp_path / "r.db"), Address.parse(f"amqp://127.0.0.1:{port}"))
    with pytest.raises(EngineUnavailableError, match="AMQP"):
        await engine.open()
    babbler.close()
    await babbler.wait_closed()


@pytest.mark.slow
async def test_after_a_restart_it_reconnects_and_finds_what_was_enqueued_meanwhile(server, tmp_path):
    async with serving(server, tmp_path) as engine:
        assert await claim(engine) == []
        waiting = asyncio.create_task(waited(engine))
        await asyncio.to_thread(server.stop)
        with pytest.raises(EngineError):
            await asyncio.wait_for(waiting, BOUND_MS / 1000)
        error, took = await failing(lambda: enqueued(engine))
        assert took < 1
        assert str(server.port) in str(error)
        ids = await put(engine._store, new())  # recorded, and nobody could be told
        assert await claimed_ids(engine) == ids  # what is recorded can be claimed all the same
        (late,) = await put(engine._store, new())
        await asyncio.to_thread(server.start)
        await until(lambda: waited(engine))
        assert await claimed_ids(engine) == [late]
        await until(lambda: enqueued(engine))


@pytest.mark.slow
async def test_a_paused_server_is_an_error_within_fifteen_seconds_and_work_goes_on_after_it(server, tmp_path):
    async with serving(server, tmp_path) as engine:
        assert await claim(engine) == []
        waiting = asyncio.create_task(waited(engine))
        await asyncio.sleep(0)
        await asyncio.to_thread(server.pause)
        try:
            begun = time.monotonic()
            before = await asyncio.wait_for(put(engine, new()), 15)  # recorded, though nobody could be told
            _, took = await failing(lambda: enqueued(engine))
            assert took < 15
            assert time.monotonic() - begun < 30
            with pytest.raises(EngineError):
                await asyncio.wait_for(waiting, 15)
        finally:
            await asyncio.to_thread(server.resume)
        await until(lambda: waited(engine), 60)
        assert set(before) <= set(await claimed_ids(engine))


@pytest.mark.slow
async def test_an_alarm_is_an_error_that_says_so_and_claims_and_settlements_go_on(server, tmp_path):
    async with serving(server, tmp_path) as engine:
        (first,) = await put(engine, new())
        await asyncio.to_thread(server.ctl, "set_vm_memory_high_watermark", "0.00001")
        try:
            error, took = await failing(lambda: enqueued(engine))
            assert "alarm" in str(error)
            assert "memory" in str(error)
            assert took < 15
            claimed = await claim(engine)
            assert first in {one.id for one in claimed}
            assert all(await engine.settle_many([ending(one) for one in claimed]))
        finally:
            await asyncio.to_thread(server.ctl, "set_vm_memory_high_watermark", "0.4")
        (late,) = await until(lambda: enqueued(engine))
        await until(lambda: waited(engine))
        assert late in await claimed_ids(engine)


async def test_a_cut_between_claim_and_settlement_loses_nothing(server, tmp_path):
    async with proxied(server.port) as proxy, serving(server, tmp_path, proxy.port) as engine:
        (one,) = await put(engine, new())
        (execution,) = await claim(engine)
        proxy.cut()
        assert await engine.settle_many([ending(execution)]) == [True]
        await until(lambda: enqueued(engine))
        await until(lambda: waited(engine))
        assert one not in await claimed_ids(engine)
        (record,) = await engine.get_many([one])
        assert record.status is Status.COMPLETED


async def test_a_cut_between_settlement_and_ticket_is_made_up_for(server, tmp_path):
    async with proxied(server.port) as proxy, serving(server, tmp_path, proxy.port) as engine:
        (one,) = await put(engine, new())
        (execution,) = await claim(engine)
        await engine.wait_for_work(["default"], 1)
        proxy.refusing = True
        proxy.cut()
        assert await engine.settle_many([ending(execution, BOOM, attempts=2)]) == [True]
        await failing(lambda: enqueued(engine))
        proxy.refusing = False
        async with serving(
            server, tmp_path, name=engine._topology.intake
        ) as other:  # hears of it by its ticket
            await until(lambda: waited(other))
            assert one in await claimed_ids(other)


async def test_what_is_held_when_the_connection_is_cut_wakes_another_worker(server, tmp_path):
    name = queue_name()
    async with (
        proxied(server.port) as proxy,
        serving(server, tmp_path, proxy.port, name) as engine,
        serving(server, tmp_path, name=name) as other,
    ):
        assert await claim(other) == []
        await put(engine, new())
        await engine.wait_for_work(["default"], BOUND_MS)  # its ticket is here now
        proxy.refusing = True
        proxy.cut()
        await asyncio.wait_for(other.wait_for_work(["default"], BOUND_MS), BOUND_MS / 2000)
        assert len(await claim(other)) == 1


@pytest.mark.slow
async def test_work_whose_ticket_was_lost_is_found_all_the_same(server, tmp_path):
    async with serving(server, tmp_path) as engine:
        assert await claim(engine) == []
        waiting = asyncio.create_task(waited(engine))
        (one,) = await put(engine._store, new())  # as if killed before the ticket was published
        await asyncio.wait_for(waiting, LOOK_AGAIN_MS / 1000 * 1.5)
        assert await claimed_ids(engine) == [one]


async def test_a_queue_that_is_deleted_under_a_waiting_worker_is_made_again(server, tmp_path):
    async with serving(server, tmp_path) as engine:
        assert await claim(engine) == []
        waiting = asyncio.create_task(waited(engine))
        ready, intake = engine._topology.ready("default"), engine._topology.intake

        async def consumed():
            return f"{ready}\t1" in await asyncio.to_thread(server.ctl, "list_queues", "name", "consumers")

        await until(consumed)
        async with bare_link(server) as link:
            await link.call(commands.Queue.Delete(queue=ready), commands.Queue.Delete(queue=intake))
        await asyncio.wait_for(waiting, BOUND_MS / 1000)
        assert await claim(engine) == []
        waiting = asyncio.create_task(waited(engine))
        (one,) = await put(engine, new())
        await asyncio.wait_for(waiting, BOUND_MS / 2000)
        assert await claimed_ids(engine) == [one]
        async with bare_link(server) as link:
            await link.call(commands.Queue.Declare(queue=intake, passive=True))
