"""Outlasting an engine that fails: told when it begins and when it is over, and never for longer than it lasts."""

import asyncio

import pytest

from netscript_workers.errors import EngineError
from netscript_workers.worker import outage
from netscript_workers.worker.outage import Outages

PATIENCE_S = 20


class Server:
    """Something that fails while it is away."""

    def __init__(self) -> None:
        self.away = True
        self.calls = 0

    async def call(self) -> str:
        self.calls += 1
        if self.away:
            raise EngineError("the server is away")
        return "answer"


async def until(holds) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_failing_call_is_repeated_until_it_answers_and_the_log_says_how_long_it_took(caplog):
    outages, server = Outages(), Server()
    call = asyncio.create_task(outages.outlast("claim work", server.call))
    await until(lambda: server.calls >= 3)
    assert outages.degraded == "claim work: the server is away"
    server.away = False
    assert await asyncio.wait_for(call, PATIENCE_S) == "answer"
    assert outages.degraded is None
    assert caplog.text.count("degraded: cannot claim work: the server is away; trying again") == 1
    assert "recovered: could not claim work for" in caplog.text
    assert "all is well again: degraded for" in caplog.text


async def test_when_one_part_gets_through_the_others_try_at_once(monkeypatch):
    monkeypatch.setattr(outage, "MAX_DELAY_S", 600.0)
    outages, server, quick = Outages(), Server(), Server()
    monkeypatch.setattr(outage, "FIRST_DELAY_S", 600.0)
    slow = asyncio.create_task(outages.outlast("claim work", server.call))
    await until(lambda: server.calls == 1)
    monkeypatch.setattr(outage, "FIRST_DELAY_S", 0.01)
    other = asyncio.create_task(outages.outlast("announce this worker", quick.call))
    await until(lambda: quick.calls >= 1)
    server.away = quick.away = False
    assert await asyncio.wait_for(asyncio.gather(slow, other), PATIENCE_S) == ["answer", "answer"]


async def test_a_caller_that_goes_away_leaves_no_degradation_behind():
    outages, server = Outages(), Server()
    call = asyncio.create_task(outages.outlast("wait for work", server.call))
    await until(lambda: outages.degraded is not None)
    call.cancel()
    await asyncio.wait({call}, timeout=PATIENCE_S)
    assert outages.degraded is None


async def test_who_gives_up_gets_the_error():
    outages, server = Outages(), Server()
    with pytest.raises(EngineError, match="away"):
        await outages.outlast("claim work", server.call, give_up=lambda: server.calls >= 2)
    assert outages.degraded is None
