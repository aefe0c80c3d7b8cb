"""Messages without an id that RabbitMQ delivers again over a new link: this process knows them again."""

import asyncio

import pytest

from contracts.amqp import amqp_engines, queue_name
from contracts.engines import BOUND_MS, Clock, claim
from netscript_workers.engines.amqp import intake
from netscript_workers.engines.amqp.messages import Outgoing
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.errors import EngineError

pytestmark = pytest.mark.services


async def until(holds):
    async with asyncio.timeout(BOUND_MS / 1000):
        while not (found := await holds()):
            await asyncio.sleep(0.01)
    return found


@pytest.fixture
async def engine(rabbitmq_server, tmp_path):
    store = DenoKvEngine(tmp_path / "records.db", "jobs", Clock())
    async with amqp_engines(rabbitmq_server, store, name=queue_name()) as (one,):
        assert await claim(one) == []
        yield one


@pytest.fixture
def no_tickets(engine, monkeypatch):
    """Have every ticket fail until told otherwise: what is taken in stays without its acknowledgement."""
    publish, failed = engine._tickets.publish, asyncio.Event()
    broken = True

    async def fail(tickets):
        if broken:
            failed.set()
            raise EngineError("no ticket can be published")
        await publish(tickets)

    def mend():
        nonlocal broken
        broken = False

    monkeypatch.setattr(engine._tickets, "publish", fail)
    return failed, mend


async def lose_the_link(engine):
    number = engine._inbox.keeper.number
    engine._inbox.keeper.link._fail(EngineError("cut by the test"))

    async def is_new():
        return engine._inbox.keeper.number > number and engine._inbox.keeper.alive

    await until(is_new)


async def drained(engine):
    """The queue for other programs is empty, and nothing of it waits here."""
    (told,) = await engine._publishing.link.call(engine._topology.declare_intake())
    return told.message_count == 0 and not engine._intake._came and not engine._inbox._open


async def send(engine, *bodies):
    await engine._publishing.link.publish([Outgoing(engine._topology.intake, body) for body in bodies])


async def test_what_was_recorded_and_not_acknowledged_is_not_run_twice(engine, no_tickets):
    failed, mend = no_tickets
    await send(engine, *[b'{"jobId":"mail"}'] * 3, b'{"jobId":"other"}', b"garbage")
    async with asyncio.timeout(BOUND_MS / 1000):
        await failed.wait()

    async def all_recorded():
        return sum(depth.queued for depth in await engine.depths()) == 4

    await until(all_recorded)
    await lose_the_link(engine)
    mend()
    await until(lambda: drained(engine))
    claimed = await claim(engine, 100)
    assert sorted(one.target for one in claimed) == ["mail", "mail", "mail", "other"]
    assert await engine.count_dead() == 1
    assert len({one.id for one in claimed}) == 4


async def test_alike_messages_that_come_later_are_work_of_their_own(engine, no_tickets, monkeypatch):
    failed, mend = no_tickets
    await send(engine, b'{"jobId":"mail"}')
    async with asyncio.timeout(BOUND_MS / 1000):
        await failed.wait()
    await lose_the_link(engine)
    mend()
    await until(lambda: drained(engine))
    await send(engine, b'{"jobId":"mail"}', b'{"jobId":"mail"}')
    await until(lambda: drained(engine))
    assert len(await claim(engine, 100)) == 3


async def test_what_comes_again_long_after_is_taken_in(engine, no_tickets, monkeypatch):
    monkeypatch.setattr(intake, "AGAIN_S", -1.0)
    failed, mend = no_tickets
    await send(engine, b'{"jobId":"mail"}')
    async with asyncio.timeout(BOUND_MS / 1000):
        await failed.wait()
    await lose_the_link(engine)
    mend()
    await until(lambda: drained(engine))
    assert len(await claim(engine, 100)) == 2, "at least once"
