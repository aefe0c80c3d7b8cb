"""Connections that break at the worst moment: nothing is lost, nothing is applied twice, nothing hangs."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from contracts.engines import BOUND_MS, LEASE_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.engines.redis import RedisEngine, connection, records
from netscript_workers.errors import EngineError, EngineUnavailableError
from netscript_workers.ports.queue import Claim
from support.proxies import CuttingProxy, cutting_proxy
from support.redis_queues import OwnQueue, own
from support.servers import exchange

pytestmark = [pytest.mark.faults, pytest.mark.services]
BOOM = outcomes.failed("boom")


@pytest.fixture
def queue(redis_server):
    with own(redis_server) as queue:
        yield queue


@pytest.fixture
async def proxy(redis_server) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
async def engine(proxy: CuttingProxy, queue: OwnQueue) -> AsyncIterator[RedisEngine]:
    """An engine behind the proxy. The server knows its scripts: a lost answer is never just the word that one is unknown."""
    engine = RedisEngine(f"redis://127.0.0.1:{proxy.port}/0", queue.name)
    await engine.open()
    for verb in ("claim", "settle"):
        await engine._server.call("SCRIPT", "LOAD", engine._server._scripts[verb].text)
    yield engine
    await engine.close()


def digest(engine: RedisEngine, verb: str) -> bytes:
    return engine._server._scripts[verb].digest.encode()


async def test_a_settlement_whose_answer_was_lost_is_told_as_applied_when_it_is_said_again(engine, proxy):
    await put(engine, new(), new(), new())
    settlements = [ending(one) for one in await claim(engine)]
    settlements[1] = ending((await engine.get_many([settlements[1].execution_id]))[0], BOOM, attempts=3)
    proxy.lose_answer_to(digest(engine, "settle"))
    with pytest.raises(EngineError, match="failed"):
        await engine.settle_many(settlements)
    assert proxy.cuts == 1
    assert (await engine.get_many([settlements[0].execution_id]))[0].status is Status.COMPLETED
    assert await engine.settle_many(settlements) == [True, True, True]
    assert await engine.settle_many(settlements) == [False, False, False]
    records = await engine.get_many([one.execution_id for one in settlements])
    assert [one.status for one in records] == [Status.COMPLETED, Status.QUEUED, Status.COMPLETED]
    assert len(await engine.attempts(settlements[1].execution_id)) == 1


async def test_a_settlement_said_again_is_known_even_when_its_execution_was_claimed_meanwhile(
    engine, proxy, queue
):
    await put(engine)
    (mine,) = await claim(engine)
    settlement = ending(mine, BOOM, attempts=3)
    proxy.lose_answer_to(digest(engine, "settle"))
    with pytest.raises(EngineError):
        await engine.settle_many([settlement])
    other = RedisEngine(queue.url, queue.name)
    await other.open()
    (theirs,) = await claim(other, worker="w2")
    assert await engine.settle_many([settlement]) == [True]
    assert await other.settle_many([ending(theirs)]) == [True]
    await other.close()


async def test_a_settlement_that_never_arrived_is_applied_when_it_is_said_again(engine, proxy):
    await put(engine)
    (mine,) = await claim(engine)
    await engine.settle_many([])
    await engine.settle_many([ending(mine, BOOM, attempts=3)])
    (again,) = await claim(engine)
    proxy.lose_request(digest(engine, "settle"))
    with pytest.raises(EngineError):
        await engine.settle_many([ending(again)])
    assert await engine.settle_many([ending(again)]) == [True]


async def test_one_that_somebody_else_settled_meanwhile_is_told_as_taken_over(engine, proxy, queue):
    await put(engine)
    (mine,) = await claim(engine, lease_ms=1)
    proxy.lose_request(digest(engine, "settle"))
    with pytest.raises(EngineError):
        await engine.settle_many([ending(mine)])
    other = RedisEngine(queue.url, queue.name)
    await other.open()
    async with asyncio.timeout(BOUND_MS / 1000):
        while not (taken := await other.take_expired("w2", LEASE_MS, 10)):
            await asyncio.sleep(0.005)
    assert await other.settle_many([ending(taken[0], outcomes.lost("gone"))]) == [True]
    assert await engine.settle_many([ending(mine)]) == [False]
    await other.close()


async def test_what_a_claim_without_an_answer_claimed_goes_back_with_the_next_claim(engine, proxy):
    ids = await put(engine, new(), new())
    await claim(engine, 0)
    proxy.lose_answer_to(digest(engine, "claim"))
    with pytest.raises(EngineError):
        await claim(engine)
    assert {record.status for record in await engine.get_many(ids)} == {Status.RUNNING}
    again = await claim(engine)
    assert [(one.id, one.attempt) for one in again] == [(one, 1) for one in ids]
    (depth,) = await engine.depths()
    assert (depth.queued, depth.running) == (0, 2)


async def test_what_a_cancelled_claim_claimed_goes_back_at_the_close(engine, proxy, queue):
    ids = await put(engine)
    await claim(engine, 0)
    proxy.lose_answer_to(digest(engine, "claim"))
    with pytest.raises(EngineError):
        await claim(engine)
    assert (await engine.get_many(ids))[0].status is Status.RUNNING
    await engine.close()
    other = RedisEngine(queue.url, queue.name)
    await other.open()
    assert await claimed_ids(other) == ids
    await other.close()


async def test_connections_that_were_cut_are_made_again_and_waits_hear_again(engine, proxy, queue):
    await claim(engine)
    await engine.wait_for_work(["default"], 1)
    waiting = asyncio.create_task(engine.wait_for_end(["e"], BOUND_MS))
    await asyncio.sleep(0.05)
    proxy.cut_all()
    other = RedisEngine(queue.url, queue.name)
    await other.open()
    await put(other, new(id="e"))
    await other.cancel_many(["e"])
    async with asyncio.timeout(BOUND_MS / 1000):
        try:
            (record,) = await waiting
        except EngineError:
            (record,) = await engine.wait_for_end(["e"], BOUND_MS)
    assert record.status is Status.CANCELLED
    await other.close()


async def test_a_flushed_script_cache_is_filled_again(engine, queue):
    await put(engine)
    queue.client.script_flush()
    (one,) = await claim(engine)
    queue.client.script_flush()
    assert await engine.settle_many([ending(one)]) == [True]


class DarkProxy:
    """Forwards until `darken`: then what there is stays open and says nothing, and new connections pass."""

    def __init__(self, target):
        self._target, self._generation, self._tasks = target, 0, set()

    def darken(self):
        self._generation += 1

    async def serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        born = self._generation
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [self._pump(reader, to_writer, born), self._pump(to_reader, writer, born)]
        await asyncio.gather(*ways)
        for end in (writer, to_writer):
            end.close()
        self._tasks.discard(asyncio.current_task())

    async def _pump(self, reader, writer, born):
        while data := await reader.read(65536):
            if born == self._generation:
                writer.write(data)
        writer.close()

    async def close(self):
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=10)


@pytest.mark.parametrize("idle", [False, True])
async def test_connections_gone_dark_cost_one_command_at_most(redis_server, queue, monkeypatch, idle):
    dark = DarkProxy(redis_server.port)
    async with await asyncio.start_server(dark.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        engine = RedisEngine(f"redis://127.0.0.1:{port}/0", queue.name)
        await engine.open()
        await asyncio.gather(*(engine.depths() for _ in range(8)))
        monkeypatch.setattr(
            connection, "COMMAND_S", 3.0
        )  # what answers, answers within that on a busy machine too
        if idle:
            monkeypatch.setattr(connection, "_DOUBTED_AFTER_S", 0.0)
            monkeypatch.setattr(connection, "_PING_S", 1.0)
        dark.darken()
        if not idle:
            with pytest.raises(EngineError):
                await engine.depths()
        await engine.depths()
        await engine.close()
        await dark.close()


async def test_a_batch_cut_into_pieces_is_told_as_applied_when_it_is_said_again(engine, proxy, monkeypatch):
    monkeypatch.setattr(records, "BATCH", 2)
    await put(engine, new(), new(), new())
    settlements = [ending(one) for one in await claim(engine)]
    run = engine._run

    async def fail_at_the_second(verb, given, *more):
        if verb == "settle" and len(given[0]) == 1:
            monkeypatch.setattr(engine, "_run", run)
            raise EngineError("the connection failed")
        return await run(verb, given, *more)

    monkeypatch.setattr(engine, "_run", fail_at_the_second)
    with pytest.raises(EngineError):
        await engine.settle_many(settlements)
    assert await engine.settle_many(settlements) == [True, True, True]
    assert await engine.settle_many(settlements) == [False, False, False]


async def test_a_claim_does_not_wait_for_a_bell_that_cannot_be_heard(private_redis):
    server = private_redis()
    right = b"ACL SETUSER w on >pw ~netscript:* &netscript:* +@all -subscribe\r\n"
    assert exchange(server.port, right, 5) == b"+OK\r\n"
    engine = RedisEngine(server.url.replace("//", "//w:pw@"), "jobs")
    await engine.open()
    await put(engine)
    begun = time.monotonic()
    assert len(await claim(engine)) == 1
    assert await claim(engine) == []
    assert time.monotonic() - begun < 1.5
    await engine.close()


@pytest.mark.timeout(90)
async def test_a_paused_server_gives_an_error_within_fifteen_seconds_and_then_goes_on(private_redis):
    server = private_redis()
    engine = RedisEngine(server.url, "jobs")
    await engine.open()
    await put(engine)
    (one,) = await claim(engine)
    server.pause()
    try:
        began = time.monotonic()
        verbs = (
            lambda: engine.settle_many([ending(one)]),
            lambda: engine.extend_many([Claim(one.id, one.token)], LEASE_MS),
            lambda: engine.enqueue_many([new()]),
            engine.depths,
            lambda: RedisEngine(server.url, "jobs").open(),
        )
        errors = await asyncio.gather(*(verb() for verb in verbs), return_exceptions=True)
        assert time.monotonic() - began < 15
        assert all(isinstance(error, EngineError) for error in errors), errors
        assert isinstance(errors[-1], EngineUnavailableError)
    finally:
        server.resume()
    assert await engine.settle_many([ending(one)]) == [True]
    await engine.close()
