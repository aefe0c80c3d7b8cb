"""Moments that hardly ever come: two at once undo the same claim, our own listening breaks, answers are lost by the thousand."""

import asyncio
import logging

import msgspec
import pytest

from contracts.engines import BOUND_MS, asking, claim, ending, put
from netscript_workers.engines.postgres import PostgresEngine, queue
from netscript_workers.engines.postgres.base import new_token
from netscript_workers.errors import EngineError

pytestmark = pytest.mark.services


@pytest.fixture
async def engine(postgres_server):
    engine = PostgresEngine(postgres_server.new_database())
    await engine.open()
    yield engine
    await engine.close()


async def test_two_claims_at_once_may_both_give_back_what_was_never_heard_of(engine):
    (one,) = await put(engine)
    (lost,) = await claim(engine)
    engine._unheard_claims.add(lost.token, over=True)
    found = await asyncio.gather(*(engine.claim_many(asking()) for _ in range(4)))
    assert [execution.id for each in found for execution in each] == [one]
    assert engine._unheard_claims.all() == []


async def test_listening_goes_on_after_a_fault_of_our_own(postgres_server, caplog):
    engine = PostgresEngine(postgres_server.new_database())
    listen, broken = engine._bells._listen, []

    async def break_once():
        if not broken:
            broken.append(True)
            raise ValueError("a certificate that cannot be read, say")
        await listen()

    engine._bells._listen = break_once
    with caplog.at_level(logging.ERROR):
        await engine.open()
        async with asyncio.timeout(BOUND_MS / 1000):
            while not engine._bells.listening:
                await asyncio.sleep(0.01)
    assert "please report this" in caplog.text
    waiting = asyncio.create_task(engine.wait_for_work(["default"], BOUND_MS))
    await put(engine)
    await asyncio.wait_for(waiting, BOUND_MS / 2000)
    await engine.close()


async def test_settlements_whose_answers_were_lost_are_not_remembered_for_ever(engine, monkeypatch):
    monkeypatch.setattr(queue, "_MOST_UNSURE", 3)
    run = engine._connections.run

    async def fail(text, *parameters, **options):
        if "netscript.settle" in text:
            raise EngineError("cut")
        return await run(text, *parameters, **options)

    monkeypatch.setattr(engine._connections, "run", fail)
    await put(engine)
    (execution,) = await claim(engine)
    for _ in range(10):
        again = msgspec.structs.replace(execution, token=new_token())
        with pytest.raises(EngineError):
            await engine.settle_many([ending(again)])
    assert len(engine._unsure) <= 4
