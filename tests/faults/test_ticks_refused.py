"""Ticks that a server would not take: nothing is noted that is not enqueued, and the same ticks go in later."""

import asyncio

import pytest

from contracts.amqp import amqp_engines
from contracts.engines import BOUND_MS, claimed_ids, new
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.redis import RedisEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.schedules import Tick
from support.servers import exchange

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(150)]
BIG = b'{"x":"' + b"a" * 20_000 + b'"}'


async def queued(engine) -> int:
    return sum(depth.queued for depth in await engine.depths())


async def test_a_full_redis_neither_notes_nor_enqueues(private_redis):
    server = private_redis("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    engine = RedisEngine(server.url, "jobs")
    await engine.open()
    at = (await engine.standing(["mail"])).now
    refused = None
    while refused is None:
        at += 1
        try:
            await engine.enqueue_ticks([Tick("mail", at, new(payload=BIG))])
        except EngineError as error:
            refused = error
    assert "its memory is full (maxmemory)" in str(refused)
    before = await queued(engine)
    exchange(server.port, b"CONFIG SET maxmemory 64mb\r\n", 5)
    assert (await engine.standing(["mail"])).last["mail"] == at - 1
    (answer,) = await engine.enqueue_ticks([Tick("mail", at, new(payload=BIG))])
    assert answer is not None
    assert await queued(engine) == before + 1
    await engine.close()


async def test_while_rabbitmq_is_away_nothing_is_noted_and_a_tick_without_its_ticket_is_found(
    tmp_path, private_rabbitmq, monkeypatch
):
    server = private_rabbitmq()
    async with amqp_engines(server, DenoKvEngine(tmp_path / "records.db")) as (engine,):
        now = (await engine.standing(["mail"])).now
        monkeypatch.setattr(engine._tickets, "check", lambda: None)  # as if it went away just now
        await asyncio.to_thread(server.stop)
        (answer,) = await engine.enqueue_ticks([Tick("mail", now + 1, new())])
        assert answer is not None, "recorded, whatever became of its ticket"
        assert await engine.enqueue_ticks([Tick("mail", now + 1, new())]) == [None]
        monkeypatch.undo()
        later = Tick("mail", now + 2, new())
        with pytest.raises(EngineError):
            await engine.enqueue_ticks([later])
        assert (await engine.standing(["mail"])).last["mail"] == now + 1
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(BOUND_MS / 1000):
            while True:
                try:
                    (again,) = await engine.enqueue_ticks([later])
                    break
                except EngineError:
                    await asyncio.sleep(0.05)
        assert again is not None
        assert await claimed_ids(engine) == [answer.id, again.id]
